"""The section of the ranks: what was ranked and left out, the tests, and what they cannot show."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from bench.messages import counted
from bench.results.frame.errors import metric_of
from bench.results.frame.words import p_value
from bench.results.statistics.ranks import Ranking
from bench.results.tables.formats import Block, Bullets, Grid, Heading, Paragraph

FEW = 10  # blocks; below, the chi-square of Friedman's test is rough (Demšar 2006, section 3.2.2)


def section(ranking: Ranking) -> list[Block]:
    """The blocks of the report on the ranks."""
    return [
        Heading("Across data sets, networks and rates"),
        _grid(ranking),
        Paragraph(" ".join([both_tests(ranking), *limits(ranking)])),
        Bullets(
            [f"Ranked: {'; '.join(ranking.means.index)}.", f"Left out: {'; '.join(ranking.left_out) or 'nothing'}."]
        ),
    ]


def _grid(ranking: Ranking) -> Grid:
    ranks, p = ranking.mean_ranks, ranking.nemenyi.to_dict()
    n, k = ranking.means.shape
    caption = (
        f"{metric_of(ranking.metric).caption}: mean rank, 1 = best, of the {k} methods shown over {n} blocks, and the "
        "p of Nemenyi's test of each pair, adjusted for all pairs. A block is one rate of a data set and network at "
        "which every method shown has every seed; methods are ranked in it by their mean over the seeds, equal means "
        "share their rank."
    )
    rows = [
        [label, f"{ranks[label]:.2f}", *("" if label == other else p_value(p[label][other]) for other in ranking.means)]
        for label in ranks.index
    ]
    return Grid(caption, ["method", "mean rank", *ranking.means], rows, "Mean ranks")


def both_tests(ranking: Ranking) -> str:
    """Both tests in a sentence each."""
    k, p = len(ranking.means.columns), ranking.friedman.p
    few = (
        f" So few blocks cannot show a difference: ranks alike in every block give p = {p_value(ranking.least_p)}."
        if ranking.least_p > ranking.alpha
        else ""
    )
    none = (
        f" Friedman's p is above {ranking.alpha:g}: no two methods are told apart, whatever the pairs say."
        if p > ranking.alpha
        else ""
    )
    return (
        f"Friedman's test that all {k} methods are alike: {_friedman(ranking)}.{few}{none} Mean ranks further apart "
        f"than the critical difference CD = {ranking.critical_difference:.2f} differ at {ranking.alpha:g} by Nemenyi's "
        "test."
    )


def _friedman(ranking: Ranking) -> str:
    """The statistic, p, and which distribution that is of."""
    (n, k), friedman = ranking.means.shape, ranking.friedman
    said = f"chi-square = {friedman.chi_square:.2f}"
    p = f"p {'' if friedman.p < 0.001 else '= '}{p_value(friedman.p)}"
    if friedman.exact:
        return f"{said}, exact {p} over all orders of the ranks within each block, ties as seen"
    rough = f", a rough approximation with {n} blocks" if n < FEW else ""
    return f"{said}, {p} by the chi-square distribution with {k - 1} degrees of freedom{rough}"


def limits(ranking: Ranking) -> list[str]:
    """What was left out, and what the tests take for granted."""
    n, sets = len(ranking.means), len(set(ranking.titles.values()))
    missing = len(ranking.left_out)
    said = f"{counted(missing, 'block')} left out because a method or a seed is missing." if missing else ""
    shared = (
        f"The {n} blocks come from {counted(sets, 'data set')}: blocks that share one are not independent, so "
        "the tests err more often than their level."
        if sets < n
        else ""
    )
    rest = "Ranks depend on which methods are shown, and say nothing of how far apart the figures are."
    planned = f"Not planned: plan {', '.join(ranking.plans)} names freeze − prune only." if ranking.plans else ""
    return [sentence for sentence in (said, shared, planned, rest) if sentence]


def record(ranking: Ranking) -> dict[str, Any]:
    """The ranking as numbers at full precision."""
    return {
        "metric": ranking.metric,
        "alpha": ranking.alpha,
        "blocks": [
            {"block": block, "dataset": ranking.titles[str(block)], "means": dict(ranking.means.loc[block])}
            for block in ranking.means.index
        ],
        "left_out": list(ranking.left_out),
        "mean_ranks": dict(ranking.mean_ranks),
        "friedman": asdict(ranking.friedman),
        "nemenyi": {str(label): dict(row) for label, row in ranking.nemenyi.iterrows()},
        "critical_difference": ranking.critical_difference,
        **({"planned": False} if ranking.plans else {}),
    }
