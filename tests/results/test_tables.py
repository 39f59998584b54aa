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
from trial_frames import frame, small, trial

from bench import names
from results.tables import FORMATS, render

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
    return {(r["record"], r["label"], r["rate"]): r for r in (*section["cells"], *section["comparisons"])}


@pytest.mark.parametrize(
    "filters", [{"methods": ["freeze"]}, {"rates": ["0.99"]}, {"methods": ["grasp"], "rates": [".90"]}]
)
def test_filters_hide_and_change_no_number(filters: dict[str, Any]) -> None:
    everything, some = entries(), entries(**filters)
    assert 0 < len(some) < len(everything)
    assert all(everything[place] == record for place, record in some.items())
    assert {r["family"] for r in some.values() if r["record"] == "comparison"} == {4}


def test_a_sweep_shows_its_cells_with_the_statistics_of_the_store() -> None:
    rows = small()
    for row in rows:
        row["sweeps"] = ("main", "extra") if row["rate"] == "0.9" and row["seed"] < 2 else ("main",)
    shown = render(frame(rows), names=["extra"])
    assert "Shown: sweeps extra." in shown
    assert "97.05 ± 0.08" in shown
    assert "90.13" not in shown


def test_a_range_may_name_rates_that_were_not_trained() -> None:
    made = render(frame(small()), rates=["0.9", "0.95"])
    assert "Shown: rates 0.9, 0.95 (not in this section)." in made
    assert "97.05 ± 0.08" in made


def test_bold_is_the_best_of_the_store_not_of_what_is_shown() -> None:
    assert "**" in render(frame(small()), methods=["freeze"])
    assert "**" not in render(frame(small()), methods=["grasp"])


