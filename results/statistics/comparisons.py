"""Comparisons: what the table says of the difference of two methods at a rate, tests corrected over their family."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from bench.results.frame.collect import DENSE
from bench.results.statistics import multiplicity, stats
from bench.results.statistics.cells import Cell

Test = Literal["t", "wilcoxon", "permutation"]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A method against the reference at one rate, over the seeds both have. Differences in units of the figure."""

    label: str
    reference: str
    rate: str
    seeds: tuple[int, ...]
    difference: float  # mean of method - reference
    sd: float  # of the differences, ddof 1
    interval: stats.Interval
    bootstrap: stats.Interval
    p: float
    decided_by: str  # Verdict.by
    d_z: float
    g: float  # d_z with Hedges' correction
    p_equivalence: float
    disconnected: int  # pairs in which no path of live weights leads from the input to the output
    family: int = 0  # m: the comparisons of the section that have a p-value
    p_holm: float = np.nan
    p_equivalence_holm: float = np.nan
    verdict: str = ""  # "higher" or "lower" where significant
    equivalent: bool = False

    @property
    def n(self) -> int:
        return len(self.seeds)


def compare(cell: Cell, reference: Cell, *, test: Test, margin: float | None) -> Comparison:
    """The paired comparison of two cells of one rate, before the correction for the family."""
    seeds = tuple(sorted(cell.values.keys() & reference.values.keys()))
    d = stats.differences([cell.values[s] for s in seeds], [reference.values[s] for s in seeds])
    verdict, d_z, found = stats.verdict(d, test), stats.effect(d), stats.summary(d)
    return Comparison(
        label=cell.label,
        reference=reference.label,
        rate=cell.rate,
        seeds=seeds,
        difference=found.mean,
        sd=found.sd,
        interval=stats.t_interval(d),
        bootstrap=stats.bootstrap_interval(d, np.random.default_rng(stats.SEED)),
        p=verdict.p,
        decided_by=verdict.by,
        d_z=d_z,
        g=d_z * stats.hedges(len(d) - 1),
        p_equivalence=np.nan if margin is None else stats.p_equivalence(d, margin),
        disconnected=len((cell.disconnected | reference.disconnected) & set(seeds)),
    )


def family(
    all_cells: Sequence[Cell], reference: str, *, test: Test, margin: float | None, alpha: float
) -> list[Comparison]:
    """Every method but the reference and dense, at every rate, against the reference (a label) at that rate.

    The family is the whole section: pass all its cells, whatever is to be shown. Holm's correction counts every one of
    them, testable or not; the equivalence tests are corrected likewise, as a family of their own.
    """
    base = {cell.rate: cell for cell in all_cells if cell.label == reference}
    others = [c for c in all_cells if c.label != reference and c.background != DENSE and c.rate in base]
    return family_of([(cell, base[cell.rate]) for cell in others], test=test, margin=margin, alpha=alpha)


def control_family(
    controlled: Sequence[Cell], plain: Sequence[Cell], *, test: Test, margin: float | None, alpha: float
) -> list[Comparison]:
    """Every control against its own method at its rate, where the store has that: one family for all of them."""
    base = {(_without_control(cell), cell.rate): cell for cell in plain}
    found = [(cell, base.get((_without_control(cell), cell.rate))) for cell in controlled]
    pairs = [(cell, own) for cell, own in found if own is not None]
    return family_of(pairs, test=test, margin=margin, alpha=alpha)


def _without_control(cell: Cell) -> str:
    """The record of the method that a control is about, as text."""
    record = {name: value for name, value in json.loads(cell.record).items() if name != "control"}
    return json.dumps(record, sort_keys=True, separators=(",", ":"))


def family_of(
    pairs: Sequence[tuple[Cell, Cell]], *, test: Test, margin: float | None, alpha: float
) -> list[Comparison]:
    """Cell against cell, tests and equivalence tests each corrected over all pairs."""
    raw = [compare(cell, reference, test=test, margin=margin) for cell, reference in pairs]
    adjusted = multiplicity.holm([c.p for c in raw])
    equivalence = multiplicity.holm([c.p_equivalence for c in raw])
    return [_judged(c, len(raw), p, e, alpha) for c, p, e in zip(raw, adjusted, equivalence, strict=True)]


def markable(c: Comparison, m: int, alpha: float) -> bool:
    """Whether its test could mark a comparison of so many pairs at all in a family of m; the t test always could."""
    return c.decided_by == "t" or multiplicity.reachable(c.n, m, alpha, stats.LEAST.get(c.decided_by, 0))


def _judged(c: Comparison, m: int, p_holm: float, p_equivalence_holm: float, alpha: float) -> Comparison:
    # Holm's later steps multiply by less than m; the rule for exact tests keeps to m, so that no mark hangs on them.
    significant = p_holm <= alpha and markable(c, m, alpha)
    verdict = ("higher" if c.difference > 0 else "lower") if significant else ""
    equivalent = p_equivalence_holm <= alpha
    return replace(
        c, family=m, p_holm=p_holm, p_equivalence_holm=p_equivalence_holm, verdict=verdict, equivalent=equivalent
    )
