"""A figure of which the store's results disagree has its mark wherever it stands, in every format."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from rendered import power, render
from trial_frames import frame, small, trial

from bench import names
from bench.methods import METHODS
from bench.results.statistics.power import Aim

WORDS = "test_accuracy: run a has 0.97, run b has 0.01"
SEEDS = "¶k: of k seeds the results in the store disagree; of several runs the earliest counts."
PAIRS = SEEDS.replace("seeds", "pairs")


def rows(method: str) -> list[dict[str, Any]]:
    """A store of methods of every group; of seed 1 of the method the results disagree."""
    apart = [
        {**trial(name, "0.9", seed, 0.9, record=METHODS[name].record()), names.DISCONNECTED: 1_000.0 if seed else 0.0}
        for name in ("rigl", "rigl-freeze", "lth")
        for seed in range(5)
    ]
    apart[4] |= {"outcome": names.DIVERGED, names.TEST_ACCURACY: None}
    every = [*small(), *apart]
    return [row | ({"conflict": WORDS} if (row["method"], row["seed"]) == (method, 1) else {}) for row in every]


def entries(page: str, title: str) -> Iterator[list[str]]:
    """The rows of the first table of a page after this text."""
    lines = page[page.index(title) :].splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("|"))
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            return
        yield [entry.strip() for entry in line.strip("|").split("|")]


@pytest.mark.parametrize(
    ("method", "title"),
    [("snip", "mean ± standard deviation (ddof 1)"), ("rigl", "Masks change while training: "), ("lth", "Not at init")],
)
def test_behind_the_figure_of_every_group(method: str, title: str) -> None:
    page = render(frame(rows(method)))
    marked = [row for row in entries(page, title) if any("¶" in entry for entry in row)]
    assert {row[0] for row in marked} == {method}
    assert SEEDS in page
    rates = ("0.9", "0.99") if method == "snip" else ("0.9",)
    named = "; ".join(f"{method}, rate {rate}, seed 1: {WORDS}" for rate in rates)
    assert f"disagree in the store; of several runs the earliest counts: {named}." in page


def test_behind_the_figure_of_dense_and_all_that_is_measured_by_it() -> None:
    page = render(frame(rows("dense")))
    assert " % ¶1, n = 5." in page and SEEDS in page and PAIRS in page
    percent = [*entries(page, "Percent of the dense baseline")]
    assert all(entry == "–" or entry.endswith("¶1") for row in percent for entry in row[1:])
    assert all(row[4].endswith("¶1") for row in entries(page, "Masks change while training: "))


def test_alone_too() -> None:
    page = render(frame([row for row in rows("dense") if row["method"] == "dense"]))
    assert " % ¶1, n = 5." in page and SEEDS in page


def test_groups_that_stand_apart_say_what_of_a_figure_is_lost() -> None:
    page = render(frame(rows("rigl")))
    figures = {row[0]: row[2].partition(" ±")[2].partition(" ")[2] for row in entries(page, "Masks change while ")}
    assert {name: words.partition(" ")[2] for name, words in figures.items()} == {
        "rigl": "†4 ¶1 (n = 4, 1 diverged)",
        "rigl-freeze": "†4",
    }
    assert "†k: in k seeds no path of live weights leads from input to output" in page


def test_in_the_comparisons_of_both_families_and_in_power() -> None:
    page = render(frame(rows("snip")))
    assert all(row[-1].endswith("¶1") for row in entries(page, "Freeze or prune? "))
    assert all(row[-1].endswith("¶1") for row in entries(page, "Method − snip"))
    assert PAIRS in page
    printed = power(frame(rows("snip")), Aim(difference=0.5, alpha=0.05, power=0.8))
    assert "¶1" in printed and PAIRS in printed


@pytest.mark.parametrize("method", ["dense", "snip", "rigl", "lth"])
def test_in_records_latex_and_html(method: str) -> None:
    store = frame(rows(method))
    doubtful = {row["label"]: row["conflicting"] for row in csv.DictReader(io.StringIO(render(store, "csv")))}
    assert {label for label, seeds in doubtful.items() if seeds == "1"} == {method}
    (section,) = json.loads(render(store, "json"))["sections"]
    assert {cell["label"] for cell in section["cells"] if cell.get("conflicting") == [1]} == {method}
    assert any(WORDS in line for line in section["warnings"])
    compared = {c["label"] for c in section["freeze_minus_prune"] if c.get("conflicting_pairs") == 1}
    assert compared == ({"freeze"} if method == "snip" else set())
    assert r"\P{}1" in render(store, "latex") and "¶1" in render(store, "html")


def test_a_store_without_any_is_printed_as_before() -> None:
    store = frame(small())
    assert "conflicting" not in render(store, "csv") + render(store, "json")
    assert "¶" not in render(store)
