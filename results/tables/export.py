"""The machine-readable forms at full precision: the cells as CSV; cells, comparisons and words as JSON.

What JSON holds is written down in `schema/table-1.json`, and a test holds every output against it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd

from bench import metrics, names
from bench.results.frame.collect import BIASES, DENSE
from bench.results.frame.sections import searched
from bench.results.frame.words import rate_text
from bench.results.statistics import stats
from bench.results.statistics.analysis import CHANCE, CONNECTED, TRAINED, Analysis
from bench.results.statistics.cells import Cell, percent_of_dense
from bench.results.statistics.comparisons import Comparison
from bench.results.tables import columns
from bench.results.tables.exclusions import exclusions, warnings
from bench.results.tables.tuned import chosen

SCHEMA = "freeze-or-prune/table/1"  # raised if what is there is renamed, removed or means something else
FREEZE_MINUS_PRUNE = "freeze - prune"  # the record of a comparison of the primary family
Share = tuple[stats.Summary, stats.Interval]
PLACE = ("record", "dataset", "model", "differs", "method", "label", "rate", "background")
NO_SHARE = stats.Summary(mean=math.nan, sd=math.nan, n=0), stats.NO_INTERVAL
COUNTS = (
    names.LIVE_WEIGHTS, names.STORED_PARAMETERS, names.COMPRESSION, *metrics.sizes(), names.FORWARD_MACS,
    names.BACKWARD_MACS,
)  # fmt: skip


def _has_share(analysis: Analysis, cell: Cell) -> bool:
    return analysis.dense is not None and cell.background != DENSE


def _share(analysis: Analysis, cell: Cell) -> Share:
    """Percent of dense; without a number for dense itself."""
    dense = analysis.dense
    return NO_SHARE if dense is None or cell.background == DENSE else percent_of_dense(cell, dense)


def _middle(name: str, analysis: Analysis, cell: Cell) -> float:
    """Half-way between the least and the largest over the seeds."""
    return sum(cell.counts[name]) / 2 if name in cell.counts else math.nan


# Name -> the value of a cell.
CELL: dict[str, Callable[[Analysis, Cell], Any]] = {
    "metric": lambda analysis, cell: analysis.view.metric,
    "mean": lambda analysis, cell: cell.summary.mean,
    "sd": lambda analysis, cell: cell.summary.sd,
    "n": lambda analysis, cell: cell.summary.n,
    "diverged": lambda analysis, cell: cell.seeds_lost(names.DIVERGED),
    "failed": lambda analysis, cell: cell.seeds_lost(names.FAILED),
    "no_figure": lambda analysis, cell: cell.seeds_lost("no figure"),
    "missing": lambda analysis, cell: list(cell.missing),
    "collapsed": lambda analysis, cell: sorted(cell.collapsed),
    "disconnected": lambda analysis, cell: sorted(cell.disconnected),
    "percent_of_dense": lambda analysis, cell: _share(analysis, cell)[0].mean,
    "percent_of_dense_low": lambda analysis, cell: _share(analysis, cell)[1].low,
    "percent_of_dense_high": lambda analysis, cell: _share(analysis, cell)[1].high,
    "percent_of_dense_n": lambda analysis, cell: _share(analysis, cell)[0].n if _has_share(analysis, cell) else None,
    **{name: partial(_middle, name) for name in COUNTS},
}


def csv(analyses: Sequence[Analysis]) -> str:
    """One row per cell, control cells after the others if they are shown; seeds as space-separated lists."""
    rows = []
    for analysis in analyses:
        section = analysis.section
        title = {"dataset": section.dataset, "model": section.model, "differs": json.dumps(dict(section.differs))}
        controls = _control_cells(analysis) if analysis.view.controls else []
        for record in (*_cells(analysis), *controls):
            rows.append({**title, **{name: _flat(value) for name, value in record.items()}})
    frame = pd.DataFrame(rows, columns=[*PLACE, *CELL], dtype=object)
    return str(frame.to_csv(index=False, lineterminator="\n"))


def as_json(analyses: Sequence[Analysis], ranks: Mapping[str, Any] | None = None) -> str:
    """One object per section with its fields, cells, comparisons and their sensitivities; a missing number is null.

    `ranks`, if given, is the record of the ranking across the sections.
    """
    sections = [_section(analysis) for analysis in analyses if analysis.shown]
    settings = {}
    if analyses:
        view = analyses[0].view
        settings = {name: getattr(view, name) for name in ("reference", "test", "margin", "alpha", "metric")}
    across = {"ranks": dict(ranks)} if ranks else {}
    whole = finite({"schema": SCHEMA, **settings, "sections": sections, **across})
    return f"{json.dumps(whole, indent=1, allow_nan=False, ensure_ascii=False)}\n"


def _section(analysis: Analysis) -> dict[str, Any]:
    primary, secondary = analysis.primary.variants, analysis.secondary.variants
    return {
        "dataset": analysis.section.dataset,
        "model": analysis.section.model,
        "fields": dict(analysis.section.fields),
        "differs": dict(analysis.section.differs),
        "reference": analysis.reference,
        "twin_of_reference": analysis.twin,
        **({"tuned": _tuned(analysis)} if searched(analysis.section.fields) else {}),
        "cells": _cells(analysis),
        "freeze_minus_prune": _primary(analysis),
        **{f"freeze_minus_prune_{name}": _shown(analysis, variant, True) for name, variant in primary.items()},
        "comparisons": _secondary(analysis),
        **({"controls": _controls(analysis)} if analysis.view.controls else {}),
        "comparisons_diverged_as_chance": _shown(analysis, secondary.get(CHANCE, []), False),
        "comparisons_connected_seeds_only": _shown(analysis, secondary[CONNECTED], False),
        "comparisons_trained_seeds_only": _shown(analysis, secondary.get(TRAINED, []), False),
        "exclusions": exclusions(analysis),
        "warnings": warnings(analysis),
    }


def _shown(analysis: Analysis, comparisons: Sequence[Comparison], primary: bool) -> list[dict[str, Any]]:
    """The records of those comparisons of a variant that are shown of the family itself."""
    shown = {c.sides for c in (analysis.shown_primary if primary else analysis.shown_secondary)}
    record = FREEZE_MINUS_PRUNE if primary else "comparison"
    return [_comparison(analysis, c, record) for c in comparisons if c.sides in shown]


def _tuned(analysis: Analysis) -> list[dict[str, Any]]:
    return [{**_method(cell), "values": values} for cell, values in chosen(analysis)]


def _cells(analysis: Analysis) -> list[dict[str, Any]]:
    return [_cell(analysis, cell, "cell") for cell in analysis.shown]


def _cell(analysis: Analysis, cell: Cell, record: str) -> dict[str, Any]:
    return {"record": record, **_method(cell), **{name: value(analysis, cell) for name, value in CELL.items()}}


def _primary(analysis: Analysis) -> list[dict[str, Any]]:
    return [_comparison(analysis, c, FREEZE_MINUS_PRUNE) for c in analysis.shown_primary]


def _secondary(analysis: Analysis) -> list[dict[str, Any]]:
    return [_comparison(analysis, c, "comparison") for c in analysis.shown_secondary]


def _controls(analysis: Analysis) -> list[dict[str, Any]]:
    """Each control against its method, and the control's cell before it."""
    return [*_control_cells(analysis), *(_comparison(analysis, c, "control") for c in analysis.shown_controls)]


def _control_cells(analysis: Analysis) -> list[dict[str, Any]]:
    shown = {c.sides[0] for c in analysis.shown_controls}
    return [_cell(analysis, cell, "control cell") for cell in analysis.controlled if cell.key in shown]


def _comparison(analysis: Analysis, c: Comparison, record: str) -> dict[str, Any]:
    return {"record": record, **_method(analysis.by_key[c.sides[0]]), **columns.values(analysis, c)}


def held(cell: Cell) -> str:
    """What the weights that are not trained hold; of biases alone, which are at rate 1, their initial values."""
    return "freeze" if cell.background == BIASES else cell.background


def _method(cell: Cell) -> dict[str, str]:
    return {
        "method": cell.method,
        "label": cell.label,
        "rate": rate_text(cell.rate),
        "background": held(cell),
    }


def _flat(value: Any) -> Any:
    return " ".join(map(str, value)) if isinstance(value, list) else value


def finite(value: Any) -> Any:
    """The value with every NaN and infinity replaced by None: JSON has neither."""
    if isinstance(value, dict):
        return {name: finite(v) for name, v in value.items()}
    if isinstance(value, list | tuple):
        return [finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
