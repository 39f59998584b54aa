"""Sanity controls in the report: a table and a family of their own, and no trace of them anywhere else."""

from __future__ import annotations

import io
import json
from typing import Any

import pandas as pd
import pytest
from rendered import plot, render, view
from scipy.stats import ttest_rel
from trial_frames import METHODS, frame, small, trial

from bench.results.parts.part_page import render as render_part

SHUFFLED = {"freeze": (0.9705, 0.969, 0.9712, 0.9698, 0.971), "snip": (0.93, 0.94, 0.93, 0.935, 0.94)}


def controlled() -> list[dict[str, Any]]:
    rows = []
    for method, accuracies in SHUFFLED.items():
        record = {**METHODS[method], "control": "shuffle"}
        for seed, accuracy in enumerate(accuracies):
            rows.append(trial(f"{method}:control=shuffle", "0.9", seed, accuracy, record=record))
    return rows


def of(rows: list[dict[str, Any]], **options: Any) -> dict[str, Any]:
    (section,) = json.loads(render(frame(rows), format="json", **options))["sections"]
    return dict(section)


def values(method: str) -> list[float]:
    return [row["test_accuracy"] for row in small() if (row["method"], row["rate"]) == (method, "0.9")]


def test_no_other_number_changes() -> None:
    plain, beside = (of(rows) for rows in (small(), small() + controlled()))
    assert plain == beside
    text = render(frame(small() + controlled()))
    note = "Not in these tables and families: 2 cells of sanity controls; the option controls shows them."
    assert note in text and text.replace(f"{note}\n\n", "") == render(frame(small()))


def test_each_control_is_compared_with_its_own_method() -> None:
    found = [c for c in of(small() + controlled(), controls=True)["controls"] if c["record"] == "control"]
    assert [(c["method"], c["reference"], c["rate"], c["family"]) for c in found] == [
        ("freeze:control=shuffle", "freeze", "0.9", 2), ("snip:control=shuffle", "snip", "0.9", 2),
    ]  # fmt: skip
    p = []
    for c, (method, own) in zip(found, SHUFFLED.items(), strict=True):
        assert c["difference"] == pytest.approx(sum(own) / 5 - sum(values(method)) / 5)
        p.append(ttest_rel(own, values(method)).pvalue)
        assert c["p"] == pytest.approx(p[-1])
    assert found[1]["p_holm"] == pytest.approx(2 * p[1]) and found[1]["verdict"] == "lower"
    assert found[0]["p_holm"] == pytest.approx(p[0]) and found[0]["equivalent"]


def test_the_table_says_what_a_control_took_away() -> None:
    text = render(frame(small() + controlled()), controls=True)
    (freeze, snip) = (line for line in text.splitlines() if "| shuffle" in line)
    assert [cell.strip() for cell in freeze.strip("|").split("|")][:6] == [
        "freeze", "shuffle", "0.9", "97.05 ± 0.08", "97.03 ± 0.09", "5",
    ]  # fmt: skip
    assert "equivalent ≈" in freeze and "lower ↓" in snip
    assert "family of their own, m = 2. shuffle: the mask of each layer shuffled" in text and "redraw:" not in text


def test_filters_show_the_controls_of_the_methods_shown() -> None:
    rows = small() + controlled()
    assert [c["method"] for c in of(rows, controls=True, methods=["snip"])["controls"]] == ["snip:control=shuffle"] * 2
    text = render(frame(rows), controls=True, rates=["0.99"])
    assert "No sanity control of a shown method is in the store." in text


def test_a_control_without_its_method_has_no_row() -> None:
    rows = [row for row in small() + controlled() if row["method"] != "freeze"]
    assert {c["method"] for c in of(rows, controls=True)["controls"]} == {"snip:control=shuffle"}


def test_csv_has_them_too() -> None:
    rows = frame(small() + controlled())
    table = pd.read_csv(io.StringIO(render_part(rows, view(controls=True), "controls", format="csv")), dtype=str)
    assert sorted(table["method"]) == ["freeze:control=shuffle", "snip:control=shuffle"]
    assert not any("control" in method for method in pd.read_csv(io.StringIO(render(rows, format="csv")))["method"])


def test_plots_show_controls_only_where_they_are_named() -> None:
    def names_in(methods: list[str]) -> set[str]:
        figure = plot(frame(small() + controlled()), "accuracy", None, methods=methods)  # type: ignore[arg-type]
        return {text.get_text() for legend in figure.legends for text in legend.get_texts()}

    assert not any("control" in name for name in names_in([]))
    assert "freeze:control=shuffle" in names_in(["freeze", "freeze:control=shuffle"])
