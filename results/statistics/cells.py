"""Cells: what the table says of a method at a rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np
import pandas as pd

from bench import metrics, names
from bench.results.frame.collect import BIASES, DENSE
from bench.results.frame.errors import metric_of
from bench.results.frame.method_record import MethodRecord, method_record
from bench.results.frame.sections import Section
from bench.results.statistics import stats

Key = tuple[str, Decimal]  # label and rate: what tells the cells of a section apart


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One method at one rate: every seed of it."""

    label: str  # the method's name, unique in the section
    method: str
    record: MethodRecord
    background: str  # "freeze", "prune", "dense" or "biases"
    rate: Decimal
    sweeps: frozenset[str]
    values: Mapping[int, float]  # seed -> figure, of the done trials that have it; seeds rising
    lost: Mapping[int, tuple[str, str]]  # seed -> (names.DIVERGED, names.FAILED or "no figure", reason)
    missing: tuple[int, ...]  # seeds that other cells of the section have, and this one lacks
    collapsed: frozenset[int]  # seeds with a layer that has no live weight
    disconnected: frozenset[int]  # seeds without a path of live weights from the input to the output; see _disconnected
    counts: Mapping[str, tuple[float, float]]  # name -> (least, largest) over the seeds
    inits: Mapping[int, str]  # seed -> SHA-256 of the initial weights
    start: str  # in words, as its section has it
    needed: bool  # whether its trials are in the store only because others need them

    @property
    def key(self) -> Key:
        return self.label, self.rate

    @property
    def rated(self) -> bool:
        """Whether it is a method that has rates; the dense baseline and biases alone have one each, 0 and 1."""
        return self.background not in (DENSE, BIASES)

    @property
    def realised(self) -> tuple[float, float] | None:
        """The least and largest rate over the seeds, counted, if they are not the rate asked for: of whole filters."""
        if self.record.fields.get("scope") != "filter" or names.LIVE_WEIGHTS not in self.counts:
            return None
        (low, high), weights = self.counts[names.LIVE_WEIGHTS], int(self.counts[names.MASKABLE_WEIGHTS][0])
        fills = low == high and abs(Decimal(low) - (1 - self.rate) * weights) <= Decimal("0.5")  # none is nearer
        return None if fills else (1 - high / weights, 1 - low / weights)

    @property
    def density(self) -> float:
        """The share of the weights that is trained; of whole filters, counted."""
        return float(1 - self.rate) if self.realised is None else 1 - sum(self.realised) / 2

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

    def seeds_lost(self, outcome: str) -> list[int]:
        return [seed for seed, (why, _) in self.lost.items() if why == outcome]


def cells(section: Section, metric: str) -> list[Cell]:
    """The cells of a section, ordered by label and rate. Raises ValueError for a metric that is none of the store's."""
    metric_of(metric)
    groups = section.frame.groupby("group_key", sort=False)
    return sorted((_cell(group.sort_values("seed"), metric, section) for _, group in groups), key=lambda cell: cell.key)


def _cell(group: pd.DataFrame, metric: str, section: Section) -> Cell:
    first = group.iloc[0]
    good = (group["outcome"] == names.DONE) & np.isfinite(group[metric])
    bad = zip(*(group.loc[~good, name] for name in ("seed", "outcome", "reason")), strict=True)
    lost = {int(seed): _loss(outcome, reason, metric) for seed, outcome, reason in bad}
    known = group[[*metrics.counts(), *metrics.sizes()]]
    counts = {
        str(name): (float(low), float(high)) for name, low, high in zip(known, known.min(), known.max(), strict=True)
    }
    return Cell(
        label=first["label"],
        method=first["method"],
        record=method_record(first["spec.method"]),
        background=first["background"],
        rate=Decimal(first["rate"]),
        sweeps=frozenset(s for sweeps in group["sweeps"] for s in sweeps),
        values={int(s): float(v) for s, v in zip(group["seed"][good], group[metric][good], strict=True)},
        lost=lost,
        missing=tuple(int(s) for s in sorted(set(section.seeds) - set(group["seed"]))),
        collapsed=frozenset(int(s) for s in group["seed"][group[names.COLLAPSED_LAYERS] > 0]),
        disconnected=frozenset(int(s) for s in group["seed"][_disconnected(group)]),
        counts={name: pair for name, pair in counts.items() if np.isfinite(pair[0])},
        inits={int(s): str(i) for s, i in zip(group["seed"], group["init_sha256"], strict=True) if i},
        start=section.start,
        needed=section.needed,
    )


def _disconnected(group: pd.DataFrame) -> pd.Series[bool]:
    """Whether no live weight is on a path from input to output: a pruned network then answers every image alike.

    A layer without a live weight does it, unless a shortcut leads around it. If paths were not counted, by older
    versions, such a layer decides.
    """
    lost, live = group[names.DISCONNECTED], group[names.LIVE_WEIGHTS]
    return (lost == live) | (lost.isna() & (group[names.COLLAPSED_LAYERS] > 0))


def _loss(outcome: str, reason: str, metric: str) -> tuple[str, str]:
    return ("no figure", f"{metric} was not recorded") if outcome == names.DONE else (outcome, reason)


def diverged_as(all_cells: Sequence[Cell], value: float) -> list[Cell]:
    """The cells with every diverged seed counted as `value`, for instance the accuracy of chance."""
    return [_with_diverged(cell, value) for cell in all_cells]


def _with_diverged(cell: Cell, value: float) -> Cell:
    values = {**cell.values, **dict.fromkeys(cell.seeds_lost(names.DIVERGED), value)}
    lost = {seed: why for seed, why in cell.lost.items() if why[0] != names.DIVERGED}
    return replace(cell, values=dict(sorted(values.items())), lost=lost)


def connected(all_cells: Sequence[Cell]) -> list[Cell]:
    """The cells without the seeds whose pruned network is disconnected; a frozen one never is."""
    return [_with_paths(cell) if cell.background == "prune" else cell for cell in all_cells]


def _with_paths(cell: Cell) -> Cell:
    return replace(cell, values={s: v for s, v in cell.values.items() if s not in cell.disconnected})


def percent_of_dense(cell: Cell, dense: Cell) -> tuple[stats.Summary, stats.Interval]:
    """100 · figure/figure of dense, seed by seed, over the seeds both have; with the t interval of the mean."""
    shares = [100 * cell.values[s] / dense.values[s] for s in cell.values if dense.values.get(s)]
    return stats.summary(shares), stats.t_interval(np.array(shares))


def twin(all_cells: Sequence[Cell], reference: str) -> str | None:
    """The label that differs from the reference's in its background only."""
    selections = {cell.label: cell.record.selection for cell in all_cells if cell.rated}
    return next((label for label, s in selections.items() if label != reference and s == selections[reference]), None)


def compared_rates(all_cells: Sequence[Cell]) -> list[Decimal]:
    """The rates of the methods at initialisation, rising; of all, without one. The levels of a lottery ticket, at rates
    of their own, would else be most of a table.
    """
    rated = [cell for cell in all_cells if cell.background != DENSE]
    shown = [cell for cell in rated if cell.record.at_initialisation] or rated
    return sorted({cell.rate for cell in shown})
