"""Stratified choices of images in NumPy, class by class, rising. Imports no torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]


def stratified_indices(labels: Indices, count: int, generator: np.random.RandomState) -> Indices:
    """Choose exactly `count` of the images, each class in proportion.

    A class of n_c images gives count * n_c / N, rounded by largest remainder (ties: the lower label).

    Args:    labels: [N]. count: 0 to N.
    Returns: [count] indices, rising.
    """
    members = _by_class(labels)
    quotas = _largest_remainder([len(m) for m in members], count)
    return gathered([generator.permutation(m)[:quota] for m, quota in zip(members, quotas, strict=True)])


def _by_class(labels: Indices) -> list[Indices]:
    """The indices of each class, by rising label."""
    return [np.flatnonzero(labels == label) for label in np.unique(labels)]


def gathered(of_classes: list[Indices]) -> Indices:
    """The indices of all classes together, rising."""
    return np.sort(np.concatenate([np.empty(0, np.int64), *of_classes]))


def _largest_remainder(sizes: list[int], count: int) -> list[int]:
    """Share `count` out in proportion to `sizes`, in integers, each share rounded down or up."""
    total = sum(sizes)
    shares = [count * size // total for size in sizes]
    by_remainder = sorted(range(len(sizes)), key=lambda i: -(count * sizes[i] % total))
    for i in by_remainder[: count - sum(shares)]:
        shares[i] += 1
    return shares
