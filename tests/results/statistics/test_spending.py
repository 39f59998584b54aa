"""A level spent over looks: the published boundaries, and how often the verdicts err under the null."""

from __future__ import annotations

import itertools
from typing import get_args

import numpy as np
import pytest
from calibration import counted, likely
from numpy.typing import NDArray
from scipy import stats as scipy_stats

from bench.cli.requests.plan import Spending
from bench.results.statistics import stats
from bench.results.statistics.spending import SPENDING, level_at, nominal_levels, rounded_down
from bench.results.tables.planned.plan_words import SPENDING_WORDS

ALPHA, LOOKS = 0.05, (5, 10)


def boundaries(times: list[float], spent: list[float]) -> list[float]:
    return [float(scipy_stats.norm.isf(level / 2)) for level in nominal_levels(times, spent)]


@pytest.mark.parametrize(
    ("spending", "looks", "published"),
    [
        ("obrien-fleming", 2, [2.963, 1.969]),
        ("obrien-fleming", 3, [3.710, 2.511, 1.993]),
        # Reboussin, DeMets, Kim and Lan (2000), table 1; two-sided 0.05, as the others.
        ("obrien-fleming", 5, [4.877, 3.357, 2.680, 2.290, 2.031]),
        ("pocock", 2, [2.157, 2.201]),
        ("pocock", 5, [2.438, 2.427, 2.410, 2.397, 2.386]),
    ],
)
def test_the_boundaries_of_lan_and_demets(spending: str, looks: int, published: list[float]) -> None:
    times = [look / looks for look in range(1, looks + 1)]
    found = boundaries(times, [SPENDING[spending](t, ALPHA) for t in times])
    assert found == pytest.approx(published, abs=6e-4)


@pytest.mark.parametrize(("first", "last"), [(2.178, 2.178), (2.797, 1.977)])
def test_the_exact_boundaries_of_pocock_and_of_obrien_and_fleming(first: float, last: float) -> None:
    """What the first look spends by the published boundary leaves the published one for the second."""
    spent = 2 * float(scipy_stats.norm.sf(first))
    assert boundaries([0.5, 1], [spent, ALPHA]) == pytest.approx([first, last], abs=2e-3)


def test_the_recursion_agrees_with_the_multivariate_normal() -> None:
    times = [0.2, 0.35, 0.8, 1.0]
    bounds = np.array(boundaries(times, [SPENDING["pocock"](t, ALPHA) for t in times]))
    covariance = [[min(s, t) / np.sqrt(s * t) for t in times] for s in times]
    inside = scipy_stats.multivariate_normal(cov=covariance, seed=0, maxpts=2_000_000, abseps=1e-7, releps=1e-7)
    assert 1 - inside.cdf(bounds, lower_limit=-bounds) == pytest.approx(ALPHA, abs=2e-5)


@pytest.mark.parametrize("spending", SPENDING)
def test_all_is_spent_at_the_end_and_only_then(spending: str) -> None:
    spent = [SPENDING[spending](t, ALPHA) for t in np.linspace(0.01, 1, 100)]
    assert spent[-1] == pytest.approx(ALPHA, rel=1e-12)
    assert all(before < after for before, after in itertools.pairwise(spent))
    assert level_at(10, 10, [10], spending, ALPHA) == ALPHA  # one look, at the end, has the whole level


def test_a_further_look_leaves_less_and_later_ones_count_nothing() -> None:
    level = level_at(10, 10, [5, 10], "pocock", ALPHA)
    assert level_at(10, 10, [5, 7, 10], "pocock", ALPHA) < level < ALPHA
    assert level_at(5, 10, [5, 7, 10], "pocock", ALPHA) == level_at(5, 10, [], "pocock", ALPHA)
    assert level_at(10, 10, [0, 1, 5, 5], "pocock", ALPHA) == level  # no test below two seeds; one look twice


def test_a_level_is_never_rounded_up() -> None:
    levels = [rounded_down(level) for level in (0.0030518, 0.05, 0.048999, 1.0699e-6)]
    assert levels == [0.003051, 0.05, 0.04899, 1.069e-6]


@pytest.mark.parametrize(("n", "planned"), [(1, 10), (11, 10)])
def test_a_look_that_is_none(n: int, planned: int) -> None:
    with pytest.raises(ValueError, match=f"a look at {n} of {planned} seeds: must be at 2 to 10"):
        level_at(n, planned, [], "pocock", ALPHA)


def test_looks_that_do_not_rise() -> None:
    with pytest.raises(ValueError, match="must be rising"):
        nominal_levels([0.5, 0.5], [0.01, 0.05])
    with pytest.raises(ValueError, match="must not fall"):
        nominal_levels([0.5, 1], [0.05, 0.01])


def p_values(many: int) -> list[NDArray[np.float64]]:
    """Of the paired t test at 5 and at 10 seeds of `many` comparisons without a true difference."""
    d = np.random.default_rng(7).normal(size=(many, LOOKS[-1]))
    found = [np.asarray(scipy_stats.ttest_1samp(d[:, :n], 0, axis=1).pvalue) for n in LOOKS]
    assert [p[0] for p in found] == pytest.approx([stats.p_t(d[0, :n]) for n in LOOKS], rel=1e-12)
    return found


@pytest.mark.parametrize("spending", SPENDING)
@counted(2_000, 20_000)
def test_looks_at_5_and_10_seeds_keep_the_level_by_spending(spending: str, many: int) -> None:
    levels = [level_at(n, LOOKS[-1], LOOKS, spending, ALPHA) for n in LOOKS]
    rejected = np.any([p <= level for p, level in zip(p_values(many), levels, strict=True)], axis=0)
    low, high = likely(ALPHA, many)
    assert low <= np.mean(rejected) <= high


@counted(2_000, 20_000)
def test_looks_that_nobody_planned_err_more(many: int) -> None:
    rejected = np.any([p <= ALPHA for p in p_values(many)], axis=0)
    low, high = likely(0.086, many)
    assert low <= np.mean(rejected) <= high
    assert low > likely(ALPHA, many)[1]


@pytest.mark.parametrize("spending", SPENDING)
@pytest.mark.parametrize("n", [5, 10])
def test_the_least_level_of_a_family_is_that_of_one_or_of_all(spending: str, n: int) -> None:
    levels = [j * level_at(n, 10, [5, 10], spending, 0.05 / j) for j in (1, 2, 3, 5, 8, 13)]
    steps = np.diff(levels) / levels[0]  # of levels that are rounded down to four digits
    assert np.all(steps < 1e-3) or np.all(steps > -1e-3)


def test_every_way_to_spend_can_be_asked_for_and_has_words() -> None:
    assert set(get_args(Spending)) == set(SPENDING) == set(SPENDING_WORDS)
