"""Friedman's test (1937) that the methods are alike, exact if there are few blocks.

Under the null every order of a block's ranks is as likely as any other, whatever the other blocks. All orders of the
very ranks seen therefore give the distribution of the rank sums, and so of the statistic; ties keep it exact.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]
Sums = NDArray[np.int32]  # twice the rank sums, as mean ranks are halves

LARGEST = 2_000_000  # a second's work; beyond it the chi-square approximation


@dataclass(frozen=True, kw_only=True)
class Friedman:
    """The statistic, corrected for ties, its p, and whether that is exact or of chi-square with k - 1 df."""

    chi_square: float
    p: float
    exact: bool


def friedman(ranks: Floats) -> Friedman:
    """Friedman's test of ranks [blocks >= 2, methods >= 3], ties by their mean rank.

    Chi-square 0 and p 1 if all methods tie in every block.
    """
    if bool(np.all(ranks == ranks[:, :1])):
        return Friedman(chi_square=0.0, p=1.0, exact=True)
    asymptotic, p = stats.friedmanchisquare(*ranks.T), exact_p(ranks)
    chi_square, rough = float(asymptotic.statistic), float(asymptotic.pvalue)
    return Friedman(chi_square=chi_square, p=rough if p is None else p, exact=p is not None)


def exact_p(ranks: Floats) -> float | None:
    """P(sum of squared rank sums >= the one seen): at given ties Friedman's statistic rises with it.

    By convolution over the blocks. Which method has which sum does not matter to what follows, so a state is the rank
    sums in rising order. None if that takes more than LARGEST pairs of a state and an order.
    """
    doubled = np.rint(2 * ranks).astype(np.int32)
    observed = _squares(doubled.sum(axis=0))
    first, *between, last = sorted((sorted(row) for row in doubled.tolist()), key=orders)
    states, weights, pairs = np.array([first], dtype=np.int32), np.ones(1), 0
    for block in between:
        pairs += len(states) * orders(block)
        if pairs > LARGEST:
            return None
        states, weights = _merged(np.sort(_with(states, block), axis=2), weights)
    if pairs + len(states) * orders(last) > LARGEST:
        return None
    extreme = _squares(_with(states, last)) >= observed
    return float(min(1.0, weights @ extreme.mean(axis=1)))


def orders(block: list[int]) -> int:
    """In how many orders a block's ranks can be: k! over the factorials of the sizes of its ties."""
    return math.factorial(len(block)) // math.prod(math.factorial(block.count(rank)) for rank in set(block))


def _with(states: Sums, block: list[int]) -> Sums:
    """Each state [states, k] after one more block in each of its orders: [states, orders, k]."""
    every = sorted(set(itertools.permutations(block)))
    return states[:, None] + np.array(every, dtype=np.int32)


def _merged(states: Sums, weights: Floats) -> tuple[Sums, Floats]:
    """The different states of [states, orders, k], and the probability of each."""
    _, count, k = states.shape
    # As one opaque item a row, which numpy sorts five times as fast as rows of numbers.
    rows, inverse = np.unique(states.reshape(-1, k).view(np.dtype((np.void, 4 * k))).ravel(), return_inverse=True)
    merged = np.zeros(len(rows))
    np.add.at(merged, inverse, np.repeat(weights / count, count))
    return rows.view(np.int32).reshape(-1, k), merged


def _squares(sums: Sums) -> NDArray[np.int64]:
    total: NDArray[np.int64] = np.square(sums, dtype=np.int64).sum(axis=-1)
    return total
