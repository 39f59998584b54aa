"""One table alone: every part in every format, and what a part that is not there says."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from rendered import render, view
from trial_frames import frame, small, trial

from bench import names
from bench.results.parts import whole
from bench.results.parts.part_page import FORMATS
from bench.results.parts.part_page import render as render_part
from bench.results.parts.parts import PARTS

THERE = ("accuracy", "pairs", "difference", "reference", "dense", "storage", "compute", "collapse", "warnings")


def part(name: str, rows: list[dict[str, Any]] | None = None, format: str = "github", **options: Any) -> str:
    return render_part(frame(small() if rows is None else rows), view(**options), name, format=format)


def test_every_format_of_the_whole_is_one_of_a_part() -> None:
    assert list(FORMATS) == list(whole.FORMATS)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", THERE)
def test_every_part_in_every_format(name: str, format: str) -> None:
    assert "lenet-5-caffe" in part(name, format=format).lower()


@pytest.mark.parametrize("name", ["accuracy", "difference", "reference", "dense", "storage", "compute", "collapse"])
def test_the_tables_of_a_part_are_those_of_the_whole(name: str) -> None:
    whole = render(frame(small())).split("\n\n")
    drawn = [block for block in part(name).strip().split("\n\n") if block.startswith("|")]
    assert drawn and all(block in [other.strip() for other in whole] for block in drawn)


def test_the_shell_completes_every_part() -> None:
    assert tuple(PARTS) == names.PARTS


def test_the_pairs_stand_side_by_side() -> None:
    lines = part("pairs").strip().splitlines()
    header, _, first, second = (line for line in lines if line.startswith("|"))
    columns = ["frozen", "pruned", "rate", "freeze", "prune", "pairs", "freeze − prune"]
    columns += ["Holm p", "TOST Holm p", "verdict"]
    assert [entry.strip() for entry in header.strip("|").split("|")] == columns
    entries = [[entry.strip() for entry in line.strip("|").split("|")] for line in (first, second)]
    assert entries[0][:7] == ["freeze", "snip", "0.9", "97.05 ± 0.08", "95.10 ± 0.16", "5", "+1.95 [+1.85, +2.05]"]
    assert entries[1][-1] == "higher ↑, equivalent ≈ †2"


def test_csv_has_one_kind_of_record_at_full_precision() -> None:
    rows = list(csv.DictReader(io.StringIO(part("accuracy", format="csv"))))
    (cell,) = [row for row in rows if (row["label"], row["rate"]) == ("grasp", "0.99")]
    assert float(cell["mean"]) == pytest.approx(0.81, rel=1e-15) and cell["diverged"] == "3"
    assert "p_holm" not in cell and "live_weights" not in cell
    differences = list(csv.DictReader(io.StringIO(part("difference", format="csv"))))
    assert [(row["label"], row["reference"], row["rate"], row["pairs"]) for row in differences] == [
        ("freeze", "snip", "0.9", "0 1 2 3 4"),
        ("freeze", "snip", "0.99", "0 1 2 3 4"),
    ]


def test_json_has_the_p_of_the_whole_and_no_nan() -> None:
    made = json.loads(part("difference", format="json"), parse_constant=pytest.fail)
    (section,) = json.loads(render(frame(small()), format="json"))["sections"]
    assert made["part"] == "difference"
    assert [r["p_holm"] for r in made["sections"][0]["records"]] == [c["p_holm"] for c in section["freeze_minus_prune"]]
    (lines,) = json.loads(part("warnings", format="json"))["sections"]
    assert lines["records"][-1] == {"line": "seed 4 not in the store: grasp, rate 0.9"}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("acuracy", "unknown part 'acuracy': must be one of accuracy, pairs, .*; did you mean accuracy\\?"),
        ("tuned", "part tuned: nothing that is shown of the store has it"),
        ("controls", "part controls: nothing that is shown of the store has it"),
    ],
)
def test_usage_errors(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        part(name)


def test_sections_without_the_part_are_left_out() -> None:
    rows = [*small(), trial("snip", "0.9", 0, 0.9, dataset="mnist")]
    assert "mnist" not in part("pairs", rows) and "mnist" in part("accuracy", rows)


def test_other_figures() -> None:
    rows = [row | {names.TRAIN_LOSS: 1.0 + row["seed"] / 10} for row in small()]
    assert "training loss" in part("accuracy", rows, metric=names.TRAIN_LOSS, margin=None)


def test_every_part_has_a_title() -> None:
    assert all(part.title for part in PARTS.values())
