"""Masks from hand-written scores; counts and orders by property."""

from __future__ import annotations

import itertools
from decimal import Decimal
from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bench.methods.counts import apportion, live_count
from bench.methods.rounds.iterative import schedule
from bench.methods.rounds.papers import IterativeSNIP
from bench.methods.scopes import SCOPES, er_scope, erk_scope, global_scope, uniform_scope

rates = st.decimals(0, Decimal("0.9999"), places=4).map(Fraction)
layers = st.lists(st.integers(1, 40), min_size=1, max_size=5)
scored = layers.flatmap(lambda sizes: st.tuples(*(st.lists(st.integers(-3, 3), min_size=n, max_size=n) for n in sizes)))


def tensors(values: tuple[list[int], ...]) -> dict[str, torch.Tensor]:
    return {f"l{i}": torch.tensor(v, dtype=torch.float64) for i, v in enumerate(values)}


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        ("0", [True] * 6),
        ("0.5", [False, True, False, True, True, False]),
        ("0.4", [False, True, True, True, True, False]),  # 3.6 -> 4: the earlier of the two 2s
        ("0.75", [False, True, False, False, True, False]),  # 1.5 -> 2, half up
        ("0.95", [False] * 6),  # 0.3 -> 0: no live weight is legal
    ],
)
def test_global_by_hand(rate: str, expected: list[bool]) -> None:
    scores = {"a": torch.tensor([1.0, 9.0, 2.0]), "b": torch.tensor([[3.0], [4.0], [2.0]])}
    masks = global_scope(scores, Fraction(rate))
    flat = [*masks["a"].tolist(), *masks["b"].view(-1).tolist()]
    assert masks["b"].shape == (3, 1)
    assert flat == expected


def test_all_equal_scores_keep_the_first_k() -> None:
    masks = global_scope({"a": torch.zeros(4), "b": torch.zeros(6)}, Fraction("0.5"))
    assert masks["a"].tolist() == [True] * 4 and masks["b"].tolist() == [True] + [False] * 5


@given(scored, rates)
def test_global_is_exact_and_ordered(values: tuple[list[int], ...], rate: Fraction) -> None:
    scores = tensors(values)
    masks = global_scope(scores, rate)
    flat = torch.cat(list(scores.values()))
    mask = torch.cat(list(masks.values()))
    assert int(mask.sum()) == live_count(rate, len(flat))
    if mask.any() and not mask.all():
        assert flat[mask].min() >= flat[~mask].max()


@given(scored, rates, rates)
def test_rising_rates_nest(values: tuple[list[int], ...], one: Fraction, other: Fraction) -> None:
    scores = tensors(values)
    few, many = (global_scope(scores, r) for r in (max(one, other), min(one, other)))
    assert all(bool((many[n] | ~few[n]).all()) for n in scores)


@given(st.permutations(list(range(12))), rates)
def test_layer_order_does_not_matter_without_ties(order: list[int], rate: Fraction) -> None:
    values = torch.tensor(order, dtype=torch.float64)
    forward = global_scope({"a": values[:5], "b": values[5:]}, rate)
    backward = global_scope({"b": values[5:], "a": values[:5]}, rate)
    assert all(torch.equal(forward[n], backward[n]) for n in forward)


@given(scored, rates, st.sampled_from(["uniform", "er", "erk"]))
def test_layerwise_totals_are_exact(values: tuple[list[int], ...], rate: Fraction, scope: str) -> None:
    scores = tensors(values)
    masks = SCOPES[scope](scores, rate)
    assert sum(int(m.sum()) for m in masks.values()) == live_count(rate, sum(len(v) for v in values))
    for n, mask in masks.items():
        if mask.any() and not mask.all():
            assert scores[n][mask].min() >= scores[n][~mask].max()


@given(layers, rates)
def test_uniform_is_within_one_of_proportional(sizes: list[int], rate: Fraction) -> None:
    masks = uniform_scope({f"l{i}": torch.zeros(n) for i, n in enumerate(sizes)}, rate)
    for n, mask in zip(sizes, masks.values(), strict=True):
        assert abs(int(mask.sum()) - (1 - rate) * n) <= 1


