"""The machine-readable forms at full precision: the cells as CSV; cells, comparisons and words as JSON.

What JSON holds is written down in `schema/table-1.json`, and a test holds every output against it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from bench import names
from bench.results.frame.margin import OfErrors
from bench.results.frame.method_record import CHANGING, TRAINED_FIRST
from bench.results.frame.sections import searched
from bench.results.statistics.analysis import CHANCE, CONNECTED, TRAINED, Analysis
from bench.results.statistics.cell_values import CELL, CONFLICTING, TWO_WAY, named, values_of
from bench.results.statistics.cells import Cell
from bench.results.statistics.comparisons import Comparison
from bench.results.tables import columns
from bench.results.tables.apart import trained_first
from bench.results.tables.apart.group import comparisons, group_cells
from bench.results.tables.exclusions import exclusions, warnings
from bench.results.tables.images import pooled_table
from bench.results.tables.planned.plan_record import plan_columns, plan_field
from bench.results.tables.start.bases import unshown
from bench.results.tables.start.records import START, names_starts, of_section, start_field
from bench.results.tables.tuned import chosen

SCHEMA = "freeze-or-prune/table/1"  # raised if what is there is renamed, removed or means something else
FREEZE_MINUS_PRUNE = "freeze - prune"  # the record of a comparison of the primary family
SECTION, OF_CELL = ("record", "dataset", "model", "differs"), ("method", "label", "rate", "background")


def csv(analyses: Sequence[Analysis]) -> str:
    """One row per cell, control cells after the others if they are shown; seeds as space-separated lists."""
    rows = []
    for analysis in analyses:
        section = analysis.section
        title = {"dataset": section.dataset, "model": section.model, "differs": json.dumps(dict(section.differs))}
        title |= {**start_field(analysis, analyses), **plan_columns(analysis, analyses)}
        controls = _control_cells(analysis) if analysis.view.controls else []
        for record in (*_cells(analysis), *controls):
            rows.append({**title, **{name: _flat(value) for name, value in record.items()}})
    start = [START] if names_starts(analyses) else []
    doubts = [CONFLICTING] if any(CONFLICTING in row for row in rows) else []
    two_way = [name for name in TWO_WAY if any(name in row for row in rows)]
    plan = list(plan_columns(analyses[0], analyses)) if analyses else []
    names_of = [*SECTION, *start, *plan, *OF_CELL, *CELL, *two_way, *doubts]
    frame = pd.DataFrame(rows, columns=names_of, dtype=object)
    return str(frame.to_csv(index=False, lineterminator="\n"))


def as_json(analyses: Sequence[Analysis], ranks: Mapping[str, Any] | None = None) -> str:
    """One object per section with its fields, cells, comparisons and their sensitivities; a missing number is null.

    `ranks`, if given, is the record of the ranking across the sections.
    """
    sections = [
        {**_section(analysis), **start_field(analysis, analyses), **plan_field(analysis)}
        for analysis in analyses
        if analysis.shown
    ]
    settings = {}
    if analyses:
        view = next((analysis for analysis in analyses if not analysis.plan), analyses[0]).view  # a plan has its own
        settings = {name: getattr(view, name) for name in ("reference", "test", "margin", "alpha", "metric")}
        if isinstance(view.margin, OfErrors):
            settings |= {"margin": None, columns.MARGIN_OF_ERRORS: view.margin.share}
    needed = [_needed(analysis) for analysis in unshown(analyses)]
    across = {**({"needed_first": needed} if needed else {}), **({"ranks": dict(ranks)} if ranks else {})}
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
        **_pooled(analysis),
        "comparisons": _secondary(analysis),
        **_trained_first(analysis),
        **_changing(analysis),
        **of_section(analysis),
        **({"controls": _controls(analysis)} if analysis.view.controls else {}),
        "comparisons_diverged_as_chance": _shown(analysis, secondary.get(CHANCE, []), False),
        "comparisons_connected_seeds_only": _shown(analysis, secondary[CONNECTED], False),
        "comparisons_trained_seeds_only": _shown(analysis, secondary.get(TRAINED, []), False),
        "exclusions": exclusions(analysis),
        "warnings": warnings(analysis),
    }


def _needed(analysis: Analysis) -> dict[str, Any]:
    """What is in the store only because others need it."""
    section = analysis.section
    cells = [_cell(analysis, cell, "needed cell") for cell in analysis.cells]
    return {"dataset": section.dataset, "model": section.model, "fields": dict(section.fields), START: section.start,
            "cells": cells}  # fmt: skip


def _trained_first(analysis: Analysis) -> dict[str, Any]:
    """Of the methods that are not at initialisation: what they cost, and their own family."""
    later = group_cells(analysis, TRAINED_FIRST)
    if not later:
        return {}
    ends = ("training_epochs_least", "training_epochs_most")
    costs = [{**named(cell), **dict(zip(ends, trained_first.epochs(analysis, cell), strict=True))} for cell in later]
    pairs = [_comparison(analysis, c, FREEZE_MINUS_PRUNE) for c in comparisons(analysis, TRAINED_FIRST)]
    return {"training_epochs": costs, "freeze_minus_prune_not_at_initialisation": pairs}


def _changing(analysis: Analysis) -> dict[str, Any]:
    """Of the methods whose masks change while training: what training them costs, and their own family."""
    shown = group_cells(analysis, CHANGING)
    if not shown:
        return {}
    costs = [{**named(cell), **_of_training(cell)} for cell in shown]
    pairs = [_comparison(analysis, c, FREEZE_MINUS_PRUNE) for c in comparisons(analysis, CHANGING)]
    return {"changing_masks": costs, "freeze_minus_prune_changing_masks": pairs}


def _of_training(cell: Cell) -> dict[str, float | None]:
    """The least and the largest over the seeds of what a training costs."""
    ends = {name: cell.counts.get(name, (None, None)) for name in (names.MEAN_LIVE_WEIGHTS, names.TRAINING_MACS)}
    return {f"{name}_{end}": pair[place] for name, pair in ends.items() for place, end in enumerate(("least", "most"))}


def _shown(analysis: Analysis, comparisons: Sequence[Comparison], primary: bool) -> list[dict[str, Any]]:
    """The records of those comparisons of a variant that are shown of the family itself."""
    shown = {c.sides for c in (analysis.shown_primary if primary else analysis.shown_secondary)}
    record = FREEZE_MINUS_PRUNE if primary else "comparison"
    return [_comparison(analysis, c, record) for c in comparisons if c.sides in shown]


def _pooled(analysis: Analysis) -> dict[str, Any]:
    """Freeze − prune pooled over criteria, if trials have kept which test images they get right."""
    records = pooled_table.records(analysis)
    return {"freeze_minus_prune_pooled": records} if records else {}


def _tuned(analysis: Analysis) -> list[dict[str, Any]]:
    return [{**named(cell), "values": values} for cell, values in chosen(analysis)]


def _cells(analysis: Analysis) -> list[dict[str, Any]]:
    return [_cell(analysis, cell, "cell") for cell in analysis.shown]


def _cell(analysis: Analysis, cell: Cell, record: str) -> dict[str, Any]:
    return {"record": record, **named(cell), **values_of(analysis, cell, CELL)}


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
    return {"record": record, **named(analysis.by_key[c.sides[0]]), **columns.values(analysis, c)}


def _flat(value: Any) -> Any:
    return " ".join(map(str, value)) if isinstance(value, list) else value


def finite(value: Any) -> Any:
    """The value with every NaN and infinity replaced by None: JSON has neither."""
    if isinstance(value, dict):
        return {name: finite(v) for name, v in value.items()}
    if isinstance(value, list | tuple):
        return [finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
