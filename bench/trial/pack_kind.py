"""Packs: which trials are trained together, and how. Imports no torch.

On a CPU a pack is one trial: a batched step is no faster there (results/reports/packs.md). On a GPU one small network
leaves the card idle between two launches, so trials of one architecture and protocol share each launch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from bench.trial.spec import TrialSpec

Pack = Literal["single", "vmap", "unfold"]
OWN = ("method", "rate", "seed")  # the fields in which the trials of one pack may differ


def resolve_pack(asked: str, *, device: str, shapes: Mapping[str, tuple[int, ...]]) -> Pack:
    """The pack kind of a trial: `asked`, or for "auto" the one of the device.

    A network without a convolution has one batched kind only, "vmap".

    Args: shapes: weight name -> shape; four numbers where it is a convolution's.

    >>> resolve_pack("auto", device="cuda", shapes={"conv1.weight": (20, 1, 5, 5), "fc.weight": (10, 2880)})
    'unfold'
    >>> [resolve_pack(kind, device="cpu", shapes={"fc.weight": (10, 784)}) for kind in ("auto", "unfold")]
    ['single', 'vmap']
    """
    if asked == "single" or (asked == "auto" and device == "cpu"):
        return "single"
    convolutional = any(len(shape) == 4 for shape in shapes.values())
    return "unfold" if asked != "vmap" and convolutional else "vmap"


def packs_of(trials: Sequence[TrialSpec], slots: int) -> list[list[TrialSpec]]:
    """The trials in packs, in order: each its own where its kind is "single"; else at most `slots` of equal length
    for each protocol, so that every worker has one. What does not fit a worker's memory it cuts further itself.
    """
    groups: dict[object, list[TrialSpec]] = {}
    for place, spec in enumerate(trials):
        groups.setdefault(place if spec.pack == "single" else _protocol(spec), []).append(spec)
    return [part for group in groups.values() for part in parts(group, min(slots, len(group)))]


def _protocol(spec: TrialSpec) -> object:
    """What trials of one pack have in common."""
    return tuple((name, value) for name, value in vars(spec).items() if name not in OWN)


def parts(trials: Sequence[TrialSpec], count: int) -> list[list[TrialSpec]]:
    """The trials in `count` parts, in order, whose lengths differ by at most one.

    >>> [len(part) for part in parts(range(7), 3)]
    [3, 2, 2]
    """
    size, longer = divmod(len(trials), count)
    starts = [i * size + min(i, longer) for i in range(count + 1)]
    return [list(trials[a:b]) for a, b in pairwise(starts)]