def test_erk_by_hand() -> None:
    # Linear 10 → 30 and 2 → 5: raw densities 40/300 and 7/10. Total at rate 0.8: round(0.2 · 310) = 62.
    # ε = 62 / (40 + 7) = 1.319…; the small layer stays below 1: 0.923 · 10 = 9.23, the large one 52.77.
    masks = erk_scope({"large": torch.zeros(30, 10), "small": torch.zeros(5, 2)}, Fraction("0.8"))
    assert [int(m.sum()) for m in masks.values()] == [53, 9]
    # At rate 0.7: 93 live, ε = 1.979 would make the small layer 1.385 dense: it is full, the rest is the large one's.
    masks = erk_scope({"large": torch.zeros(30, 10), "small": torch.zeros(5, 2)}, Fraction("0.7"))
    assert [int(m.sum()) for m in masks.values()] == [83, 10]


def test_er_by_hand() -> None:
    # Linear 10 → 30 and a 3 × 3 convolution 2 → 5, N = 390, 78 live at 0.8. ER: 40/300 · 300 = 40 to 7/10 · 90 = 63:
    # ε = 78/103, 30.29 and 47.71. ERK counts the kernel: 40 to 13, ε = 78/53, 58.87 and 19.13.
    scores = {"linear": torch.zeros(30, 10), "conv": torch.zeros(5, 2, 3, 3)}
    assert [int(m.sum()) for m in er_scope(scores, Fraction("0.8")).values()] == [30, 48]
    assert [int(m.sum()) for m in erk_scope(scores, Fraction("0.8")).values()] == [59, 19]
    plain = {"a": torch.zeros(30, 10), "b": torch.zeros(5, 2)}
    for rate in ("0.8", "0.7"):
        er, erk = (scope(plain, Fraction(rate)) for scope in (er_scope, erk_scope))
        assert all(torch.equal(er[n], erk[n]) for n in er)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("scope", SCOPES)
def test_scores_must_be_finite(bad: float, scope: str) -> None:
    with pytest.raises(ValueError, match="scores of a: 1 of 2 are NaN or infinite"):
        SCOPES[scope]({"a": torch.tensor([1.0, bad])}, Fraction("0.5"))


@pytest.mark.parametrize(
    ("weights", "other", "total", "counts"),
    [
        (
            430_500,
            580,
            431_080,
            {".9": 43_630, ".95": 22_105, ".98": 9_190, ".985": 7_038, ".99": 4_885, ".995": 2_733, ".999": 1_011},
        ),
        (
            266_200,
            410,
            266_610,
            {".9": 27_030, ".95": 13_720, ".98": 5_734, ".985": 4_403, ".99": 3_072, ".995": 1_741, ".999": 676},
        ),
    ],
)
def test_stored_parameters_of_the_lenets(weights: int, other: int, total: int, counts: dict[str, int]) -> None:
    assert {rate: live_count(Fraction(rate), weights) + other for rate in counts} == counts
    assert live_count(Fraction(0), weights) + other == total


def test_rounding_is_exact_where_floats_are_not() -> None:
    assert live_count(Fraction("0.995"), 100) == 1  # 0.5 rounds up; (1 - 0.995) * 100 is 0.5000000000000004 in floats
    assert live_count(Fraction("0.9999999999"), 5_000_000_000) == 1
    assert (live_count(Fraction("0.7"), 5), live_count(Fraction("0.3"), 5)) == (2, 4)  # 1.5 and 3.5
    assert live_count(Fraction(1), 10) == 0
    for rate in (Fraction(11, 10), Fraction(-1, 10)):
        with pytest.raises(ValueError, match="must be 0 <= rate <= 1"):
            live_count(rate, 10)


def test_apportion_by_hand_and_over_its_limit() -> None:
    assert apportion(10, [Fraction(7, 2), Fraction(13, 4), Fraction(13, 4)], [9, 9, 9]) == [4, 3, 3]
    assert apportion(5, [Fraction(1), Fraction(4)], [5, 2]) == [3, 2]
    with pytest.raises(ValueError, match="at most 3"):
        apportion(4, [Fraction(2), Fraction(2)], [1, 2])


def test_iterative_schedule_ends_at_the_exact_count() -> None:
    counts = schedule(Fraction("0.995"), 430_500, 10)
    assert len(counts) == 10 and counts[-1] == 2_153
    assert all(a >= b for a, b in itertools.pairwise(counts))
    assert schedule(Fraction("0.5"), 10, 1) == [5]
    with pytest.raises(ValueError, match="rounds 0"):
        IterativeSNIP(rounds=0)
