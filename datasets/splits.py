"""Stratified choices of images. N labels; every choice is made by an explicit generator, class by class, rising."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from bench.datasets.counts import validation_count
from bench.datasets.errors import DataError
from bench.datasets.strata import gathered, stratified_indices


def stratified(labels: Tensor, count: int, generator: np.random.RandomState) -> Tensor:
    """Choose exactly `count` of the images, each class in proportion.

    See `bench.datasets.strata.stratified_indices`.

    Args:    labels: int64 [N].
    Returns: int64 [count] indices, rising.
    Raises:  DataError if `count` is not in 0..N.
    """
    total = len(labels)
    if not 0 <= count <= total:
        raise DataError(f"count {count}: must be 0 to {total}, the number of images")
    return torch.from_numpy(stratified_indices(labels.cpu().numpy(), count, generator))


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
    return torch.from_numpy(gathered(chosen))
