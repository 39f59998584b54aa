"""The report: golden files, what filters may not change, and usage errors."""

from __future__ import annotations

import csv
import io
import json
import math
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rendered import render
from trial_frames import frame, small, trial

from bench import names
from bench.metrics import METRICS
from bench.results.parts.whole import FORMATS
from bench.results.tables import formats
from bench.results.tables.formats import Paragraph

GOLDEN = Path(__file__).parent / "golden"
SETTINGS: dict[str, Any] = {"test_images": {"digits": 360}, "classes": {"digits": 10}}


def golden(name: str) -> str:
    return (GOLDEN / name).read_text(encoding="utf-8")


def parsed(text: str, format: str) -> Any:
    if format == "json":
        return json.loads(text)
    return [[_number(entry) for entry in row] for row in csv.reader(io.StringIO(text))]


def _number(entry: str) -> Any:
    try:
        return float(entry)
    except ValueError:
        return entry


def same(found: Any, expected: Any) -> bool:
    """Equal, numbers to nine digits: full precision differs in its last digits between library versions."""
    if isinstance(expected, dict):
        return found.keys() == expected.keys() and all(same(found[k], expected[k]) for k in expected)
    if isinstance(expected, list):
        return len(found) == len(expected) and all(map(same, found, expected))
    if isinstance(expected, float):
        return math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-12)
    return bool(found == expected)


@pytest.mark.parametrize(("format", "file"), [("github", "small.md"), ("latex", "small.tex"), ("html", "small.html")])
def test_golden_text(format: str, file: str) -> None:
    assert render(frame(small()), format=format, **SETTINGS) == golden(file)


@pytest.mark.parametrize("format", ["csv", "json"])
def test_golden_numbers(format: str) -> None:
    found, expected = render(frame(small()), format=format, **SETTINGS), golden(f"small.{format}")
    assert same(parsed(found, format), parsed(expected, format))


@pytest.mark.parametrize("format", FORMATS)
def test_the_order_of_rows_leaves_the_report_unchanged(format: str) -> None:
    whole = render(frame(small()), format=format)

    @settings(max_examples=5, deadline=None)
    @given(st.randoms(use_true_random=False))
    def shuffled(random: Any) -> None:
        rows = small()
        random.shuffle(rows)
        assert render(frame(rows), format=format) == whole

    shuffled()


def entries(**filters: Any) -> dict[tuple[str, str, str], dict[str, Any]]:
    (section,) = json.loads(render(frame(small()), format="json", **filters))["sections"]
    records = (*section["cells"], *section["freeze_minus_prune"], *section["comparisons"])
    return {(r["record"], r["label"], r["rate"]): r for r in records}


@pytest.mark.parametrize(
    "filters", [{"methods": ["freeze"]}, {"rates": ["0.99"]}, {"methods": ["grasp"], "rates": [".90"]}]
)
def test_filters_hide_and_change_no_number(filters: dict[str, Any]) -> None:
    everything, some = entries(), entries(**filters)
    assert 0 < len(some) < len(everything)
    assert all(everything[place] == record for place, record in some.items())
    families = {(r["record"], r["family"]) for r in some.values() if r["record"] != "cell"}
    assert families and families <= {("comparison", 4), ("freeze - prune", 2)}


def test_a_sweep_shows_its_cells_with_the_statistics_of_the_store() -> None:
    rows = small()
    for row in rows:
        row["sweeps"] = ("main", "extra") if row["rate"] == "0.9" and row["seed"] < 2 else ("main",)
    shown = render(frame(rows), sweeps=["extra"])
    assert "Shown: sweeps extra." in shown
    assert "97.05 ± 0.08" in shown
    assert "90.13" not in shown


def test_a_range_may_name_rates_that_were_not_trained() -> None:
    made = render(frame(small()), rates=["0.9", "0.95"])
    assert "Shown: rates 0.9, 0.95 (not in this section)." in made
    assert "97.05 ± 0.08" in made


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"format": "pdf"}, "unknown format 'pdf': must be one of github, latex, csv, html, json"),
        ({"test": "z"}, "unknown test 'z': must be one of t, wilcoxon, permutation"),
        ({"margin": 0.0}, "margin 0.0: must be above 0"),
        ({"alpha": 1.0}, "alpha 1.0: must be above 0 and below 1"),
        ({"metric": "test_acuracy"}, "unknown metric 'test_acuracy': must be one of .*; did you mean test_accuracy\\?"),
        ({"reference": "dense"}, "reference dense: must be"),
        (
            {"methods": ["freze"]},
            "unknown method 'freze': must be one of dense, freeze, grasp, snip; did you mean freeze\\?",
        ),
        ({"rates": ["0.98"]}, "unknown rate '0.98': must be one of 0, 0.9, 0.99; did you mean 0.99\\?"),
        ({"rates": ["0.5"]}, "unknown rate '0.5': must be one of 0, 0.9, 0.99; did you mean 0.9\\?"),
        ({"sweeps": ["mian"]}, "unknown sweep 'mian': must be one of main; did you mean main\\?"),
    ],
)
def test_usage_errors_name_value_and_choice(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        render(frame(small()), **arguments)


@pytest.mark.parametrize("format", FORMATS)
def test_an_empty_store(format: str) -> None:
    made = render(frame([]), format=format)
    assert {"csv": "record,", "json": '"sections": []'}.get(format, "No trial to show.") in made


def test_json_has_no_nan() -> None:
    rows = [trial("snip", "0.9", 0, 0.9), trial("freeze", "0.9", 0, 0.91)]
    (section,) = json.loads(render(frame(rows), format="json"), parse_constant=pytest.fail)["sections"]
    assert section["freeze_minus_prune"][0]["p"] is None


def test_csv_reads_back_at_full_precision() -> None:
    back = pd.read_csv(io.StringIO(render(frame(small()), format="csv")))
    cell = back[(back["record"] == "cell") & (back["label"] == "grasp") & (back["rate"] == 0.99)].iloc[0]
    assert (cell["mean"], cell["n"], cell["diverged"]) == (pytest.approx(0.81, rel=1e-15), 3, 3)


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)


@pytest.mark.parametrize(
    ("format", "escaped"),
    [
        ("html", "&lt;script&gt;a|b_c&amp;%"),
        ("latex", r"$<$script$>$a\textbar{}b\_c\&\%"),
        ("github", r"\<script>a\|b_c&%"),
    ],
)
def test_reasons_are_escaped(format: str, escaped: str) -> None:
    rows = [trial("snip", "0.9", 0, None, outcome=names.FAILED, reason="<script>a|b_c&%")]
    made = render(frame([*rows, trial("snip", "0.9", 1, 0.9)]), format=format)
    assert escaped in made
    if format == "html":
        tags = Tags()
        tags.feed(made)
        assert "script" not in tags.seen


def test_the_words_of_every_metric_are_ascii_in_latex() -> None:
    words = formats.latex([Paragraph(metric.caption) for metric in METRICS.values()])
    assert words.isascii() and r"$\|$m$\cdot$g$\|$$_2$$^2$" in words


@pytest.mark.parametrize("test", ["t", "wilcoxon", "permutation"])
def test_latex_rules_and_ascii(test: Any) -> None:
    made = render(frame(small()), format="latex", test=test)
    tables = made.count(r"\begin{tabular}")
    assert tables > 3 and made.count(r"\end{table") == tables
    assert all(made.count(rule) == tables for rule in (r"\toprule", r"\midrule", r"\bottomrule"))
    assert r"\hline" not in made
    assert made.isascii()
