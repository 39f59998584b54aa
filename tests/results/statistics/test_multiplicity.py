"""bench.results.statistics.multiplicity against statsmodels, hand-computed numbers and the exact tests themselves."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from bench.results.statistics import multiplicity, stats


@settings(max_examples=25, deadline=None)  # every call of multipletests collects garbage
@given(st.lists(st.floats(0, 1) | st.just(math.nan), max_size=12))
def test_holm_agrees_with_statsmodels_and_counts_nan(p: list[float]) -> None:
    adjusted, known = np.array(multiplicity.holm(p)), ~np.isnan(np.array(p, dtype=float))
    assert np.array_equal(np.isnan(adjusted), ~known)
    if known.any():
        whole = np.where(known, np.array(p, dtype=float), 1.0)  # what is not tested cannot be rejected, but counts
        assert adjusted[known] == pytest.approx(multipletests(whole, method="holm")[1][known])


def test_holm_by_hand() -> None:
    assert multiplicity.holm([0.01, math.nan, 0.04, 0.03]) == pytest.approx([0.04, math.nan, 0.09, 0.09], nan_ok=True)


@pytest.mark.parametrize(("m", "n"), [(1, 6), (5, 8), (15, 10)])
def test_reachable(m: int, n: int) -> None:
    assert multiplicity.reachable(n, m, 0.05)
    assert not multiplicity.reachable(n - 1, m, 0.05)
    assert multiplicity.pairs_needed(m, 0.05) == n


def test_drawn_flips_have_a_smallest_p() -> None:
    least = stats.LEAST["permutation"]
    assert stats.p_permutation(np.arange(1.0, 21.0)) == pytest.approx(least)
    assert multiplicity.reachable(20, 409, 0.05, least) and not multiplicity.reachable(20, 410, 0.05, least)
    assert multiplicity.reachable(20, 410, 0.05) and multiplicity.pairs_needed(410, 0.05, least) is None


def test_five_pairs_never_reach() -> None:
    assert not any(multiplicity.reachable(5, m, 0.05) for m in range(1, 20))


@pytest.mark.parametrize("n", range(2, 9))
def test_reachable_is_the_smallest_p_of_the_exact_tests(n: int) -> None:
    d = np.arange(1.0, n + 1)
    assert stats.p_wilcoxon(d) == pytest.approx(2.0 ** (1 - n)) == stats.p_permutation(d)


def test_smallest_effect_is_where_the_t_test_reaches_its_first_holm_step() -> None:
    n, m, alpha = 5, 15, 0.05
    d = np.array([-2.0, -1.0, 0.0, 1.0, 2.0]) / math.sqrt(2.5)  # mean 0, sd 1
    at = multiplicity.smallest_effect(n, m, alpha)
    assert stats.p_t(d + at * 1.001) * m < alpha < stats.p_t(d + at * 0.999) * m
