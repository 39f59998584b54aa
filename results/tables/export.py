"""The machine-readable forms: cells and comparisons at full precision, as CSV and JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from bench import names
from bench.results.frame.collect import DENSE
from bench.results.frame.sections import searched
from bench.results.statistics import stats
from bench.results.statistics.analysis import Analysis
from bench.results.statistics.cells import Cell, percent_of_dense
from bench.results.statistics.comparisons import Comparison
from bench.results.tables.section_page import exclusions, warnings
from bench.results.tables.tuned import chosen

IDENTITY = ("record", "dataset", "model", "differs", "method", "label", "rate", "background")
CELL = (
    "metric", "mean", "sd", "n", "diverged", "failed", "no_figure", "missing", "collapsed", "disconnected",
    "percent_of_dense", "percent_of_dense_low", "percent_of_dense_high", "percent_of_dense_n", "live_weights",
    "stored_parameters",
    "compression", "stored_bytes", "mask_bytes", "value_bytes", "compression_bytes", "forward_macs", "backward_macs",
)  # fmt: skip
COMPARISON = (
    "reference", "pairs", "difference", "low", "high", "bootstrap_low", "bootstrap_high", "test", "p", "p_holm",
    "family", "d_z", "hedges_d_z", "margin", "p_equivalence", "p_equivalence_holm", "verdict", "equivalent",
    "disconnected_pairs",
)  # fmt: skip


def csv(analyses: Sequence[Analysis]) -> str:
    """One row per cell and per comparison, told apart by the column `record`; seeds as space-separated lists."""
    rows = []
    for a in analyses:
        place = {"dataset": a.section.dataset, "model": a.section.model, "differs": json.dumps(dict(a.section.differs))}
        for record in (*_cells(a), *_comparisons(a), *(_controls(a) if a.view.controls else ())):
            rows.append({**place, **{name: _flat(value) for name, value in record.items()}})
    frame = pd.DataFrame(rows, columns=[*IDENTITY, *CELL, *COMPARISON], dtype=object)
    return str(frame.to_csv(index=False, lineterminator="\n"))


def as_json(analyses: Sequence[Analysis], ranks: Mapping[str, Any] | None = None) -> str:
    """One object per section with its fields, cells, comparisons and both sensitivities; a missing number is null.

    `ranks`, where given, is the record of the ranking across the sections.
    """
    made = [_section(a) for a in analyses if a.shown]
    settings = {}
    if analyses:
        view = asdict(analyses[0].view)
        settings = {name: view[name] for name in ("reference", "test", "margin", "alpha", "metric")}
    across = {"ranks": dict(ranks)} if ranks else {}
    text = json.dumps(finite({**settings, "sections": made, **across}), indent=1, allow_nan=False, ensure_ascii=False)
    return f"{text}\n"


def _section(a: Analysis) -> dict[str, Any]:
    return {
        "dataset": a.section.dataset,
        "model": a.section.model,
        "fields": dict(a.section.fields),
        "differs": dict(a.section.differs),
        "reference": a.reference,
        "twin_of_reference": a.twin,
        **({"tuned": _tuned(a)} if searched(a.section.fields) else {}),
        "cells": _cells(a),
        "comparisons": _comparisons(a),
        **({"controls": _controls(a)} if a.view.controls else {}),
        "comparisons_diverged_as_chance": [_comparison(a, c) for c in _shown(a, a.chance)],
        "comparisons_connected_seeds_only": [_comparison(a, c) for c in _shown(a, a.connected)],
        "exclusions": exclusions(a),
        "warnings": warnings(a),
    }


def _tuned(a: Analysis) -> list[dict[str, Any]]:
    return [{**_named(*place), "values": values} for place, values in chosen(a)]


def _shown(a: Analysis, several: Sequence[Comparison]) -> list[Comparison]:
    keys = {(c.label, c.rate) for c in a.shown_comparisons}
    return [c for c in several if (c.label, c.rate) in keys]


def _cells(a: Analysis) -> list[dict[str, Any]]:
    return [_cell(a, cell) for cell in a.shown]


def _cell(a: Analysis, cell: Cell) -> dict[str, Any]:
    of_dense = percent_of_dense(cell, a.dense) if a.dense and cell.background != DENSE else None
    share, interval = of_dense or (None, stats.NO_INTERVAL)
    columns = (
        names.LIVE_WEIGHTS, names.STORED_PARAMETERS, names.COMPRESSION, *names.BYTES, names.FORWARD_MACS,
        names.BACKWARD_MACS,
    )  # fmt: skip
    return {
        "record": "cell",
        **_named(cell.method, cell.label, cell.rate, cell.background),
        "metric": a.view.metric,
        **asdict(cell.summary),
        "diverged": cell.seeds_lost(names.DIVERGED),
        "failed": cell.seeds_lost(names.FAILED),
        "no_figure": cell.seeds_lost("no figure"),
        "missing": list(cell.missing),
        "collapsed": sorted(cell.collapsed),
        "disconnected": sorted(cell.disconnected),
        "percent_of_dense": share.mean if share else math.nan,
        "percent_of_dense_low": interval.low,
        "percent_of_dense_high": interval.high,
        "percent_of_dense_n": share.n if share else None,
        **{name: _mean(cell, name) for name in columns},
    }


def _mean(cell: Cell, name: str) -> float:
    return sum(cell.counts[name]) / 2 if name in cell.counts else math.nan


def _comparisons(a: Analysis) -> list[dict[str, Any]]:
    return [_comparison(a, c) for c in a.shown_comparisons]


def _controls(a: Analysis) -> list[dict[str, Any]]:
    """Each control against its method, and the control's cell before it."""
    shown = {(c.label, c.rate) for c in a.shown_controls}
    cells = [cell for cell in a.controlled if (cell.label, cell.rate) in shown]
    compared = [{**_comparison(a, c), "record": "control"} for c in a.shown_controls]
    return [*({**_cell(a, cell), "record": "control cell"} for cell in cells), *compared]


def _comparison(a: Analysis, c: Comparison) -> dict[str, Any]:
    cell = next(cell for cell in (*a.cells, *a.controlled) if (cell.label, cell.rate) == (c.label, c.rate))
    return {
        "record": "comparison",
        **_named(cell.method, c.label, c.rate, cell.background),
        "reference": c.reference,
        "pairs": list(c.seeds),
        "difference": c.difference,
        "low": c.interval.low,
        "high": c.interval.high,
        "bootstrap_low": c.bootstrap.low,
        "bootstrap_high": c.bootstrap.high,
        "test": c.decided_by,
        "p": c.p,
        "p_holm": c.p_holm,
        "family": c.family,
        "d_z": c.d_z,
        "hedges_d_z": c.g,
        "margin": a.view.margin,
        "p_equivalence": c.p_equivalence,
        "p_equivalence_holm": c.p_equivalence_holm,
        "verdict": c.verdict,
        "equivalent": c.equivalent,
        "disconnected_pairs": c.disconnected,
    }


def _named(method: str, label: str, rate: str, background: str) -> dict[str, Any]:
    return {"method": method, "label": label, "rate": rate, "background": background}


def _flat(value: Any) -> Any:
    return " ".join(map(str, value)) if isinstance(value, list) else value


def finite(value: Any) -> Any:
    """The value with every NaN and infinity replaced by None: JSON has neither."""
    if isinstance(value, dict):
        return {name: finite(v) for name, v in value.items()}
    if isinstance(value, list | tuple):
        return [finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
