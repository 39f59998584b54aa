"""Comparisons: what the table says of the difference of two methods at a rate, tests corrected over their family."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Literal, Protocol, TypeVar

import numpy as np

from bench.results.frame.margin import Margin, OfErrors
from bench.results.frame.method_record import AT_INITIALISATION, BASELINES, TO_BUDGET, MethodRecord
from bench.results.statistics import multiplicity, stats, two_way
from bench.results.statistics.cells import Cell, Key, in_doubt

BASELINE = "uniform-width"  # the criterion of the baseline of methods that end at a budget
Test = Literal["t", "wilcoxon", "permutation"]
Pair = tuple[Cell, Cell]  # the method's and the reference's, of one rate


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A method against a reference at one rate, over the seeds both have. Differences in units of the metric."""

    label: str
    reference: str
    rate: Decimal
    seeds: tuple[int, ...]
    difference: float  # mean of method - reference
    sd: float  # of the differences, ddof 1
    interval: stats.Interval
    bootstrap: stats.Interval
    two_way: stats.Interval  # over seeds and test images; none unless both sides have kept which they get right
    p: float
    decided_by: str  # Verdict.by
    d_z: float
    g: float  # d_z with Hedges' correction
    p_equivalence: float
    disconnected: int  # pairs in which no path of live weights leads from the input to the output
    conflicting: int  # pairs of which the store has results that disagree
    margin: float | None = None  # of equivalence, in units of the metric; of a share of the errors, its mean
    family: int = 0  # m: the comparisons that are corrected together
    p_holm: float = np.nan
    p_equivalence_holm: float = np.nan
    verdict: str = ""  # "higher" or "lower" if significant
    equivalent: bool = False
    judged: bool = True  # False: there is no level at which it could have a verdict

    @property
    def n(self) -> int:
        return len(self.seeds)

    @property
    def sides(self) -> tuple[Key, Key]:
        """The cells of the method and of the reference."""
        return (self.label, self.rate), (self.reference, self.rate)

    @property
    def turned(self) -> Comparison:
        """The same comparison of the reference against the method."""
        return replace(
            self,
            label=self.reference,
            reference=self.label,
            difference=-self.difference,
            interval=self.interval.negative,
            bootstrap=self.bootstrap.negative,
            two_way=self.two_way.negative,
            d_z=-self.d_z,
            g=-self.g,
            verdict={"higher": "lower", "lower": "higher"}.get(self.verdict, ""),
        )


@dataclass(frozen=True, kw_only=True)
class Rules:
    """How comparisons are judged."""

    test: Test = "t"
    margin: Margin | None = None  # of equivalence; None = not judged
    alpha: float = 0.05
    judges: bool = True  # False: no comparison has a verdict, whatever its p


def compare(cell: Cell, reference: Cell, *, test: Test, margin: Margin | None) -> Comparison:
    """The paired comparison of two cells of one rate, before the correction for the family."""
    seeds = tuple(sorted(cell.values.keys() & reference.values.keys()))
    references = [reference.values[s] for s in seeds]
    d = stats.differences([cell.values[s] for s in seeds], references)
    within = tuple(margin.share * (1 - value) for value in references) if isinstance(margin, OfErrors) else margin
    return Comparison(
        label=cell.label,
        reference=reference.label,
        rate=cell.rate,
        seeds=seeds,
        disconnected=len((cell.disconnected | reference.disconnected) & set(seeds)),
        conflicting=in_doubt(cell, reference),
        two_way=two_way.of_difference(cell, reference, seeds),
        margin=stats.summary(within).mean if isinstance(within, tuple) else within,
        **_figures(tuple(d.tolist()), test, within),
    )


@lru_cache(maxsize=4096)  # a page compares the same cells several times: for its answer, its tables and its plots
def _figures(differences: tuple[float, ...], test: Test, margin: float | tuple[float, ...] | None) -> Mapping[str, Any]:
    """The fields of a comparison that follow from the differences and the margin, or margins of each pair, alone."""
    d = np.array(differences, dtype=np.float64)
    verdict, d_z, summary = stats.verdict(d, test), stats.effect(d), stats.summary(d)
    return MappingProxyType(
        {
            "difference": summary.mean,
            "sd": summary.sd,
            "interval": stats.t_interval(d),
            "bootstrap": stats.bootstrap_interval(d, np.random.default_rng(stats.SEED)),
            "p": verdict.p,
            "decided_by": verdict.by,
            "d_z": d_z,
            "g": d_z * stats.hedges(len(d) - 1),
            "p_equivalence": _p_equivalence(d, margin),
        }
    )


def _p_equivalence(d: stats.Vector, margin: float | tuple[float, ...] | None) -> float:
    if margin is None:
        return np.nan
    if isinstance(margin, tuple):
        return stats.p_equivalence_within(d, np.array(margin, dtype=np.float64))
    return stats.p_equivalence(d, margin)


