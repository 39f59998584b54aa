"""Cells: what the table says of a method at a rate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import metrics, names
from bench.results.frame.collect import BIASES, DENSE
from bench.results.frame.errors import metric_of
from bench.results.frame.method_record import BASELINES, MethodRecord, method_record
from bench.results.frame.sections import Section
from bench.results.statistics import stats

Key = tuple[str, Decimal]  # label and rate: what tells the cells of a section apart
# Of the frame, what a cell is made of beside its figure.
COLUMNS = (
    "seed", "conflict", "outcome", "reason", "label", "method", "spec.method", "background", "rate", "sweeps",
    "group_key", "init_sha256", "test_right", names.COLLAPSED_LAYERS, names.DISCONNECTED, names.LIVE_WEIGHTS,
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One method at one rate: every seed of it."""

    label: str  # the method's name, unique in the section
    method: str
    record: MethodRecord
    background: str  # "freeze", "prune", "dense", "biases", any other scale, as "0.25", or of one that fades "1 to 0"
    rate: Decimal
    sweeps: frozenset[str]
    values: Mapping[int, float]  # seed -> figure, of the done trials that have it; seeds rising
    lost: Mapping[int, tuple[str, str]]  # seed -> (names.DIVERGED, names.FAILED or "no figure", reason)
    missing: tuple[int, ...]  # seeds that other cells of the section have, and this one lacks
    collapsed: frozenset[int]  # seeds with a layer that has no live weight
    disconnected: frozenset[int]  # seeds without a path of live weights from the input to the output; see _disconnected
    conflicting: Mapping[int, str]  # seed -> what of it the store has results of that disagree
    counts: Mapping[str, tuple[float, float]]  # name -> (least, largest) over the seeds
    inits: Mapping[int, str]  # seed -> SHA-256 of the initial weights
    start: str  # in words, as its section has it
    needed: bool  # whether its trials are in the store only because others need them
    right: Mapping[int, str] = field(default_factory=dict)  # seed -> bench.test_right, if these images give its figure
    group_key: str = ""  # what its trials share; two methods may have one label in two sections

    @property
    def key(self) -> Key:
        return self.label, self.rate

    @property
    def rated(self) -> bool:
        """Whether it is a method that has rates; the dense baseline and biases alone have one each, 0 and 1."""
        return self.background not in (DENSE, BIASES)

    @property
    def ends_pruned(self) -> bool:
        """Whether the dead weights of the stored network are 0."""
        return self.rated and self.record.costs_as == "prune"

    @property
    def realised(self) -> tuple[float, float] | None:
        """The least and largest rate over the seeds, counted, if they are not the rate asked for: of whole filters; and
        of whole channels, whose rate is that of all parameters.
        """
        if self.record.group == BASELINES:  # by its rule it stores no more than the rate does
            return None
        if self.record.fields.get("closes_channels") and names.STORED_PARAMETERS in self.counts:
            (low, high), total = self.counts[names.STORED_PARAMETERS], self.counts[names.TOTAL_PARAMETERS][0]
            return 1 - high / total, 1 - low / total
        if self.record.fields.get("scope") != "filter" or names.LIVE_WEIGHTS not in self.counts:
            return None
        (low, high), weights = self.counts[names.LIVE_WEIGHTS], int(self.counts[names.MASKABLE_WEIGHTS][0])
        fills = low == high and abs(Decimal(low) - (1 - self.rate) * weights) <= Decimal("0.5")  # none is nearer
        return None if fills else (1 - high / weights, 1 - low / weights)

    @property
    def units(self) -> str:
        """What it chooses whole, if that seldom fills the rate: "filters", "channels" or ""."""
        if self.realised is None:
            return ""
        return "channels" if self.record.fields.get("closes_channels") else "filters"

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
    ordered = section.frame.sort_values("seed", kind="stable")
    columns = {name: ordered[name].to_numpy() for name in (*COLUMNS, metric)}
    names_of = [*metrics.counts(), *metrics.sizes(), names.MEAN_LIVE_WEIGHTS, names.TRAINING_MACS]
    values = ordered[names_of].to_numpy(np.float64)
    of_cells = [
        _cell(
            {name: column[rows] for name, column in columns.items()}, metric, section, _ranges(names_of, values[rows])
        )
        for rows in ordered.groupby("group_key", sort=False).indices.values()
    ]
    return sorted(of_cells, key=lambda cell: cell.key)


def _ranges(names_of: Sequence[str], values: stats.Vector) -> dict[str, tuple[float, float]]:
    """Name -> (least, largest) of the figures [trials, names] that a trial has."""
    ends = zip(names_of, np.fmin.reduce(values).tolist(), np.fmax.reduce(values).tolist(), strict=True)
    return {name: (low, high) for name, low, high in ends if np.isfinite(low)}


