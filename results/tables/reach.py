"""What a number of pairs allows to conclude in a family: what the test can mark, and what no mark means."""

from __future__ import annotations

from collections.abc import Sequence

from bench.messages import counted
from bench.results.statistics import multiplicity, stats
from bench.results.statistics.analysis import Analysis
from bench.results.statistics.comparisons import Comparison
from bench.results.tables.marks import NOT_JUDGED

FEW = 10  # pairs; below, a t test cannot check that they are normal, and a bootstrap interval covers far too little


def what_n_shows(analysis: Analysis, comparisons: Sequence[Comparison], family: str) -> str:
    """The family, the reach of the test, what no mark means."""
    untested = sum(c.n < 2 for c in comparisons)
    left_out = f" {untested} of them have fewer than two pairs and cannot be tested, but count." if untested else ""
    counts = pair_counts(comparisons)
    if not counts:
        return f"{family}{left_out} Without two pairs nothing can be tested."
    return (
        f"{family}{left_out} {reach(analysis, comparisons)} {_bootstrap(counts)}An entry without a mark is no evidence "
        "of equality: read its interval and the equivalence."
    )


def pair_counts(comparisons: Sequence[Comparison]) -> list[int]:
    """The numbers of pairs of the comparisons that can be tested, rising."""
    return sorted({c.n for c in comparisons if c.n > 1})


def reach(analysis: Analysis, comparisons: Sequence[Comparison]) -> str:
    """What the test can mark in a family, of which a comparison can be tested."""
    if not comparisons[0].judged:
        return f"Nothing is judged: {NOT_JUDGED}."
    m, alpha, test = comparisons[0].family, analysis.view.alpha, analysis.view.test
    counts = pair_counts(comparisons)
    return _t_reach(counts, m, alpha) if test == "t" else _exact_reach(counts[-1], m, alpha, test)


def _bootstrap(counts: list[int]) -> str:
    few = "With so few pairs the bootstrap interval covers less than its nominal 95 %; prefer the t interval. "
    return few if counts[0] < FEW else ""


def _t_reach(counts: list[int], m: int, alpha: float) -> str:
    least, largest = counts[0], counts[-1]
    needed = multiplicity.smallest_effect(largest, m, alpha)
    spread = f"{least}" if least == largest else f"{least} to {largest}"
    effect = f"the largest of {m} effects" if m > 1 else "the one effect"
    return (
        f"The t-test takes the differences as roughly normal, which {spread} pairs can hardly check; with n = "
        f"{largest} {effect} is marked only if its mean difference exceeds {needed:.2f} standard deviations of the "
        "differences."
    )


def _exact_reach(n: int, m: int, alpha: float, test: str) -> str:
    least, family = stats.LEAST.get(test, 0), counted(m, "comparison")
    needed = multiplicity.pairs_needed(m, alpha, least)
    if needed is None:
        return f"This test cannot go below p = {least:.2g}: of {family} at {alpha:g} no entry can be marked."
    verdict = "is enough" if n >= needed else "is too few: no entry can be marked, whatever its difference"
    return (
        f"An exact test of n pairs cannot go below p = 2^(1−n); {family} at {alpha:g} {'need' if m > 1 else 'needs'} "
        f"n ≥ {needed}, and n = {n} {verdict}."
    )
