"""Whole filters: hand-written scores, the budget by property, and every criterion at this granularity."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_networks import ConvNorm, square_batches
from torch.nn.functional import cross_entropy

from bench.methods import METHODS, FreezeNet, IterativeSNIP, Masks, Method, RandomLike, Scores
from bench.methods.controls import shuffled
from bench.methods.counts import live_count
from bench.methods.criteria import CRITERIA, snip
from bench.methods.maskable import maskable
from bench.methods.scopes import check_live, filter_scope

RATE = Fraction(1, 2)
shapes = st.lists(st.tuples(st.integers(1, 6), st.sampled_from([1, 2, 4])), min_size=1, max_size=4)
rates = st.integers(0, 1000).map(lambda n: Fraction(n, 1000))


@st.composite  # rows of powers of two: their means are exact
def scored(draw: st.DrawFn) -> Scores:
    values = st.integers(-3, 3).map(float)
    return {
        f"l{i}": torch.tensor(draw(st.lists(values, min_size=n * m, max_size=n * m)), dtype=torch.float64).view(n, m)
        for i, (n, m) in enumerate(draw(shapes))
    }


def rows(masks: Masks) -> dict[str, list[bool]]:
    """Whether each filter is live; none is in part."""
    assert all(bool((m == m[:, :1]).all()) for m in masks.values())
    return {name: m[:, 0].tolist() for name, m in masks.items()}


def select(method: Method, rate: Fraction = RATE) -> Masks:
    torch.manual_seed(0)
    return method.select(ConvNorm().double(), square_batches(), cross_entropy, rate, np.random.RandomState(0))


@pytest.mark.parametrize(
    ("rate", "a", "b"),
    [
        # Means 4, 2 of filters of three weights, 3, 3, 1, 1 of filters of one; 10 weights.
        ("0", [True, True], [True] * 4),
        ("0.2", [True, True], [True, True, False, False]),
        ("0.3", [True, False], [True] * 4),  # 7 - 3 - 1 - 1: the three of mean 2 do not fit into 2, both of 1 do
        ("0.5", [True, False], [True, True, False, False]),
        ("0.6", [True, False], [True, False, False, False]),  # of equal scores the earlier
        ("0.8", [False, False], [True, True, False, False]),  # the best does not fit into 2
        ("0.96", [False, False], [False] * 4),
        ("1", [False, False], [False] * 4),
    ],
)
def test_filters_by_hand(rate: str, a: list[bool], b: list[bool]) -> None:
    scores = {"a": torch.tensor([[4.0, 1, 7], [2, 2, 2]]), "b": torch.tensor([[3.0], [3], [1], [1]])}
    assert rows(filter_scope(scores, Fraction(rate))) == {"a": a, "b": b}


@given(scored(), rates)
def test_the_budget_is_kept_and_no_dead_filter_fits_into_what_is_left(scores: Scores, rate: Fraction) -> None:
    masks = filter_scope(scores, rate)
    budget = live_count(rate, sum(s.numel() for s in scores.values()))
    left = budget - sum(int(m.sum()) for m in masks.values())
    dead = [scores[name].shape[1] for name, of_layer in rows(masks).items() for live in of_layer if not live]
    assert left >= 0 and all(size > left for size in dead)
    check_live(masks, rate, "filter")


@given(scored(), rates)
def test_a_dead_filter_did_not_fit_when_its_turn_came(scores: Scores, rate: Fraction) -> None:
    """Of every dead filter those before it, by score and then by index, left too little."""
    masks, budget = filter_scope(scores, rate), live_count(rate, sum(s.numel() for s in scores.values()))
    filters = [(-float(row.mean()), i, name, len(row)) for i, (name, row) in enumerate(flat(scores))]
    live = [state for of_layer in rows(masks).values() for state in of_layer]
    used = 0
    for _, index, _, size in sorted(filters):
        assert live[index] is (used + size <= budget)
        used += size * live[index]


def flat(scores: Scores) -> list[tuple[str, torch.Tensor]]:
    return [(name, row) for name, s in scores.items() for row in s]


@given(st.integers(1, 5), rates, rates)
def test_filters_of_one_size_nest(size: int, one: Fraction, other: Fraction) -> None:
    scores = {"a": torch.arange(6.0).flip(0)[:, None].expand(6, size), "b": torch.zeros(3, size)}
    few, many = (filter_scope(scores, rate) for rate in (max(one, other), min(one, other)))
    assert all(bool((many[name] | ~few[name]).all()) for name in scores)


def test_filters_of_several_sizes_need_not_nest() -> None:
    scores = {"a": torch.full((1, 3), 2.0), "b": torch.ones(1, 2)}
    assert rows(filter_scope(scores, Fraction(2, 5))) == {"a": [True], "b": [False]}
    assert rows(filter_scope(scores, Fraction(3, 5))) == {"a": [False], "b": [True]}


def test_equal_scores_of_layers_of_several_sizes_are_ties() -> None:
    """0.1 has no exact sum in binary: a mean over seven must still equal one over three."""
    scores = {"a": torch.full((2, 3), 0.1), "b": torch.full((2, 7), 0.1)}
    assert rows(filter_scope(scores, Fraction(7, 20))) == {"a": [True, True], "b": [True, False]}


@pytest.mark.parametrize(
    ("a", "said"),
    [
        ([[1, 1, 0], [0, 0, 0]], "mask of a: filters are live in part; of scope filter each must be live or dead"),
        ([[1, 1, 1], [1, 1, 1]], "masks of 6 live weights in whole filters: must be at most 4"),
        ([[0, 0, 0], [0, 0, 0]], "mask of a: a dead filter of 3 weights fits into the 4 left; must be live"),
    ],
)
def test_other_masks_are_refused(a: list[list[int]], said: str) -> None:
    masks = {"a": torch.tensor(a, dtype=torch.bool), "b": torch.zeros(1, 2, dtype=torch.bool)}
    with pytest.raises(ValueError, match=re.escape(said)):
        check_live(masks, Fraction(1, 2), "filter")


ONE_SHOT = [
    name for name, method in METHODS.items() if type(method).select is Method.select and not method.closes_channels
]


@pytest.mark.parametrize("name", [name for name in ONE_SHOT if METHODS[name].criterion != "random"])
def test_every_one_shot_method_has_whole_filters(name: str) -> None:
    masks = select(replace(METHODS[name], scope="filter"))
    check_live(masks, RATE, "filter")
    assert any(any(of_layer) for of_layer in rows({n: m.flatten(1) for n, m in masks.items()}).values())


def test_the_criteria_of_these_methods_are_all() -> None:
    assert {METHODS[name].criterion for name in ONE_SHOT} == CRITERIA.keys()


def test_rows_that_are_another_row_of_scope_filter() -> None:
    assert METHODS["filter-snip-freeze"].record() == FreezeNet(scope="filter").record()
    assert METHODS["filter-snip-prune"].record() == replace(METHODS["snip"], scope="filter").record()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: replace(METHODS["random-freeze"], scope="filter"), "criterion random with scope filter: must be"),
        (lambda: RandomLike(scope="filter"), "scope 'filter' of RandomLike: must be 'global'"),
        (lambda: IterativeSNIP(scope="filter"), "scope 'filter' of IterativeSNIP: must be 'global'"),
    ],
)
def test_what_has_no_whole_filters_says_so(make: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make()


def test_random_filters_are_drawn_alike_whatever_their_size() -> None:
    """Two filters of 50 weights and fifty of 2: a mean of fifty draws would never be the largest."""
    model = torch.nn.Sequential(torch.nn.Linear(50, 2, bias=False), torch.nn.Linear(2, 50, bias=False))
    generator, first = np.random.RandomState(0), 0
    for _ in range(400):
        scores = CRITERIA["channel-random"](model, [], cross_entropy, generator)
        first += int(scores["0.weight"].max() > scores["1.weight"].max())
    # The best of 2 beats the best of 50 once in 26 times: 15.4 of 400, standard deviation 3.8.
    assert 4 <= first <= 31
    assert all(bool((s == s[:, :1]).all()) for s in scores.values())


def test_a_shuffle_of_whole_filters_keeps_them_whole() -> None:
    masks = {"a": torch.arange(12).view(12, 1).expand(12, 5) < 4, "b": torch.zeros(3, 2, 2, 2, dtype=torch.bool)}
    other = shuffled(masks, np.random.RandomState(0), filters=True)
    assert rows({"a": other["a"]})["a"].count(True) == 4 and not torch.equal(other["a"], masks["a"])
    assert other["b"].shape == (3, 2, 2, 2) and not other["b"].any()


def test_a_filter_counts_by_the_mean_of_its_scores() -> None:
    torch.manual_seed(0)
    model = ConvNorm().double()
    scores = snip(model, square_batches(), cross_entropy, np.random.RandomState(0))
    total = sum(w.numel() for w in maskable(model).values())
    best = sorted(((float(row.mean()), row.numel(), name) for name, s in scores.items() for row in s), reverse=True)
    taken: list[str] = []
    for _, size, name in best:
        total -= 2 * size if (fits := 2 * size <= total) else 0
        taken += [name] if fits else []
    masks = {name: mask.flatten(1) for name, mask in select(METHODS["filter-snip-freeze"]).items()}
    assert {name: sum(of_layer) for name, of_layer in rows(masks).items()} == Counter(taken)
