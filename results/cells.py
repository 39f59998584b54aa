"""Cells and comparisons: what the table says of a method at a rate, and of its difference to the reference."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from bench import names
from results import multiplicity, stats
from results.choices import check_metric
from results.collect import DENSE
from results.sections import Section

Test = Literal["t", "wilcoxon", "permutation"]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One method at one rate: every seed of it. `rate` is the decimal text, `record` the method's canonical JSON."""

    label: str  # the method's name, unique in the section
    method: str
    record: str
    background: str  # "freeze", "prune" or "dense"
    rate: str
    sweeps: frozenset[str]
    values: Mapping[int, float]  # seed -> figure, of the done trials that have it; seeds rising
    lost: Mapping[int, tuple[str, str]]  # seed -> (names.DIVERGED, names.FAILED or "no figure", reason)
    missing: tuple[int, ...]  # seeds that other cells of the section have, and this one has not
    collapsed: frozenset[int]  # seeds with a layer that has no live weight
    counts: Mapping[str, tuple[float, float]]  # a name of names.COUNTS, names.BYTES -> (least, largest) over the seeds
    inits: Mapping[int, str]  # seed -> SHA-256 of the initial weights

    @property
    def summary(self) -> stats.Summary:
        return stats.summary(list(self.values.values()))

    @property
    def complete(self) -> bool:
        """Whether it has a figure at every seed of the section: a mean over fewer is no match for one over all."""
        return bool(self.values) and not (self.lost or self.missing)

    @property
    def seeds_known(self) -> int:
        """The number of seeds whose mask is known."""
        return len(self.inits)

    def seeds_lost(self, kind: str) -> list[int]:
        return [seed for seed, (why, _) in self.lost.items() if why == kind]


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
    collapsed: int  # pairs in which a network has a layer without a live weight
    family: int = 0  # m: the comparisons of the section that have a p-value
    p_holm: float = np.nan
    p_equivalence_holm: float = np.nan
    verdict: str = ""  # "higher" or "lower" where significant
    equivalent: bool = False

    @property
    def n(self) -> int:
        return len(self.seeds)


def cells(section: Section, metric: str) -> list[Cell]:
    """The cells of a section, ordered by label and rate. Raises ValueError for a metric that is none of the store's."""
    check_metric(metric)
    seeds = sorted(set(section.frame["seed"]))
    groups = section.frame.groupby("group_key", sort=False)
    made = [_cell(group.sort_values("seed"), metric, seeds) for _, group in groups]
    return sorted(made, key=lambda cell: (cell.label, float(cell.rate)))


def _cell(group: pd.DataFrame, metric: str, seeds: Sequence[int]) -> Cell:
    first = group.iloc[0]
    good = (group["outcome"] == names.DONE) & np.isfinite(group[metric])
    bad = zip(*(group.loc[~good, name] for name in ("seed", "outcome", "reason")), strict=True)
    lost = {int(seed): _loss(outcome, reason, metric) for seed, outcome, reason in bad}
    known = group[[*names.COUNTS, *names.BYTES]]
    counts = {
        str(name): (float(low), float(high)) for name, low, high in zip(known, known.min(), known.max(), strict=True)
    }
    return Cell(
        label=first["label"],
        method=first["method"],
        record=first["spec.method"],
        background=first["background"],
        rate=first["rate"],
        sweeps=frozenset(s for sweeps in group["sweeps"] for s in sweeps),
        values={int(s): float(v) for s, v in zip(group["seed"][good], group[metric][good], strict=True)},
        lost=lost,
        missing=tuple(int(s) for s in sorted(set(seeds) - set(group["seed"]))),
        collapsed=frozenset(int(s) for s in group["seed"][group[names.COLLAPSED_LAYERS] > 0]),
        counts={name: pair for name, pair in counts.items() if np.isfinite(pair[0])},
        inits={int(s): str(i) for s, i in zip(group["seed"], group["init_sha256"], strict=True) if i},
    )


def _loss(outcome: str, reason: str, metric: str) -> tuple[str, str]:
    return ("no figure", f"{metric} was not recorded") if outcome == names.DONE else (outcome, reason)


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
        collapsed=len((cell.collapsed | reference.collapsed) & set(seeds)),
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


def control_of(record: str) -> str:
    """The sanity control in the text of a method's record; "none" where there is none."""
    return str(json.loads(record).get("control", "none"))


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


def _judged(c: Comparison, m: int, p_holm: float, p_equivalence_holm: float, alpha: float) -> Comparison:
    # Holm's later steps multiply by less than m; the rule for exact tests keeps to m, so that no mark hangs on them.
    allowed = c.decided_by == "t" or multiplicity.reachable(c.n, m, alpha)
    significant = p_holm <= alpha and allowed
    verdict = ("higher" if c.difference > 0 else "lower") if significant else ""
    equivalent = p_equivalence_holm <= alpha
    return replace(
        c, family=m, p_holm=p_holm, p_equivalence_holm=p_equivalence_holm, verdict=verdict, equivalent=equivalent
    )


def diverged_as(all_cells: Sequence[Cell], value: float) -> list[Cell]:
    """The cells with every diverged seed counted as `value`, for instance the accuracy of chance."""
    return [_with_diverged(cell, value) for cell in all_cells]


def _with_diverged(cell: Cell, value: float) -> Cell:
    values = {**cell.values, **dict.fromkeys(cell.seeds_lost(names.DIVERGED), value)}
    lost = {seed: why for seed, why in cell.lost.items() if why[0] != names.DIVERGED}
    return replace(cell, values=dict(sorted(values.items())), lost=lost)


def without_collapsed(all_cells: Sequence[Cell]) -> list[Cell]:
    """The cells without the seeds whose pruned network lost a layer: it is disconnected, a frozen one is not."""
    return [_connected(cell) if cell.background == "prune" else cell for cell in all_cells]


def _connected(cell: Cell) -> Cell:
    return replace(cell, values={s: v for s, v in cell.values.items() if s not in cell.collapsed})


def percent_of_dense(cell: Cell, dense: Cell) -> tuple[stats.Summary, stats.Interval]:
    """100 · figure/figure of dense, seed by seed, over the seeds both have; with the t interval of the mean."""
    shares = [100 * cell.values[s] / dense.values[s] for s in cell.values if dense.values.get(s)]
    return stats.summary(shares), stats.t_interval(np.array(shares))


def twin(all_cells: Sequence[Cell], reference: str) -> str | None:
    """The label that differs from the reference's in its background only: the freeze or prune question itself."""
    records = {cell.label: json.loads(cell.record) for cell in all_cells if cell.background != DENSE}
    own = selection(records.get(reference, {}))
    return next((label for label, r in records.items() if label != reference and selection(r) == own), None)


def selection_text(record: str) -> str:
    """How the method with that canonical JSON chooses its live weights, as JSON: the same of a freezing and a pruning
    one that choose alike."""
    return json.dumps(selection(json.loads(record)), sort_keys=True)


def selection(record: Mapping[str, object]) -> dict[str, object]:
    """How a method chooses its live weights: its record without the background."""
    return {name: value for name, value in record.items() if name != "background"}
