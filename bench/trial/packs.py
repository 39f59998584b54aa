"""Packs: which trials are trained together. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from bench.trial.spec import TrialSpec

VARYING = ("method", "rate", "seed")  # the fields in which the trials of one pack may differ


def packs_of(trials: Sequence[TrialSpec], slots: int) -> list[list[TrialSpec]]:
    """The trials in packs, in order: each by itself if its kind is "single"; else at most `slots` of equal length
    for each protocol, so that every worker has one. A worker cuts what does not fit its memory further.
    """
    groups: dict[object, list[TrialSpec]] = {}
    for number, spec in enumerate(trials):
        groups.setdefault(number if spec.pack == "single" else _protocol(spec), []).append(spec)
    return [pack for group in groups.values() for pack in parts(group, min(slots, len(group)))]


def _protocol(spec: TrialSpec) -> object:
    """What trials of one pack have in common; networks of widths of their own vary in the seed alone."""
    varying = ("seed",) if spec.method.own_widths else VARYING
    return tuple((name, value) for name, value in spec.values().items() if name not in varying)


def parts(trials: Sequence[TrialSpec], count: int) -> list[list[TrialSpec]]:
    """The trials in `count` packs, in order, whose lengths differ by at most one.

    >>> [len(pack) for pack in parts(range(7), 3)]
    [3, 2, 2]
    """
    size, longer = divmod(len(trials), count)
    starts = [i * size + min(i, longer) for i in range(count + 1)]
    return [list(trials[start:end]) for start, end in pairwise(starts)]
