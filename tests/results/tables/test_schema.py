"""The JSON of the table against its committed schema; and the schema against all that is printed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from rendered import render, view
from started_trials import BASE, curve, dense
from trial_frames import METHODS, frame, small, trial

from bench.results.parts import part_page
from bench.results.tables import export

FOLDER = Path(export.__file__).parent / "schema"
SCHEMA, PART = (json.loads((FOLDER / name).read_text(encoding="utf-8")) for name in ("table-1.json", "part-1.json"))
CONTROL = {**METHODS["snip"], "control": "shuffle"}
TUNING = {"search": {"lr": [0.01, 1.0]}, "budget": 3, "seeds": [1000], "grace": 30, "factor": 3}


def controls() -> list[dict[str, Any]]:
    return [*small(), *(trial("snip:control=shuffle", "0.9", s, 0.8 + s / 100, record=CONTROL) for s in range(5))]


def started() -> list[dict[str, Any]]:
    """The pruned method again from a base, within the margin at every rate."""
    return [*dense(BASE), *curve("snip", BASE, {"0.9": 0.0, "0.99": 0.001})]


STORES: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "small": (small(), {}),
    "controls": (controls(), {"controls": True}),
    "ranks": (
        [trial(m, q, s, 0.9 + s / 100) for m in ("freeze", "snip", "grasp") for q in ("0.9", "0.99") for s in range(3)],
        {"ranks": True},
    ),
    "tuned": ([{**row} for row in (trial("snip", "0.9", s, 0.9, tuning=TUNING) for s in range(2))], {}),
    "starts": ([*small(), *started()], {}),
    "one seed": ([trial("snip", "0.9", 0, 0.9), trial("freeze", "0.9", 0, 0.91)], {"margin": None}),
    "near chance": ([trial(m, "0.9", s, 0.1 if s else 0.9) for m in ("snip", "freeze") for s in range(4)], {}),
    "other metric": (small(), {"metric": "stored_bytes", "margin": None}),
    "empty": ([], {}),
}


def closed(schema: Any) -> Any:
    """The same schema without leave to hold anything that it does not name."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {name: closed(value) for name, value in schema.items()}
    return {**inner, "additionalProperties": False} if "properties" in schema and "type" in schema else inner


@pytest.mark.parametrize("name", STORES)
def test_what_is_printed_is_what_the_schema_says(name: str) -> None:
    rows, options = STORES[name]
    printed = json.loads(render(frame(rows), format="json", **options), parse_constant=pytest.fail)
    validator = jsonschema.Draft202012Validator(closed(SCHEMA))
    assert [f"{error.json_path}: {error.message}" for error in validator.iter_errors(printed)] == []
    assert printed["schema"] == SCHEMA["properties"]["schema"]["const"] == export.SCHEMA


@pytest.mark.parametrize("name", ["accuracy", "difference", "reference", "storage", "collapse", "start", "warnings"])
def test_a_part_alone_has_a_schema_too(name: str) -> None:
    made = part_page.render(frame([*small(), *started()]), view(), name, format="json")
    errors = jsonschema.Draft202012Validator(closed(PART)).iter_errors(json.loads(made, parse_constant=pytest.fail))
    assert [f"{error.json_path}: {error.message}" for error in errors] == []


def test_the_schema_is_one_and_refuses_what_is_none() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    printed = json.loads(render(frame(small()), format="json"))
    del printed["sections"][0]["cells"][0]["mean"]
    printed["sections"][0]["comparisons"][0]["p"] = "NaN"
    errors = jsonschema.Draft202012Validator(SCHEMA).iter_errors(printed)
    assert sorted(error.json_path for error in errors) == ["$.sections[0].cells[0]", "$.sections[0].comparisons[0].p"]


def test_csv_holds_cells_alone_and_the_columns_of_cells() -> None:
    lines = render(frame(controls()), format="csv", controls=True).splitlines()
    assert lines[0].startswith("record,dataset,model,differs,method,label,rate,background,metric,mean,sd,n,")
    assert lines[0].endswith(",forward_macs,backward_macs")
    assert [line.partition(",")[0] for line in lines[1:]] == 7 * ["cell"] + ["control cell"]