def reference_pairs(all_cells: Sequence[Cell], reference: str) -> list[Pair]:
    """Every method at initialisation but the reference and dense, at every rate, with the reference (a label) at that
    rate: one of these, or a baseline.
    """
    of_reference = [cell for cell in all_cells if cell.label == reference]
    references = {cell.rate: cell for cell in of_reference if cell.record.group in (AT_INITIALISATION, BASELINES)}
    methods = [cell for cell in all_cells if cell.record.at_initialisation]
    others = [c for c in methods if c.label != reference and c.rated and c.rate in references]
    return [(cell, references[cell.rate]) for cell in others]


class Selecting(Protocol):
    """A method at a rate, trained or to be trained."""

    @property
    def record(self) -> MethodRecord: ...
    @property
    def background(self) -> str: ...
    @property
    def rate(self) -> Decimal: ...


OfMethod = TypeVar("OfMethod", bound=Selecting)


def freeze_prune_pairs(
    all_cells: Sequence[OfMethod], *, group: str = AT_INITIALISATION
) -> list[tuple[OfMethod, OfMethod]]:
    """Every frozen method with the pruned one that chooses in the same way, at every rate; of one group of methods."""
    all_cells = [cell for cell in all_cells if cell.record.group == group]
    pruned = {(cell.record.selection, cell.rate): cell for cell in all_cells if cell.background == "prune"}
    frozen = [cell for cell in all_cells if cell.background == "freeze"]
    pairs = [(cell, pruned.get((cell.record.selection, cell.rate))) for cell in frozen]
    return [(cell, other) for cell, other in pairs if other is not None]


def baseline_pairs(all_cells: Sequence[Cell]) -> list[Pair]:
    """Every method that ends at a budget with the network of uniform width of that budget, at every rate."""
    cells = [cell for cell in all_cells if cell.record.group == TO_BUDGET]
    baselines = {(_budget(cell), cell.rate): cell for cell in cells if is_baseline(cell)}
    others = [cell for cell in cells if not is_baseline(cell) and (_budget(cell), cell.rate) in baselines]
    return [(cell, baselines[_budget(cell), cell.rate]) for cell in others]


def is_baseline(cell: Cell) -> bool:
    """Whether it is the baseline of methods that end at a budget."""
    return cell.record.fields.get("criterion") == BASELINE


def _budget(cell: Cell) -> tuple[Any, ...]:
    """What the budget is besides the rate, and of which channels."""
    return tuple(cell.record.fields.get(name) for name in ("macs", "stream", "least"))


def control_pairs(controlled: Sequence[Cell], plain: Sequence[Cell]) -> list[Pair]:
    """Every control with its own method at its rate, if the store has that."""
    methods = {(cell.record.text, cell.rate): cell for cell in plain}
    pairs = [(cell, methods.get((cell.record.uncontrolled, cell.rate))) for cell in controlled]
    return [(cell, method) for cell, method in pairs if method is not None]


def family_of(pairs: Sequence[Pair], rules: Rules, *, absent: int = 0) -> list[Comparison]:
    """Cell against cell, tests and equivalence tests each corrected by Holm over all pairs, testable or not.

    Pass every pair of the family, whatever is to be shown; `absent` more belong to it and have no trial.
    """
    raw = [compare(cell, reference, test=rules.test, margin=rules.margin) for cell, reference in pairs]
    untested, m = [np.nan] * absent, len(raw) + absent
    adjusted = multiplicity.holm([*(c.p for c in raw), *untested])
    equivalence = multiplicity.holm([*(c.p_equivalence for c in raw), *untested])
    return [_judged(c, m, p, e, rules) for c, p, e in zip(raw, adjusted, equivalence, strict=False)]


def markable(c: Comparison, m: int, alpha: float) -> bool:
    """Whether its test could mark a comparison of so many pairs at all in a family of m; the t test always could."""
    return c.decided_by == "t" or multiplicity.reachable(c.n, m, alpha, stats.LEAST.get(c.decided_by, 0))


def _judged(c: Comparison, m: int, p_holm: float, p_equivalence_holm: float, rules: Rules) -> Comparison:
    # Holm's later steps multiply by less than m; the rule for exact tests keeps to m, so that no mark hangs on them.
    significant = rules.judges and p_holm <= rules.alpha and markable(c, m, rules.alpha)
    verdict = ("higher" if c.difference > 0 else "lower") if significant else ""
    return replace(
        c,
        family=m,
        p_holm=p_holm,
        p_equivalence_holm=p_equivalence_holm,
        verdict=verdict,
        equivalent=rules.judges and p_equivalence_holm <= rules.alpha,
        judged=rules.judges,
    )
