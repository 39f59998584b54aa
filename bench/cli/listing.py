"""What `list` prints: methods, models and data sets as rows. No torch."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bench.cli.presets import PRESETS
from bench.cli.presets import rows as fields_of_presets
from bench.datasets import DATASETS, KINDS, ArraySource, DatasetRow, TreeSource
from bench.datasets.subset.chosen_classes import FORM
from bench.messages import visible
from bench.methods import Method
from bench.models import MODELS, ModelRow
from bench.trial.plugins import Catalogue, installed
from bench.trial.start import start_words

if TYPE_CHECKING:
    import pandas as pd

CLASSES = 10
CHOSEN = "some classes of one of these, with labels from 0 on, as cifar10:classes=0-4"
Rows = list[dict[str, Any]]


def methods(plugins: Sequence[str]) -> Rows:
    """One row per name; an installed plug-in is named, not imported."""
    catalogue = Catalogue(plugins)
    return [_method(catalogue, name, row) for name, row in catalogue.rows.items()]


def _method(catalogue: Catalogue, name: str, row: Any) -> dict[str, Any]:
    if not isinstance(row, Method):
        return {
            "name": name,
            "criterion": "",
            "scope": "",
            "background": "",
            "fields": "",
            "note": f"plug-in {row.value}",
        }
    canonical = catalogue.name_of(row, name)
    record = row.record()
    summary = " ".join((type(row).__doc__ or "").split("\n\n")[0].split()) if type(row) is not Method else ""
    return {
        "name": name,
        "criterion": record["criterion"],
        "scope": row.scope,
        "background": record["background"],
        "fields": " ".join(f"{k}={v}" for k, v in row.parameters().items()),
        "note": summary if canonical == name else f"alias of {canonical}",
    }


def models(plugins: Sequence[str]) -> Rows:
    """One row per model, with its parameters for ten classes; an installed plug-in is named, not imported."""
    Catalogue(plugins)
    offered = ({"name": n, "image": "", "note": f"plug-in {origin}"} for n, origin in installed("MODELS").items())
    rows = [_model(name, row) for name, row in MODELS.items()]
    return [*rows, *({**dict.fromkeys(rows[0], ""), **row} for row in offered if row["name"] not in MODELS)]


def _model(name: str, row: ModelRow) -> dict[str, Any]:
    shape = row.image_shape
    return {
        "name": name,
        "image": f"{'x'.join(map(str, shape))}{' and larger' if row.larger else ''}" if shape else "any",
        "parameters": row.parameters(CLASSES) if shape else "",
        "maskable": row.maskable(CLASSES) if shape else "",
        "note": row.note,
    }


def data_sets(plugins: Sequence[str]) -> Rows:
    """One row per data set, and per kind of name; an installed plug-in is named, not imported."""
    Catalogue(plugins)
    rows = [_data_set(name, row) for name, row in DATASETS.items()]
    offered = {name: f"plug-in {origin}" for name, origin in installed("DATASETS").items() if name not in DATASETS}
    notes = {
        **offered,
        FORM: CHOSEN,
        **{kind.form.split(",")[0].split(" or ")[0]: kind.note for kind in KINDS.values()},
    }
    return [*rows, *({**dict.fromkeys(rows[0], ""), "name": name, "note": note} for name, note in notes.items())]


def _data_set(name: str, row: DatasetRow | ArraySource | TreeSource) -> dict[str, Any]:
    known = row if isinstance(row, DatasetRow) else None
    return {
        "name": name,
        "image": "" if isinstance(row, ArraySource) else "x".join(map(str, row.image_shape)),
        "classes": known.classes if known else "",
        "train": known.train if known else "",
        "test": known.test if known else "",
        "default model": row.default_model,
        "note": row.note,
    }


def presets(plugins: Sequence[str]) -> Rows:
    """One row per preset and field, with where the value is from; then the source and the note of each."""
    remarks = [
        {"preset": name, "field": label, "value": remark, "from": ""}
        for name, preset in PRESETS.items()
        for label, remark in (("(source)", preset.source), ("(note)", preset.note))
    ]
    return [*fields_of_presets(), *remarks]


LISTINGS: Mapping[str, Callable[[Sequence[str]], Rows]] = {
    "methods": methods,
    "models": models,
    "datasets": data_sets,
    "presets": presets,
}


def as_text(rows: Rows | pd.DataFrame, form: str) -> str:
    """The rows as `plain` or `github` table or as `csv`."""
    records: list[dict[Any, Any]] = rows if isinstance(rows, list) else rows.to_dict("records")
    if form == "csv":
        return _csv(records)
    from tabulate import tabulate

    if not isinstance(rows, list):  # the store's trials have a hundred columns: only a file can hold them
        records = _with_conflicts(records, [_main_columns(record) for record in _with_starts(records)])
    records = [{name: visible(v) if isinstance(v, str) else v for name, v in record.items()} for record in records]
    if form == "github":
        records = [{name: v.replace("|", "\\|") if isinstance(v, str) else v for name, v in r.items()} for r in records]
    table: str = tabulate(records, headers="keys", tablefmt=form, disable_numparse=form == "plain")
    return table


def _with_starts(records: list[dict[Any, Any]]) -> list[dict[Any, Any]]:
    """The records, with what their trials start from in words, if one of them starts from another's weights."""
    starts = [json.loads(text) if isinstance(text := record.get("spec.start"), str) else None for record in records]
    if not any(starts):
        return records
    return [{**record, "start": start_words(start)} for record, start in zip(records, starts, strict=True)]


def _main_columns(record: dict[Any, Any]) -> dict[str, Any]:
    start = ("start",) if "start" in record else ()
    shown = ("dataset", "model", *start, "method", "rate", "seed", "outcome")
    shown += ("test_accuracy", "stored_parameters", "stored_bytes", "reason")
    return {"run": record["run_id"][:8], **{name: record[name] for name in shown}}


def _with_conflicts(records: list[dict[Any, Any]], shown: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows, with what of the store's results disagrees if that is so of any."""
    if not any(record["conflict"] for record in records):
        return shown
    return [{**row, "conflict": record["conflict"]} for record, row in zip(records, shown, strict=True)]


def _csv(records: list[dict[Any, Any]]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(records[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return stream.getvalue().rstrip("\n")