def test_a_method_alone_at_its_rate_is_not_the_best() -> None:
    assert "**" not in render(frame([trial("snip", "0.9", s, 0.9) for s in range(2)]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"format": "pdf"}, "format pdf: allowed is one of github"),
        ({"test": "z"}, "test z: allowed is one of t, wilcoxon, permutation"),
        ({"margin": 0.0}, "margin 0.0: allowed is margin > 0"),
        ({"alpha": 1.0}, "alpha 1.0: allowed is 0 < alpha < 1"),
        ({"metric": "test_acuracy"}, "metric test_acuracy: .* nearest: test_accuracy"),
        ({"reference": "dense"}, "reference dense: allowed is"),
        ({"methods": ["freze"]}, "method freze: allowed is dense, freeze, grasp, snip; nearest: freeze"),
        ({"rates": ["0.98"]}, "rate 0.98: allowed is 0, 0.9, 0.99; nearest: 0.9"),
        ({"rates": ["much"]}, "rate much: allowed is a number"),
        ({"names": ["mian"]}, "sweep mian: allowed is main; nearest: main"),
    ],
)
def test_usage_errors_name_value_and_choice(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        render(frame(small()), **arguments)


@pytest.mark.parametrize("format", FORMATS)
def test_an_empty_store(format: str) -> None:
    made = render(frame([]), format=format)
    assert {"csv": "record,", "json": '"sections": []'}.get(format, "No trial to show.") in made


def test_a_reference_that_is_not_there_is_said() -> None:
    made = render(frame([trial("freeze", "0.9", 0, 0.9)]))
    assert "No trial of the reference snip in this section, so there are no comparisons; it has freeze." in made


def test_dense_alone() -> None:
    made = render(frame([trial("dense", "0", s, 0.9) for s in range(2)]))
    assert "Dense baseline (rate 0): 90.00 ± 0.00 %, n = 2." in made


def test_one_seed_has_no_deviation_and_no_test() -> None:
    made = render(frame([trial("snip", "0.9", 0, 0.9), trial("freeze", "0.9", 0, 0.91)]))
    assert "no test: n < 2" in made
    assert "Without two pairs nothing can be tested." in made
    assert "nan" not in made


def test_a_cell_without_any_value() -> None:
    rows = [trial("snip", "0.9", s, None, outcome=names.DIVERGED, reason="loss is inf") for s in (0, 1)]
    made = render(frame([*rows, trial("freeze", "0.9", 0, 0.9), trial("freeze", "0.9", 1, 0.8)]))
    assert "– (n = 0, 2 diverged)" in made
    assert "snip, rate 0.9: seeds 0–1 diverged (loss is inf)" in made
    assert "nan" not in made


@pytest.mark.parametrize(("n", "verdict"), [(7, "is too few: no entry can be marked"), (8, "is enough")])
def test_the_report_says_what_an_exact_test_can_reach(n: int, verdict: str) -> None:
    rates = ("0.5", "0.6", "0.7", "0.8", "0.9")
    rows = [trial(m, q, s, b + s / 100) for m, b in (("snip", 0.5), ("freeze", 0.6)) for q in rates for s in range(n)]
    made = render(frame(rows), test="wilcoxon")
    assert f"5 comparisons at 0.05 need n ≥ 8, and n = {n} {verdict}" in made
    assert ("n too small" in made) is (n == 7)
    assert (" ↑ " in made) is (n == 8)


def test_zero_has_no_minus_sign() -> None:
    rows = [trial("snip", "0.9", s, 0.9) for s in range(3)] + [
        trial("freeze", "0.9", s, 0.9 - 1e-6 * s) for s in range(3)
    ]
    made = render(frame(rows))
    assert "+0.00 [−0.00" not in made
    assert "+0.00 [+0.00, +0.00]" in made


def test_a_margin_under_two_images_is_warned_of() -> None:
    assert "Warning: under two test images" in render(frame(small()), test_images={"digits": 360})
    assert "Warning: under two test images" not in render(frame(small()), test_images={"digits": 400})


def test_unequal_counts_and_initial_weights_are_warned_of() -> None:
    rows = [trial("snip", "0.9", 0, 0.9), trial("freeze", "0.9", 0, 0.9)]
    rows[1] |= {names.STORED_PARAMETERS: 1_101.0, "init_sha256": "other"}
    made = render(frame(rows))
    assert "at rate 0.9 the methods do not store equally many parameters (1,100 to 1,101)" in made
    assert "seed 0: initial weights differ between trials of one seed" in made
    assert "Warning" not in render(frame(small()))


def test_lower_is_better_for_a_loss_and_it_has_no_points() -> None:
    rows = [
        trial(m, "0.9", s, 0.9) | {names.TRAIN_LOSS: v + s / 10}
        for m, v in (("snip", 1.0), ("freeze", 0.5))
        for s in (0, 1)
    ]
    made = render(frame(rows), metric=names.TRAIN_LOSS, margin=0.1)
    assert "**0.55 ± 0.07071**" in made
    assert "Train loss: mean" in made
    assert "points" not in made
    assert "This is not the primary figure" in made


def test_json_has_no_nan() -> None:
    rows = [trial("snip", "0.9", 0, 0.9), trial("freeze", "0.9", 0, 0.91)]
    (section,) = json.loads(render(frame(rows), format="json"), parse_constant=pytest.fail)["sections"]
    assert section["comparisons"][0]["p"] is None


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
    [("html", "&lt;script&gt;a|b_c&amp;%"), ("latex", r"$<$script$>$a|b\_c\&\%"), ("github", r"\<script>a\|b_c&%")],
)
def test_reasons_are_escaped(format: str, escaped: str) -> None:
    rows = [trial("snip", "0.9", 0, None, outcome=names.FAILED, reason="<script>a|b_c&%")]
    made = render(frame([*rows, trial("snip", "0.9", 1, 0.9)]), format=format)
    assert escaped in made
    if format == "html":
        tags = Tags()
        tags.feed(made)
        assert "script" not in tags.seen


@pytest.mark.parametrize("test", ["t", "wilcoxon", "permutation"])
def test_latex_rules_and_ascii(test: Any) -> None:
    made = render(frame(small()), format="latex", test=test)
    tables = made.count(r"\begin{tabular}")
    assert tables > 3
    assert all(made.count(rule) == tables for rule in (r"\toprule", r"\midrule", r"\bottomrule", r"\end{table}"))
    assert r"\hline" not in made
    assert made.isascii()
