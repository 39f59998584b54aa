"""A part as records at full precision, for CSV and JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from bench.results.parts.parts import Part
from bench.results.statistics.analysis import Analysis
from bench.results.statistics.cell_values import named, values_of
from bench.results.statistics.cells import Cell
from bench.results.tables import columns
from bench.results.tables.export import finite
from bench.results.tables.formats import Bold, Bullets, Grid
from bench.results.tables.planned.plan_record import plan_columns, plan_field
from bench.results.tables.start.records import START, start_field

SCHEMA = "freeze-or-prune/part/1"


def csv(analyses: Sequence[Analysis], part: Part) -> str:
    """One row per record; a list, as of seeds, is space-separated."""
    rows = [
        {**_section(analysis, part, analyses), **planned, **record}
        for analysis in analyses
        for planned in [plan_columns(analysis, analyses) if part.is_look else {}]
        for record in _records(analysis, part)
    ]
    flat = [{name: _flat(value) for name, value in row.items()} for row in rows]
    return str(pd.DataFrame(flat, dtype=object).to_csv(index=False, lineterminator="\n"))


def as_json(analyses: Sequence[Analysis], part: Part, name: str) -> str:
    """The part's name, and one object per section with its records; a missing number is null."""
    sections = [
        {**_section(analysis, part, analyses), **_planned(analysis, part), "records": records}
        for analysis in analyses
        if (records := _records(analysis, part))
    ]
    whole = finite({"schema": SCHEMA, "part": name, "sections": sections})
    return f"{json.dumps(whole, indent=1, allow_nan=False, ensure_ascii=False)}\n"


def _section(analysis: Analysis, part: Part, analyses: Sequence[Analysis]) -> dict[str, Any]:
    """The start is said in each record of a part that is across them."""
    section = analysis.section
    differs = {n: v for n, v in section.differs.items() if not (part.across_starts and n == START)}
    start = {} if part.across_starts else start_field(analysis, analyses)
    return {"dataset": section.dataset, "model": section.model, "differs": differs, **start}


def _planned(analysis: Analysis, part: Part) -> dict[str, Any]:
    """The plan of a section, of a part that shows how trials ended."""
    return plan_field(analysis) if part.is_look else {}


def _records(analysis: Analysis, part: Part) -> list[dict[str, Any]]:
    if part.cells:
        return [_cell(analysis, cell, part.values) for cell in part.cells(analysis)]
    if part.records:
        return part.records(analysis)
    if part.comparisons:
        return [
            {**named(analysis.by_key[c.sides[0]]), **columns.values(analysis, c)} for c in part.comparisons(analysis)
        ]
    blocks = list(part.blocks(analysis))
    rows = [_row(block, row) for block in blocks if isinstance(block, Grid) for row in block.rows]
    return rows or [{"line": item} for block in blocks if isinstance(block, Bullets) for item in block.items]


def _cell(analysis: Analysis, cell: Cell, values: Sequence[str]) -> dict[str, Any]:
    return {**named(cell), **values_of(analysis, cell, values)}


def _row(grid: Grid, row: Sequence[Any]) -> dict[str, str]:
    """A row of a table of text, header -> entry."""
    entries = (f"{entry.text}{entry.after}" if isinstance(entry, Bold) else entry for entry in row)
    return dict(zip(grid.headers, entries, strict=True))


def _flat(value: Any) -> Any:
    if isinstance(value, Mapping):
        return json.dumps(value, sort_keys=True)
    if isinstance(value, float) and math.isnan(value):
        return None
    return " ".join(map(str, value)) if isinstance(value, list) else value
