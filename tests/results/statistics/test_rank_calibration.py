"""How often Friedman's and Nemenyi's tests err, as implemented: on listed tables of ranks and on simulated ones.

A rate p over N simulated tables has the standard error sqrt(p(1-p)/N): 0.7 points at p = 5 % and N = 1000, as many as
the slow tests simulate. Where the rate is known, exactly or of 100,000 tables, the count must lie within the central
99.8 % of Binomial(N, p).
"""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from calibration import counted, likely, share
from numpy.typing import NDArray
from scipy.stats import chi2

from bench import names
from bench.results.statistics.friedman import friedman
from bench.results.statistics.ranks import Ranking

ALPHA = 0.05
IMAGES = 360  # of the test set of digits
Means = Ranks = NDArray[np.float64]  # [n blocks, k methods]


def ranking(means: Means) -> Ranking:
    table = pd.DataFrame(means)
    return Ranking(
        means=table, titles={}, left_out=[], records={}, better=1, alpha=ALPHA, metric=names.TEST_ACCURACY
    )  # fmt: skip


def alike(n: int, k: int, many: int) -> Means:
    """Tables [many, n, k] of methods without a difference, in blocks of any level."""
    rng = np.random.default_rng([n, k])
    return rng.normal(size=(many, n, k)) + rng.normal(size=(many, n, 1))


def tables(block: list[float], n: int) -> list[tuple[Ranks, float]]:
    """The tables of n blocks with these ranks in all their orders: one for each set of rank sums, and its probability.

    Friedman's test depends on the sums alone. The first block may stand as it is.
    """
    orders = itertools.product(itertools.permutations(block), repeat=n - 1)
    made = [np.array([block, *rest]) for rest in orders]
    by_sums = {tuple(sorted(table.sum(axis=0))): table for table in made}
    counted = Counter(tuple(sorted(table.sum(axis=0))) for table in made)
    return [(table, counted[sums] / len(made)) for sums, table in by_sums.items()]


@pytest.mark.parametrize(
    ("block", "n", "size"),
    [
        ([1, 2, 3], 2, 0.0), ([1, 2, 3], 3, 1 / 36), ([1, 2, 3], 4, 0.0417), ([1, 2, 3], 5, 0.0394),
        ([1.5, 1.5, 3], 5, 1 / 81), ([1, 2.5, 2.5], 6, 1 / 243), ([1, 2, 3, 4], 2, 1 / 24), ([1, 2, 3, 4], 3, 0.0330),
        ([1, 2.5, 2.5, 4], 4, 0.0492), ([1, 2, 3.5, 3.5, 5], 3, 0.0472),
    ],
)  # fmt: skip
def test_the_exact_friedman_never_exceeds_any_level(block: list[float], n: int, size: float) -> None:
    """Listing the tables gives the rates themselves: P(p <= q) = q at every q that p takes. `size`: that at 5 %."""
    found = [(friedman(table).p, w) for table, w in tables(block, n)]
    assert all(sum(w for p, w in found if p <= q * (1 + 1e-9)) == pytest.approx(q) for q, _ in found)
    assert sum(w for p, w in found if p <= ALPHA) == pytest.approx(size, abs=5e-5)


def test_chi_square_would_exceed_it_with_four_blocks() -> None:
    """Why few blocks have an exact p: chi-square calls 6.9 % of the tables of three alike methods significant."""
    counted = [(friedman(table), w) for table, w in tables([1, 2, 3], 4)]
    assert sum(w for f, w in counted if chi2.sf(f.chi_square, 2) <= ALPHA) == pytest.approx(0.0694, abs=5e-5)


@pytest.mark.parametrize(
    ("n", "k", "exact", "rate"),
    # The largest rate up to 5 % that the exact p can have, by its whole distribution; chi-square's of 100,000 tables.
    [(4, 3, True, 0.0417), (10, 4, True, 0.0471), (10, 10, False, 0.0422), (20, 12, False, 0.0465)],
)
@counted(150, 1_000)
def test_friedman_rejects_a_true_null_at_its_level(n: int, k: int, exact: bool, rate: float, many: int) -> None:
    found = [ranking(means).friedman for means in alike(n, k, many)]
    low, high = likely(rate, many)
    assert {f.exact for f in found} == {exact}
    assert low <= share([f.p <= ALPHA for f in found]) <= high


def test_friedman_with_ties_of_accuracies_keeps_its_level() -> None:
    """Means of two seeds that are each right on Binomial(IMAGES, 0.97) images: ties in most tables."""
    many, rng = 400, np.random.default_rng(0)
    found = [ranking(rng.binomial(2 * IMAGES, 0.97, (5, 4)) / IMAGES) for _ in range(many)]
    assert share([bool((made.ranks % 1 != 0).to_numpy().any()) for made in found]) > 0.8
    assert all(made.friedman.exact for made in found)
    assert share([made.friedman.p <= ALPHA for made in found]) <= likely(ALPHA, many)[1]


def erring(made: Ranking, methods: int) -> bool:
    """Whether Nemenyi's test tells any two of the first so many methods apart."""
    p = made.nemenyi.to_numpy()[:methods, :methods]
    return bool((p[np.triu_indices(methods, 1)] <= ALPHA).any())


@pytest.mark.parametrize(
    ("n", "k", "rate"),
    # Of 100,000 tables. The studentized range is an approximation: careful with few blocks, never far above 5 %.
    [(3, 4, 0.0069), (4, 3, 0.0416), (15, 3, 0.0554), (10, 4, 0.0532), (5, 5, 0.0382), (10, 10, 0.0435)],
)
@counted(200, 1_000)
def test_the_family_wise_error_of_nemenyi(n: int, k: int, rate: float, many: int) -> None:
    made = [ranking(means) for means in alike(n, k, many)]
    found = [erring(one, k) for one in made]
    low, high = likely(rate, many)
    assert low <= share(found) <= high
    # The critical difference is the same test.
    distance = made[0].critical_difference
    assert found == [bool(np.ptp(one.mean_ranks) > distance) for one in made]


def test_nemenyi_keeps_it_where_one_method_differs() -> None:
    """Five methods, the last far better: the four alike keep their error, and the fifth is told apart."""
    tables = alike(10, 5, 400)
    tables[:, :, -1] += 5
    made = [ranking(means) for means in tables]
    assert share([erring(one, 4) for one in made]) <= likely(ALPHA, len(made))[1]
    assert share([one.nemenyi.to_numpy()[:-1, -1].min() <= ALPHA for one in made]) > 0.99


def test_blocks_that_share_a_data_set_err_more_often_as_the_report_says() -> None:
    """Two data sets of four rates each: what favours a method on one favours it at all its rates."""
    many, rng = 400, np.random.default_rng(0)
    shared = np.repeat(rng.normal(size=(many, 2, 3)), 4, axis=1)
    found = [ranking(means).friedman.p <= ALPHA for means in shared + rng.normal(size=(many, 8, 3))]
    assert share(found) > 2 * ALPHA
