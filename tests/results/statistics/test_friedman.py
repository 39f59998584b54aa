"""Friedman's test by hand, by the published tables of its exact distribution, and by listing every order."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import chi2, friedmanchisquare, rankdata

from bench.results.statistics import friedman as module
from bench.results.statistics.friedman import exact_p, friedman, orders

Table = NDArray[np.float64]


def listed(ranks: Table) -> float:
    """P(statistic >= the one seen) over all orders of every block but the first, which may stand as it is."""
    sums = ranks[:1]
    for block in ranks[1:]:
        every = np.array(list(itertools.permutations(block)))
        sums = (sums[:, None] + every).reshape(-1, ranks.shape[1])
    squares = (sums**2).sum(axis=1)
    return float(np.mean(squares >= (ranks.sum(axis=0) ** 2).sum() - 1e-9))


def test_the_statistic_by_hand() -> None:
    # 12N/(k(k+1))·Σ(R - (k+1)/2)² with N = 4, k = 3 and R = 1, 2, 3: 4·2 = 8; all four alike: 6 of 6⁴ orders
    found = friedman(np.tile([1.0, 2, 3], (4, 1)))
    assert (found.chi_square, found.p, found.exact) == (pytest.approx(8.0), pytest.approx(6**-3), True)


def test_the_statistic_corrects_for_ties() -> None:
    # ranks 1.5 1.5 3 and 1 2 3: 12·2/12·((1.25-2)² + (1.75-2)² + 1) = 3.25, over 1 - (2³-2)/(2·(3³-3)) = 0.875;
    # the last method is last in both blocks in a third of the orders, and no order gives a larger sum of squares
    found = friedman(np.array([[1.5, 1.5, 3], [1, 2, 3]]))
    assert (found.chi_square, found.p, found.exact) == (pytest.approx(3.25 / 0.875), pytest.approx(1 / 3), True)


@pytest.mark.parametrize("ranks", [[[2.0, 2, 2]] * 3, [[4.0] * 7] * 2])
def test_methods_that_always_tie_are_alike(ranks: list[list[float]]) -> None:
    found = friedman(np.array(ranks))
    assert (found.chi_square, found.p, found.exact) == (0.0, 1.0, True)


@pytest.mark.parametrize(
    ("blocks", "chi_square", "p"),
    # Siegel, Nonparametric Statistics (1956), table N.
    [
        ([[1, 2, 3]] * 2, 4.0, 0.167),
        ([[1, 2, 3]] * 3, 6.0, 0.028),
        ([[1, 2, 3]] * 2 + [[1, 3, 2]], 4.667, 0.194),
        ([[1, 2, 3]] * 3 + [[1, 3, 2]], 6.5, 0.042),
        ([[1, 2, 3]] * 4, 8.0, 0.0046),
        ([[1, 2, 3]] * 4 + [[2, 1, 3]], 8.4, 0.0085),
        ([[1, 2, 3]] * 5, 10.0, 0.00077),
        ([[1, 2, 3, 4]] * 2, 6.0, 0.042),
        ([[1, 2, 3, 4]] * 2 + [[1, 2, 4, 3]], 8.2, 0.017),
        ([[1, 2, 3, 4]] * 3, 9.0, 0.0017),
    ],
)
def test_the_exact_p_by_the_published_tables(blocks: list[list[int]], chi_square: float, p: float) -> None:
    found = friedman(np.array(blocks, dtype=float))
    assert found.exact and found.chi_square == pytest.approx(chi_square, abs=5e-4)
    assert found.p == pytest.approx(p, abs=5e-4 if p > 0.01 else 5e-5)


@pytest.mark.parametrize("values", [100, 4, 2], ids=["untied", "some ties", "many ties"])
@pytest.mark.parametrize(("n", "k"), [(2, 3), (3, 3), (5, 3), (7, 3), (2, 4), (4, 4), (3, 5), (2, 6)])
def test_the_exact_p_by_listing_every_order(n: int, k: int, values: int) -> None:
    rng = np.random.default_rng([n, k, values])
    for _ in range(4):
        ranks = rankdata(rng.integers(0, values, (n, k)), axis=1)
        assert exact_p(ranks) == pytest.approx(listed(ranks), rel=1e-12)


def test_neither_the_order_of_blocks_nor_of_methods_matters() -> None:
    ranks = rankdata(np.random.default_rng(3).integers(0, 5, (6, 4)), axis=1)
    assert exact_p(ranks[::-1]) == exact_p(ranks) == pytest.approx(exact_p(ranks[:, [2, 0, 3, 1]]), rel=1e-12)


def test_how_many_orders_a_block_has() -> None:
    assert [orders(block) for block in ([1, 2, 3, 4], [3, 3, 6, 8], [3, 3, 7, 7], [5, 5, 5, 5])] == [24, 12, 6, 1]


def test_too_much_work_is_left_to_chi_square(monkeypatch: pytest.MonkeyPatch) -> None:
    ranks = rankdata(np.random.default_rng(0).random((5, 4)), axis=1)
    assert friedman(ranks).exact
    monkeypatch.setattr(module, "LARGEST", 1_000)
    found, expected = friedman(ranks), friedmanchisquare(*ranks.T)
    assert not found.exact and (found.chi_square, found.p) == (expected.statistic, expected.pvalue)
    assert found.p == pytest.approx(chi2.sf(found.chi_square, 3))


@pytest.mark.parametrize(
    ("n", "k", "exact"), [(12, 3, True), (10, 4, True), (9, 5, True), (4, 6, True), (9, 6, False), (2, 20, False)]
)
def test_where_the_exact_distribution_is_given(n: int, k: int, exact: bool) -> None:
    assert friedman(rankdata(np.random.default_rng(0).random((n, k)), axis=1)).exact is exact
