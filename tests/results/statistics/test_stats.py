"""bench.results.statistics.stats against hand-computed numbers, scipy, statsmodels and its own edge rules."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from statsmodels.stats.weightstats import ttost_paired

from bench.results.statistics import stats

DISTINCT = np.array([0.01, -0.02, 0.03, 0.04, 0.05, 0.07])
whole = st.lists(st.integers(-5, 5), min_size=2, max_size=9)


def enumerated(d: np.ndarray, weights: np.ndarray) -> float:
    """Two-sided p of sum(sign·weight), by listing every sign pattern."""
    observed = float(np.sum(np.sign(d) * weights))
    sums = [float(np.dot(signs, weights * (d != 0))) for signs in itertools.product((-1, 1), repeat=len(d))]
    low, high = (np.mean([s <= observed + 1e-9 for s in sums]), np.mean([s >= observed - 1e-9 for s in sums]))
    return float(min(1.0, 2 * min(low, high)))


def test_summary_uses_ddof_1() -> None:
    assert stats.summary([1.0, 2.0, 3.0, 6.0]) == stats.Summary(mean=3.0, sd=math.sqrt(14 / 3), n=4)


def test_summary_of_too_few_values() -> None:
    one, none = stats.summary([0.5]), stats.summary([])
    assert (one.mean, one.n, math.isnan(one.sd)) == (0.5, 1, True)
    assert (none.n, math.isnan(none.mean), math.isnan(none.sd)) == (0, True, True)


def test_equal_differences_are_equal_in_spite_of_their_last_bit() -> None:
    assert 0.9 - 0.8 != 0.8 - 0.7
    assert stats.constant(stats.differences([0.9, 0.8], [0.8, 0.7]))


def test_differences_need_pairs() -> None:
    with pytest.raises(ValueError, match="2 and 1 values"):
        stats.differences([0.1, 0.2], [0.1])


def test_t_by_hand() -> None:
    # d = 1, 2, 3: mean 2, sd 1, t = 2·sqrt(3); two-sided p at 2 degrees of freedom = 1 - t/sqrt(t² + 2)
    d, t = np.array([1.0, 2.0, 3.0]), 2 * math.sqrt(3)
    assert stats.p_t(d) == pytest.approx(1 - t / math.sqrt(t * t + 2))
    interval = stats.t_interval(d)
    half = 4.302652729911275 / math.sqrt(3)  # t(0.975, 2)
    assert (interval.low, interval.high) == (pytest.approx(2 - half), pytest.approx(2 + half))


def test_wilcoxon_by_hand() -> None:
    # ranks 1..5, all positive but rank 2: P(W- <= 2) = 3 of 32 patterns ({}, {1}, {2})
    assert stats.p_wilcoxon(np.array([0.1, -0.2, 0.3, 0.4, 0.5])) == pytest.approx(2 * 3 / 32)


def test_wilcoxon_ranks_zeros_and_shares_ties() -> None:
    # |d| = 0, 1, 1, 2 -> ranks 1, 2.5, 2.5, 4; the zero has no sign. W- = 2.5: {}, {2.5}, {2.5} of 8 patterns.
    assert stats.p_wilcoxon(np.array([0.0, 1.0, -1.0, 2.0])) == pytest.approx(2 * 3 / 8)


@pytest.mark.parametrize("d", [DISTINCT, -DISTINCT, np.arange(1.0, 21.0) * (-1.0) ** (np.arange(20) // 3)])
def test_wilcoxon_agrees_with_scipy_without_ties(d: np.ndarray) -> None:
    assert stats.p_wilcoxon(d) == pytest.approx(scipy_stats.wilcoxon(d, method="exact").pvalue)


@given(whole)
def test_wilcoxon_is_the_enumeration_with_ties_and_zeros(values: list[int]) -> None:
    d = np.array(values, dtype=float)
    assert stats.p_wilcoxon(d) == pytest.approx(enumerated(d, scipy_stats.rankdata(np.abs(d))))


@settings(max_examples=50, deadline=None)
@given(whole)
def test_permutation_is_the_enumeration(values: list[int]) -> None:
    d = np.array(values) / 360  # as differences of accuracies on 360 images: ties abound, and no float is exact
    assert stats.p_permutation(np.round(d, 12)) == pytest.approx(enumerated(d, np.abs(d)))


def test_permutation_beyond_enumeration_is_repeatable_and_close() -> None:
    d = np.random.default_rng(3).normal(0.4, 1, 20)
    assert 2 ** len(d) > stats.FLIPS
    assert stats.p_permutation(d) == stats.p_permutation(d)
    assert stats.p_permutation(d) == pytest.approx(stats.p_t(d), abs=0.02)


@pytest.mark.parametrize("size", [20, 360, 10_000])
def test_bootstrap_counts_resamples_that_tie_with_the_estimate_exactly(size: int) -> None:
    """As of whole counts of images, whose sums have no rounding."""
    for seed in range(6):
        counts = np.random.default_rng(seed).integers(-4, 5, size=3 + seed % 4).astype(float)
        if stats.constant(counts):
            continue
        exact = scipy_stats.bootstrap(
            (counts,), np.sum, n_resamples=stats.RESAMPLES, confidence_level=stats.LEVEL, method="BCa",
            rng=np.random.default_rng(1),
        ).confidence_interval  # fmt: skip
        found = stats.bootstrap_interval(stats.differences(counts / size, 0 * counts), np.random.default_rng(1))
        ends = [end / size / len(counts) for end in (exact.low, exact.high)]
        assert [found.low, found.high] == pytest.approx(ends, rel=0, abs=1e-9)


def test_bootstrap_replays_and_brackets_the_mean() -> None:
    first, again, other = (stats.bootstrap_interval(DISTINCT, np.random.default_rng(s)) for s in (1, 1, 2))
    assert first == again != other
    assert DISTINCT.min() <= first.low < DISTINCT.mean() < first.high <= DISTINCT.max()


@pytest.mark.parametrize("test", stats.TESTS)
def test_all_zero_is_p_one(test: str) -> None:
    assert stats.verdict(np.zeros(5), test) == stats.Verdict(p=1.0, by="identical")


def test_constant_difference_is_decided_by_the_exact_test() -> None:
    d = stats.differences([0.9, 0.8, 0.7, 0.6, 0.5], [0.8, 0.7, 0.6, 0.5, 0.4])
    assert math.isnan(stats.p_t(d))
    assert stats.verdict(d, "t") == stats.Verdict(p=pytest.approx(2**-4), by="permutation")
    for nothing in (stats.effect(d), stats.p_equivalence(d, 0.01), stats.t_interval(d).low):
        assert math.isnan(nothing)
    assert stats.bootstrap_interval(d, np.random.default_rng(0)) is stats.NO_INTERVAL


@pytest.mark.parametrize("test", stats.TESTS)
@pytest.mark.parametrize("n", [0, 1])
def test_too_few_pairs_are_not_tested(test: str, n: int) -> None:
    found = stats.verdict(np.full(n, 0.1), test)
    assert found.by == "none"
    assert math.isnan(found.p)


def test_two_pairs_give_numbers_without_warnings(recwarn: pytest.WarningsRecorder) -> None:
    d = np.array([0.1, 0.3])
    assert stats.bootstrap_interval(d, np.random.default_rng(0)).low >= 0.1
    assert all(stats.verdict(d, test).p <= 1 for test in stats.TESTS)
    assert not recwarn.list


@pytest.mark.parametrize("margin", [0.005, 0.05, 0.5])
def test_equivalence_agrees_with_statsmodels(margin: float) -> None:
    reference = np.linspace(0.5, 0.6, len(DISTINCT))
    expected = ttost_paired(reference + DISTINCT, reference, -margin, margin)[0]
    assert stats.p_equivalence(DISTINCT, margin) == pytest.approx(expected)


def test_equivalence_needs_a_margin() -> None:
    with pytest.raises(ValueError, match="margin 0"):
        stats.p_equivalence(DISTINCT, 0)


def test_effect_and_hedges_by_hand() -> None:
    assert stats.effect(np.array([1.0, 2.0, 3.0])) == pytest.approx(2.0)
    # J(2) = Γ(1)/(1·Γ(1/2)) = 1/sqrt(π); J(4) = Γ(2)/(sqrt(2)·Γ(3/2)) = sqrt(2/π)
    assert stats.hedges(2) == pytest.approx(1 / math.sqrt(math.pi))
    assert stats.hedges(4) == pytest.approx(math.sqrt(2 / math.pi))
    assert stats.hedges(200) == pytest.approx(1 - 3 / (4 * 200 - 1), abs=1e-5)
    assert math.isnan(stats.hedges(1))


def test_equivalence_within_margins_of_each_pair() -> None:
    """By hand: d + m = (1, 2, 3), t = 2/(1/sqrt 3); d - m = (-3, -2, -4), t = -3/(1/sqrt 3); 2 degrees of freedom."""
    d, margins = np.array([-1.0, 0.0, -0.5]), np.array([2.0, 2.0, 3.5])
    assert stats.p_equivalence_within(d, margins) == pytest.approx(
        float(scipy_stats.t.sf(2 * np.sqrt(3), 2)), rel=1e-12
    )


def test_equal_margins_are_one_margin() -> None:
    d = np.array([0.001, -0.002, 0.0005, 0.003])
    assert stats.p_equivalence_within(d, np.full(4, 0.004)) == pytest.approx(stats.p_equivalence(d, 0.004), rel=1e-9)


def test_no_equivalence_within_margins_without_spread_or_a_second_pair() -> None:
    assert np.isnan(stats.p_equivalence_within(np.array([0.1]), np.array([0.2])))
    assert np.isnan(stats.p_equivalence_within(np.array([0.1, 0.2]), np.array([0.2, 0.1])))  # d + m = 0.3 at each
    assert stats.p_equivalence_within(np.array([0.1, -0.1]), np.zeros(2)) == 0.5  # no errors: none is within them
