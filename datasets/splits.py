"""Stratified choices of images. N labels; every choice is made by an explicit generator, class by class, rising."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.datasets.counts import validation_count
from bench.datasets.errors import DataError

Indices = NDArray[np.int64]


def stratified(labels: Tensor, count: int, generator: np.random.RandomState) -> Tensor:
    """Choose exactly `count` of the images, each class in proportion.

    A class of n_c images gives count * n_c / N, rounded by largest remainder (ties: the lower label).

    Args:    labels: int64 [N].
    Returns: int64 [count] indices, rising.
    Raises:  DataError if `count` is not in 0..N.
    """
    total = len(labels)
    if not 0 <= count <= total:
        raise DataError(f"count {count}: must be 0 to {total}, the number of images")
    members = _by_class(labels.cpu().numpy())
    quotas = _largest_remainder([len(m) for m in members], count)
    return _gather([generator.permutation(m)[:quota] for m, quota in zip(members, quotas, strict=True)])


def train_validation(labels: Tensor, fraction: float, generator: np.random.RandomState) -> tuple[Tensor, Tensor]:
    """Split the images: round-half-up(fraction * N), computed exactly from the decimal text, for validation.

    Args:    labels: int64 [N].
    Returns: (train, validation): int64 indices, rising; disjoint, and together all of them.
    Raises:  DataError if a side would be empty.
    """
    total = len(labels)
    count = validation_count(total, fraction)
    if not 0 < count < total:
        raise DataError(f"validation fraction {fraction} of {total} images: must leave both sides an image")
    validation = stratified(labels, count, generator)
    train = torch.ones(total, dtype=torch.bool).index_fill_(0, validation, False).nonzero().squeeze(1)
    return train, validation


def class_balanced(labels: Tensor, indices: Tensor, per_class: int, generator: np.random.RandomState) -> Tensor:
    """Choose `per_class` images of every class of `labels` from those at `indices`, whatever the order of these.

    Args:    labels: int64 [N], of the whole set. indices: int64.
    Returns: int64 [K * per_class] indices, rising.
    Raises:  DataError if a class has fewer than `per_class` images at `indices`.
    """
    every = labels.cpu().numpy()
    pool = np.unique(indices.cpu().numpy())
    chosen = []
    for label in np.unique(every):
        members = pool[every[pool] == label]
        if len(members) < per_class:
            raise DataError(f"{per_class} images per class: class {label} has {len(members)}")
        chosen.append(generator.permutation(members)[:per_class])
    return _gather(chosen)


def _by_class(labels: Indices) -> list[Indices]:
    return [np.flatnonzero(labels == label) for label in np.unique(labels)]


def _largest_remainder(sizes: list[int], count: int) -> list[int]:
    """Share `count` out in proportion to `sizes`, in integers, each share rounded down or up."""
    total = sum(sizes)
    shares = [count * size // total for size in sizes]
    by_remainder = sorted(range(len(sizes)), key=lambda i: -(count * sizes[i] % total))
    for i in by_remainder[: count - sum(shares)]:
        shares[i] += 1
    return shares


def _gather(of_classes: list[Indices]) -> Tensor:
    return torch.from_numpy(np.sort(np.concatenate([np.empty(0, np.int64), *of_classes])))
