"""Splits: exact counts, in proportion, replayed from the seed."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from bench.datasets import DataError
from bench.datasets.splits import class_balanced, stratified, train_validation

LABELS = st.lists(st.integers(0, 4), min_size=1, max_size=80).map(lambda values: torch.tensor(values))
SEEDS = st.integers(0, 2**32 - 1)


def state(seed: int) -> np.random.RandomState:
    return np.random.RandomState(seed)


def is_rising(indices: Tensor) -> bool:
    return indices.dtype == torch.int64 and bool((indices.diff() > 0).all())


@given(LABELS, SEEDS, st.data())
def test_stratified_is_exact_and_proportional(labels: Tensor, seed: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(0, len(labels)))
    chosen = stratified(labels, count, state(seed))
    assert len(chosen) == count
    assert is_rising(chosen)
    sizes, counts = torch.bincount(labels, minlength=5), torch.bincount(labels[chosen], minlength=5)
    assert all(
        abs(f - Fraction(count * s, len(labels))) < 1 for s, f in zip(sizes.tolist(), counts.tolist(), strict=True)
    )
    assert torch.equal(chosen, stratified(labels, count, state(seed)))


def test_largest_remainder_by_hand() -> None:
    labels = torch.tensor([0] * 5 + [1] * 3 + [2] * 2)  # quotas of 4: 2.0, 1.2, 0.8; of 5: 2.5, 1.5, 1.0
    assert torch.bincount(labels[stratified(labels, 4, state(0))]).tolist() == [2, 1, 1]
    assert torch.bincount(labels[stratified(labels, 5, state(0))]).tolist() == [3, 1, 1]


def test_draws_are_pinned() -> None:
    """They may not move: the split of every stored trial follows from its seed."""
    labels = torch.arange(30) % 3
    assert stratified(labels, 6, state(0)).tolist() == [6, 8, 10, 11, 16, 24]
    assert class_balanced(labels, torch.arange(30), 2, state(0)).tolist() == [6, 8, 10, 11, 16, 24]


@given(LABELS.filter(lambda labels: len(labels) > 1), SEEDS, st.integers(1, 99))
def test_train_validation_covers(labels: Tensor, seed: int, percent: int) -> None:
    total = len(labels)
    count = math.floor(Fraction(percent, 100) * total + Fraction(1, 2))
    if not 0 < count < total:
        with pytest.raises(DataError, match="must leave both sides an image"):
            train_validation(labels, percent / 100, state(seed))
        return
    train, validation = train_validation(labels, percent / 100, state(seed))
    assert len(validation) == count
    assert is_rising(train)
    assert is_rising(validation)
    assert torch.equal(torch.cat([train, validation]).sort().values, torch.arange(total))


def test_fraction_is_its_decimal_text() -> None:
    labels = torch.zeros(5, dtype=torch.int64)
    assert 0.3 * 5 == 1.5  # but the float 0.3 is below 3/10, and exactly five of it below 1.5
    assert len(train_validation(labels, 0.3, state(0))[1]) == 2


@given(LABELS, SEEDS, st.data())
def test_class_balanced(labels: Tensor, seed: int, data: st.DataObject) -> None:
    subset = torch.tensor(data.draw(st.lists(st.sampled_from(range(len(labels))), min_size=1, unique=True)))
    classes = labels.unique()
    most = min(int((labels[subset] == c).sum()) for c in classes)
    chosen = class_balanced(labels, subset, most, state(seed))
    assert is_rising(chosen)
    assert set(chosen.tolist()) <= set(subset.tolist())
    assert [int((labels[chosen] == c).sum()) for c in classes] == [most] * len(classes)
    assert torch.equal(chosen, class_balanced(labels, subset.flip(0), most, state(seed)))
    with pytest.raises(DataError, match=rf"^{most + 1} images per class: class \d has {most}$"):
        class_balanced(labels, subset, most + 1, state(seed))


@pytest.mark.parametrize("count", [-1, 4])
def test_impossible_count(count: int) -> None:
    with pytest.raises(DataError, match=f"^count {count}: must be 0 to 3, the number of images$"):
        stratified(torch.zeros(3, dtype=torch.int64), count, state(0))
