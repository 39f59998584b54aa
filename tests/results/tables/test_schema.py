"""The JSON of the table against its committed schema; and the schema against all that is printed."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from rendered import render, view
from scaled_trials import scaled
from started_trials import BASE, base, curve, dense
from trial_frames import METHODS, frame, small, trial

from bench import names
from bench.results.frame.margin import OfErrors
from bench.results.parts import part_page
from bench.results.tables import export
from bench.test_right import encoded

FOLDER = Path(export.__file__).parent / "schema"
SCHEMA, PART = (json.loads((FOLDER / name).read_text(encoding="utf-8")) for name in ("table-1.json", "part-1.json"))
CONTROL = {**METHODS["snip"], "control": "shuffle"}
TUNING = {"search": {"lr": [0.01, 1.0]}, "budget": 3, "seeds": [1000], "grace": 30, "factor": 3}


def controls() -> list[dict[str, Any]]:
    return [*small(), *(trial("snip:control=shuffle", "0.9", s, 0.8 + s / 100, record=CONTROL) for s in range(5))]


def images_kept() -> list[dict[str, Any]]:
    """Trials that have kept which of 20 test images they get right."""
    rows = [trial(m, "0" if m == "dense" else "0.9", s, 0.9) for m in ("dense", "snip", "freeze") for s in range(3)]
    right = [np.arange(20) % 10 != (7 * place) % 10 for place in range(9)]
    right[8][:3] = [True, False, False]
    return [row | {"test_right": encoded(bits), names.TEST_ACCURACY: bits.mean()}
            for row, bits in zip(rows, right, strict=True)]  # fmt: skip


def started() -> list[dict[str, Any]]:
    """The pruned method again from a base, within the margin at every rate."""
    return [*dense(BASE), *curve("snip", BASE, {"0.9": 0.0, "0.99": 0.001})]


def based() -> list[dict[str, Any]]:
    """Frozen and pruned from bases of the store; lottery tickets and methods whose masks change beside them."""
    rows = [*dense(BASE), *(base(s) for s in range(4)), *curve("freeze", BASE, {"0.9": 0.01})]
    rows += [*curve("snip", BASE, {"0.9": 0.02}), *curve("grasp", BASE, {"0.9": 0.03})]
    for name, background in (("lth-freeze", "freeze"), ("lth", "prune")):
        record = {**METHODS["snip"], "background": background, "select": "LotteryTicket", "at_initialisation": False}
        tickets = [trial(name, "0.9", s, 0.9 + s / 100, record=record, start=BASE) for s in range(4)]
        rows += [row | {names.TRAINING_EPOCHS: 90.0 + s} for s, row in enumerate(tickets)]
    for name, background in (("rigl-freeze", "freeze"), ("rigl", "prune")):
        record = {**METHODS["snip"], "background": background, "at_initialisation": False, "changes_masks": True}
        of_name = [trial(name, "0.9", s, 0.9 + s / 100, record=record, start=BASE) for s in range(4)]
        rows += [row | {names.MEAN_LIVE_WEIGHTS: 90.0 + s, names.TRAINING_MACS: 9.0} for s, row in enumerate(of_name)]
    sizes = {"freeze": 900, "lth-freeze": 900, "snip": 1000, "grasp": 1000, "lth": 1000}
    return [row | ({names.STORED_BYTES: sizes[row["method"]] + row["seed"]} if row["method"] in sizes else {})
            for row in rows]  # fmt: skip


STORES: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "small": (small(), {}),
    "controls": (controls(), {"controls": True}),
    "ranks": (
        [trial(m, q, s, 0.9 + s / 100) for m in ("freeze", "snip", "grasp") for q in ("0.9", "0.99") for s in range(3)],
        {"ranks": True},
    ),
    "tuned": ([{**row} for row in (trial("snip", "0.9", s, 0.9, tuning=TUNING) for s in range(2))], {}),
    "starts": ([*small(), *started()], {}),
    "base, lottery tickets and changing masks": (based(), {}),
    "scales": ([*small(), *scaled()], {}),
    "one seed": ([trial("snip", "0.9", 0, 0.9), trial("freeze", "0.9", 0, 0.91)], {"margin": None}),
    "near chance": ([trial(m, "0.9", s, 0.1 if s else 0.9) for m in ("snip", "freeze") for s in range(4)], {}),
    "images kept": (images_kept(), {}),
    "margin of errors": (small(), {"margin": OfErrors(0.1)}),
    "other metric": (small(), {"metric": "stored_bytes", "margin": None}),
    "results that disagree": ([row | {"conflict": "outcome: …"} for row in small()], {}),
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
@pytest.mark.parametrize("store", ["starts", "base, lottery tickets and changing masks", "results that disagree"])
def test_a_part_alone_has_a_schema_too(name: str, store: str) -> None:
    made = part_page.render(frame(STORES[store][0]), view(), name, format="json")
    errors = jsonschema.Draft202012Validator(closed(PART)).iter_errors(json.loads(made, parse_constant=pytest.fail))
    assert [f"{error.json_path}: {error.message}" for error in errors] == []


@pytest.mark.parametrize("name", ["scale", "accuracy", "start", "reference"])
def test_a_part_of_a_store_with_scales_has_a_schema_too(name: str) -> None:
    made = part_page.render(frame(STORES["scales"][0]), view(), name, format="json")
    errors = jsonschema.Draft202012Validator(closed(PART)).iter_errors(json.loads(made, parse_constant=pytest.fail))
    assert [f"{error.json_path}: {error.message}" for error in errors] == []


def test_the_schema_is_one_and_refuses_what_is_none() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    printed = json.loads(render(frame(small()), format="json"))
    del printed["sections"][0]["cells"][0]["mean"]
    printed["sections"][0]["comparisons"][0]["p"] = "NaN"
    errors = jsonschema.Draft202012Validator(SCHEMA).iter_errors(printed)
    assert sorted(error.json_path for error in errors) == ["$.sections[0].cells[0]", "$.sections[0].comparisons[0].p"]


def test_a_store_of_starts_says_them_and_what_only_they_have() -> None:
    printed = json.loads(render(frame(based()), format="json"), parse_constant=pytest.fail)
    (section,) = printed["sections"]
    assert (section["start"], section["differs"]) == ("pretrained on mnist", {})
    assert {(r["label"], r["start"], *r["grid"]) for r in section["largest_rates"]} == {
        (label, "pretrained on mnist", "0.9")
        for label in ("freeze", "snip", "grasp", "lth", "lth-freeze", "rigl", "rigl-freeze")
    }
    (of_rate,) = section["task_bytes"]
    assert of_rate == {
        "rate": "0.9", "base": 41300.0, "delta": 901.5, "pruned": 1001.5, "dense": 41300.0,
        "tasks_against_pruned": 413, "tasks_against_dense": 2,
    }  # fmt: skip
    costs = [(r["label"], r["training_epochs_least"], r["training_epochs_most"]) for r in section["training_epochs"]]
    assert costs == [("lth", 90.0, 93.0), ("lth-freeze", 90.0, 93.0)]
    (pair,) = section["freeze_minus_prune_not_at_initialisation"]
    assert (pair["label"], pair["reference"], pair["family"], pair["difference"]) == ("lth-freeze", "lth", 1, 0.0)
    (needed,) = printed["needed_first"]
    assert (needed["dataset"], needed["start"], needed["fields"]["epochs"]) == ("mnist", "scratch", 30)
    assert [(c["record"], c["label"], c["mean"], c["n"]) for c in needed["cells"]] == [
        ("needed cell", "dense", pytest.approx(0.97), 4)
    ]
    assert "needed_first" not in json.loads(render(frame(based()), format="json", sweeps=["main", "main-needs"]))


def test_a_column_says_the_start_in_csv() -> None:
    lines = render(frame(based()), format="csv").splitlines()
    assert lines[0].startswith("record,dataset,model,differs,start,method,label,rate,background,metric,")
    assert {line.split(",")[:5][4] for line in lines[1:]} == {"pretrained on mnist"}
    both = list(csv.DictReader(io.StringIO(render(frame([*small(), *started()]), format="csv"))))
    assert {(row["start"], row["differs"] == "{}") for row in both} == {
        ("scratch", False), ("pretrained on mnist", False)
    }  # fmt: skip
    part = part_page.render(frame(based()), view(), "accuracy", format="csv").splitlines()
    assert part[0].startswith("dataset,model,differs,start,method,") and "pretrained on mnist" in part[1]
    records = json.loads(part_page.render(frame(based()), view(), "storage", format="json"))
    assert [section["start"] for section in records["sections"]] == ["pretrained on mnist"]
    assert "start" not in json.loads(render(frame(small()), format="json"))["sections"][0]


def test_csv_holds_cells_alone_and_the_columns_of_cells() -> None:
    lines = render(frame(controls()), format="csv", controls=True).splitlines()
    assert lines[0].startswith("record,dataset,model,differs,method,label,rate,background,metric,mean,sd,n,")
    assert lines[0].endswith(",forward_macs,backward_macs")
    assert [line.partition(",")[0] for line in lines[1:]] == 7 * ["cell"] + ["control cell"]
