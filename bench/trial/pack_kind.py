"""The pack kind of a trial: by itself, or how it is batched with others. Imports no torch.

On a CPU a pack is one trial: a batched step is no faster there (results/reports/packs.md). On a GPU one small network
leaves the card idle between two launches, so trials of one architecture and protocol share each launch.

A number never depends on a timing: what is faster on a card `bench speed packs` measures once, and is committed here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Literal

Pack = Literal["single", "vmap", "unfold"]

# Networks whose faster kind was measured on a card: name -> kind, as `bench speed packs` proposes it. None was yet.
MEASURED: dict[str, Pack] = {}
SMALL_KERNEL = 9  # positions; 3 × 3


def resolve_pack(
    asked: str,
    *,
    device: str,
    shapes: Mapping[str, tuple[int, ...]],
    model: str = "",
    obstacle: Callable[[], str] = lambda: "",
) -> Pack:
    """The pack kind of a trial: `asked`, or for "auto" the one of the device.

    A network without a convolution has one batched kind only, "vmap".

    Args:    shapes: weight name -> shape; four numbers if it is a convolution's.
             model: the network's name in MEASURED; "" = in no table.
             obstacle: why the network cannot be trained in packs; "" if it can.
    Raises:  ValueError if a batched kind is asked for and there is none.

    >>> resolve_pack("auto", device="cuda", shapes={"conv1.weight": (20, 1, 5, 5), "fc.weight": (10, 2880)})
    'unfold'
    >>> resolve_pack("auto", device="cuda", shapes={"conv1.weight": (16, 3, 3, 3), "fc.weight": (10, 64)})
    'vmap'
    >>> [resolve_pack(kind, device="cpu", shapes={"fc.weight": (10, 784)}) for kind in ("auto", "unfold")]
    ['single', 'vmap']
    """
    if asked == "single" or (asked == "auto" and device == "cpu"):
        return "single"
    if reason := obstacle():
        if asked == "auto":
            return "single"
        raise ValueError(f"pack {asked}: the network cannot be trained in packs ({reason}); must be single or auto")
    if asked == "auto":
        return MEASURED.get(model) or batched_kind(shapes)
    convolutional = any(len(shape) == 4 for shape in shapes.values())
    return "unfold" if asked == "unfold" and convolutional else "vmap"


def batched_kind(shapes: Mapping[str, tuple[int, ...]]) -> Pack:
    """The batched kind of a network that no card has measured, by its layers: "unfold" if most weights of its
    convolutions are in kernels larger than 3 × 3, else "vmap".

    By the bytes that the operators of a training step read and write (results/reports/packs.md). In kernels up to 3 × 3
    products of patches move 1.7 to 2.7 times those of grouped convolutions; in larger ones, as of LeNet-5, 1.6 times:
    that these are faster all the same is a guess, as the rule is one, until a card has measured it.
    """
    sizes: dict[bool, int] = {True: 0, False: 0}  # whether the kernel is small -> weights
    for shape in shapes.values():
        if len(shape) == 4:
            sizes[prod(shape[2:]) <= SMALL_KERNEL] += prod(shape)
    return "unfold" if sizes[False] > sizes[True] else "vmap"
