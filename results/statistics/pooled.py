"""Freeze − prune pooled over criteria, at a rate: the mean over the pairs of a section, with intervals.

The criteria are those of the section and no sample of others. A mixed model with seed and image crossed
(statsmodels' MixedLM) would need a matrix with a row for every seed and image; with as many images at every seed its
estimate is this mean, and its variance components are those of `two_way_interval`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from bench.results.statistics import stats, two_way
from bench.results.statistics.cells import Cell, Key
from bench.results.statistics.comparisons import Comparison


@dataclass(frozen=True, kw_only=True)
class Pooled:
    """The mean over criteria of freeze − prune, in units of the metric, over the seeds that all of these have."""

    rate: Decimal
    pairs: tuple[Comparison, ...]  # of the criteria; none unless two or more have a seed in common
    left_out: tuple[Comparison, ...]  # those that share no seed with these
    seeds: tuple[int, ...]
    difference: float
    interval: stats.Interval  # over seeds alone
    two_way: stats.Interval  # over seeds and test images; none unless all trials have kept which they get right


def pooled(comparisons: Sequence[Comparison], cells: Mapping[Key, Cell]) -> list[Pooled]:
    """The pooled difference of every rate at which there are several pairs, rates rising.

    Args: comparisons: freeze − prune, of one section. cells: those of both sides.
    """
    rates = sorted({c.rate for c in comparisons})
    by_rate = [[c for c in comparisons if c.rate == rate] for rate in rates]
    return [_pooled(pairs, cells) for pairs in by_rate if len(pairs) > 1]


def _pooled(comparisons: Sequence[Comparison], cells: Mapping[Key, Cell]) -> Pooled:
    together, seeds = poolable(comparisons)
    pairs = [(cells[c.sides[0]], cells[c.sides[1]]) for c in together]
    differences = [[frozen.values[s] - pruned.values[s] for frozen, pruned in pairs] for s in seeds]
    means = np.round([np.mean(of_seed) for of_seed in differences], stats.DECIMALS)
    return Pooled(
        rate=comparisons[0].rate,
        pairs=together,
        left_out=tuple(c for c in comparisons if c not in together),
        seeds=seeds,
        difference=stats.summary(means).mean,
        interval=stats.t_interval(means),
        two_way=two_way.of_mean_difference(pairs, seeds),
    )


def poolable(comparisons: Sequence[Comparison]) -> tuple[tuple[Comparison, ...], tuple[int, ...]]:
    """The most pairs that have a seed in common, and all seeds that they share; nothing unless they are two or more.

    Of several such sets the one that shares most seeds, then the one of the smallest seed: no figure decides.
    """
    best: tuple[tuple[Comparison, ...], tuple[int, ...]] = (), ()
    for seed in sorted({seed for c in comparisons for seed in c.seeds}):
        having = tuple(c for c in comparisons if seed in c.seeds)
        shared = tuple(sorted(set.intersection(*(set(c.seeds) for c in having))))
        if len(having) > 1 and (len(having), len(shared)) > (len(best[0]), len(best[1])):
            best = having, shared
    return best