def _cell(
    trials: Mapping[str, NDArray[Any]], metric: str, section: Section, counts: Mapping[str, tuple[float, float]]
) -> Cell:
    """The cell of these trials: column -> its values, a trial each, seeds rising."""
    own_seeds, figures = trials["seed"].tolist(), trials[metric].tolist()
    outcomes = list(zip(own_seeds, trials["outcome"], trials["reason"], figures, strict=True))
    collapsed = trials[names.COLLAPSED_LAYERS] > 0
    return Cell(
        label=trials["label"][0],
        method=trials["method"][0],
        record=method_record(trials["spec.method"][0]),
        background=trials["background"][0],
        rate=Decimal(trials["rate"][0]),
        sweeps=frozenset(s for sweeps in trials["sweeps"] for s in sweeps),
        values={seed: value for seed, outcome, _, value in outcomes if _good(outcome, value)},
        lost={seed: _loss(outcome, why, metric) for seed, outcome, why, value in outcomes if not _good(outcome, value)},
        missing=tuple(int(s) for s in sorted(set(section.seeds) - set(own_seeds))),
        collapsed=frozenset(trials["seed"][collapsed].tolist()),
        disconnected=frozenset(trials["seed"][_disconnected(trials, collapsed)].tolist()),
        conflicting={seed: words for seed, words in zip(own_seeds, trials["conflict"], strict=True) if words},
        counts=counts,
        inits={seed: str(init) for seed, init in zip(own_seeds, trials["init_sha256"], strict=True) if init},
        start=section.start,
        needed=section.needed,
        right=_right(trials) if metric == names.TEST_ACCURACY else {},
        group_key=trials["group_key"][0],
    )


def _right(trials: Mapping[str, NDArray[Any]]) -> dict[int, str]:
    """Seed -> which test images it gets right, of the trials that have kept it."""
    texts = zip(trials["seed"].tolist(), trials["test_right"], strict=True)
    return {seed: text for seed, text in texts if text}


def _good(outcome: str, value: float) -> bool:
    return outcome == names.DONE and isfinite(value)


def _disconnected(trials: Mapping[str, NDArray[Any]], collapsed: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether no live weight is on a path from input to output: a pruned network then answers every image alike.

    A layer without a live weight does it, unless a shortcut leads around it. If paths were not counted, by older
    versions, such a layer decides.
    """
    lost, live = trials[names.DISCONNECTED], trials[names.LIVE_WEIGHTS]
    return np.asarray((lost == live) | (np.isnan(lost) & collapsed))


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
    return [_with_paths(cell) if cell.ends_pruned else cell for cell in all_cells]


def _with_paths(cell: Cell) -> Cell:
    return replace(cell, values={s: v for s, v in cell.values.items() if s not in cell.disconnected})


def percent_of_dense(cell: Cell, dense: Cell) -> tuple[stats.Summary, stats.Interval]:
    """100 · figure/figure of dense, seed by seed, over the seeds both have; with the t interval of the mean."""
    shares = [100 * cell.values[s] / dense.values[s] for s in cell.values if dense.values.get(s)]
    return stats.summary(shares), stats.t_interval(np.array(shares))


def in_doubt(cell: Cell, other: Cell) -> int:
    """The number of seeds with a figure in both cells of which the store has results that disagree."""
    return len((cell.conflicting.keys() | other.conflicting.keys()) & cell.values.keys() & other.values.keys())


def whole_units(all_cells: Iterable[Cell]) -> str:
    """What methods choose whole that seldom fill their rates: "whole filters"; "" if they choose weights."""
    units = sorted({cell.units for cell in all_cells} - {""}, reverse=True)
    return f"whole {' and '.join(units)}" if units else ""


def twin(all_cells: Sequence[Cell], reference: str) -> str | None:
    """The label that differs from the reference's in its background only; the other of freeze and prune."""
    selections = {c.label: c.record.selection for c in all_cells if c.rated and not c.record.is_scaled}
    chosen = selections.get(reference)
    return next((label for label, s in selections.items() if label != reference and s == chosen), None)


def beside_each_other(all_cells: Sequence[Cell]) -> list[Cell]:
    """The cells with a rate that one table may hold: those of the methods at initialisation, or, without one, of the
    only group there is; none if there are several, which are in no comparison.
    """
    rated = [cell for cell in all_cells if cell.rated]
    at_initialisation = [cell for cell in rated if cell.record.at_initialisation]
    return at_initialisation or (rated if len({cell.record.group for cell in rated}) == 1 else [])


def compared_rates(all_cells: Sequence[Cell]) -> list[Decimal]:
    """The rates of the methods at initialisation, rising; of all, without one. The levels of a lottery ticket, at rates
    of their own, would else be most of a table.
    """
    rated = [cell for cell in all_cells if cell.rated]
    shown = [cell for cell in rated if cell.record.at_initialisation] or rated
    return sorted({cell.rate for cell in shown})
