"""Freeze − prune: one family, one p for a pair in table and report and in every format, whatever is shown."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

import pandas as pd
import pytest
from rendered import render, view
from trial_frames import METHODS, frame, small, trial

from bench import names
from bench.results.frame.margin import OfErrors
from bench.results.page.report import report
from bench.results.parts.part_page import render as render_part
from bench.results.plots.widths import PAGE
from bench.results.statistics.analysis import analyses
from bench.results.statistics.view import View
from bench.results.tables import formats
from bench.results.tables.columns import COLUMNS

HEADERS = [
    "frozen", "pruned", "rate", "pairs", "difference", "bootstrap", "p", "Holm p", "g", "TOST Holm p", "verdict",
]  # fmt: skip
GRASP_FREEZE = {**METHODS["grasp"], "background": "freeze"}


def two_methods() -> list[dict[str, Any]]:
    return [row for row in small() if row["method"] != "grasp"]


def two_criteria() -> list[dict[str, Any]]:
    frozen = [trial("grasp-freeze", "0.9", s, 0.92 + 0.003 * s, record=GRASP_FREEZE) for s in range(4)]
    return [*small(), *frozen]


def diverged(method: str, rate: str, seed: int) -> dict[str, Any]:
    return trial(method, rate, seed, None, outcome=names.DIVERGED, reason="loss is inf")


def tables(text: str) -> list[list[dict[str, str]]]:
    """The tables of a Markdown page: a row is header -> entry."""
    blocks = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    split = [[[entry.strip() for entry in line.strip("|").split("|")] for line in block] for block in blocks]
    return [[dict(zip(header, row, strict=True)) for row in rows] for header, _, *rows in split]


def holm(text: str, method: str, reference: str) -> dict[tuple[str, str, str], str]:
    """(method, reference, rate) -> the Holm-adjusted p of the table with these columns."""
    (rows,) = [rows for rows in tables(text) if {method, "Holm p"} <= rows[0].keys() and "control" not in rows[0]]
    return {(row[method], row.get(reference, reference), row["rate"]): row["Holm p"] for row in rows}


def page(rows: list[dict[str, Any]], options: View) -> str:
    """The report, without the plots of a phone, which take as long as the others."""

    def histories(runs: Any, metric: str) -> pd.DataFrame:
        return pd.DataFrame({"run_id": [], "epoch": [], "value": []})

    return formats.github(report(frame(rows), options, histories, [], "page", widths=(PAGE,)))


def printed(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


@pytest.mark.parametrize("test", ["t", "wilcoxon"])
@pytest.mark.parametrize("reference", ["snip", "freeze", "grasp"])
def test_table_report_csv_and_json_have_one_p_for_a_pair(reference: str, test: str) -> None:
    rows, options = frame(two_criteria()), {"reference": reference, "test": test}
    (section,) = json.loads(render(rows, format="json", **options))["sections"]
    expected = {(c["label"], c["reference"], c["rate"]): c["p_holm"] for c in section["freeze_minus_prune"]}
    assert set(expected) == {("freeze", "snip", "0.9"), ("freeze", "snip", "0.99"), ("grasp-freeze", "grasp", "0.9")}
    texts = {pair: printed(p) for pair, p in expected.items()}
    assert holm(render(rows, **options), "frozen", "pruned") == texts
    assert holm(page(two_criteria(), view(**options)), "frozen", "pruned") == texts
    table = csv.DictReader(io.StringIO(render_part(rows, view(**options), "difference", format="csv")))
    read = {(r["label"], r["reference"], r["rate"]): r["p_holm"] for r in table}
    assert {pair: float(p) for pair, p in read.items()} == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize("reference", ["snip", "freeze", "grasp"])
def test_no_pair_is_judged_twice(reference: str) -> None:
    (section,) = json.loads(render(frame(two_criteria()), format="json", reference=reference))["sections"]
    pairs = [
        (frozenset({c["label"], c["reference"]}), c["rate"])
        for name in ("freeze_minus_prune", "comparisons")
        for c in section[name]
    ]
    assert len(pairs) == len(set(pairs)) == 3 + {"snip": 3, "freeze": 3, "grasp": 4}[reference]


@pytest.mark.parametrize(
    ("filters", "shown"),
    [
        ({"methods": ["freeze"]}, {("freeze", "snip", "0.9"), ("freeze", "snip", "0.99")}),
        ({"methods": ["grasp"]}, {("grasp-freeze", "grasp", "0.9")}),
        ({"rates": ["0.99"]}, {("freeze", "snip", "0.99")}),
    ],
)
def test_filters_show_fewer_pairs_with_the_same_p(filters: dict[str, Any], shown: set[tuple[str, str, str]]) -> None:
    everything = holm(render(frame(two_criteria())), "frozen", "pruned")
    expected = {pair: p for pair, p in everything.items() if pair in shown}
    assert holm(render(frame(two_criteria()), **filters), "frozen", "pruned") == expected
    assert holm(page(two_criteria(), view(**filters)), "frozen", "pruned") == expected


def test_two_methods_have_one_table_of_differences() -> None:
    made = render(frame(two_methods()))
    assert made.count("+1.95 [+1.85, +2.05]") == 1
    assert "Method − snip" not in made and "Family: 2 comparisons, every frozen method" in made
    (rows,) = [rows for rows in tables(made) if "frozen" in rows[0] and "verdict" in rows[0]]
    assert list(rows[0]) == HEADERS
    assert rows[1]["verdict"] == "higher ↑, equivalent ≈ †2"
    (again,) = [rows for rows in tables(made) if "all done seeds" in rows[0]]
    assert [row["connected seeds only"] for row in again] == [
        "+0.04 [+0.02, +0.06], n = 3, Holm p 0.020, higher ↑, equivalent ≈"
    ]


def test_the_twin_counts_in_the_family_of_the_reference_and_is_judged_by_its_own() -> None:
    made = render(frame(small()))
    assert {pair[0] for pair in holm(made, "method", "snip")} == {"grasp"}
    assert "Family: 4 comparisons, every method but snip and dense" in made
    assert "freeze counts in it and is judged by the family of freeze − prune only." in made


def crowd() -> list[dict[str, Any]]:
    """Freezing is higher by a p of 0.030: significant as the one pair of its kind, not as one of five methods."""
    rows = [trial("snip", "0.9", s, 0.9) for s in range(4)]
    rows += [trial("freeze", "0.9", s, 0.9 + d / 100) for s, d in enumerate((0.5, 1.0, 1.5, 2.0))]
    others = [METHODS["grasp"] | {"criterion": criterion} for criterion in ("grasp", "synflow", "magnitude", "random")]
    return rows + [
        trial(other["criterion"], "0.9", s, 0.9 + (-1) ** s / 1000, record=other) for other in others for s in range(4)
    ]


@pytest.mark.parametrize(("reference", "twin", "arrow"), [("snip", "freeze", "↑"), ("freeze", "snip", "↓")])
def test_the_mark_of_the_twin_is_that_of_its_own_family(reference: str, twin: str, arrow: str) -> None:
    (analysis,) = analyses(frame(crowd()), view(reference=reference))
    (own,) = analysis.primary.comparisons
    (among_others,) = [c for c in analysis.secondary.comparisons if c.label == twin]
    assert own.p_holm <= 0.05 < among_others.p_holm
    (main, *_) = tables(render(frame(crowd()), reference=reference))
    assert {row["method"]: arrow in row["0.9"] for row in main}[twin]


def test_a_twin_without_a_mark_is_not_in_the_legend() -> None:
    rows = [trial("freeze", "0.9", s, 0.9 + (-1) ** s / 100) for s in range(4)]
    rows += [trial("snip", "0.9", s, 0.9) for s in range(4)]
    rows += [trial("grasp", "0.9", s, 0.8 + s / 1000) for s in range(4)]
    made = render(frame(rows))
    assert "↓: lower than snip" in made and "The marks of freeze" not in made


def test_a_twin_that_shares_no_rate_with_the_reference_is_not_in_its_family() -> None:
    rows = [
        trial(m, q, s, 0.9 + s / 100) for m, q in (("snip", "0.9"), ("grasp", "0.9"), ("freeze", "0.8")) for s in (0, 1)
    ]
    made = render(frame(rows))
    assert "Family: 1 comparison, every method but snip" in made and "freeze counts in it" not in made


def test_only_the_primary_figure_decides() -> None:
    rows = [row | {names.TRAIN_LOSS: 1.0 + row["seed"]} for row in two_methods()]
    assert "this family decides freeze or prune, and p-values are adjusted" in render(frame(rows))
    other = render(frame(rows), metric=names.TRAIN_LOSS)
    assert "decides" not in other and "whatever is shown; p-values are adjusted for it by Holm." in other


def test_without_a_margin_no_test_of_equivalence_is_named() -> None:
    made = render(frame(small()), margin=None)
    assert "Hedges' correction. Equivalence is not judged" in made and "by TOST" not in made
    assert "Hedges' correction; equivalence by TOST, adjusted by Holm. Equivalence margin" in render(frame(small()))


def test_the_marks_are_turned_with_the_reference() -> None:
    """With freeze for the reference, SNIP is lower where freezing is higher."""
    (main, *_) = tables(render(frame(small()), reference="freeze"))
    assert {row["method"]: "↓" in row["0.9"] for row in main} == {"freeze": False, "grasp": True, "snip": True}
    assert "The marks of snip are those of the family of freeze − prune." in render(frame(small()), reference="freeze")


def test_variants_that_change_no_pair_are_left_out() -> None:
    rows = [trial(m, "0.9", s, b + s / 100) for m, b in (("snip", 0.5), ("freeze", 0.6)) for s in range(3)]
    made = render(frame(rows))
    assert not any(words in made for words in ("the same pairs", "connected seeds only", "diverged = chance", "†"))


def test_a_diverged_seed_is_a_column_of_the_pairs_and_a_line_of_the_others() -> None:
    rows = [*small(), diverged("freeze", "0.95", 0)]
    rows += [trial("freeze", "0.95", s, 0.9 + s / 100) for s in (1, 2)]
    rows += [trial("snip", "0.95", s, 0.8) for s in range(3)]
    made = render(frame(rows), classes={"digits": 10})
    (again,) = [rows for rows in tables(made) if "diverged = chance" in rows[0]]
    assert [row["rate"] for row in again] == ["0.95", "0.99"] and again[0]["diverged = chance"].startswith("−")
    assert "diverged = chance: with diverged seeds counted as chance, 10 %." in made
    assert "Sensitivity: comparisons with diverged seeds counted as chance, 10 %:" in made
    listed = made.partition("Sensitivity: comparisons with diverged seeds")[2].partition("###")[0]
    assert "- grasp, rate 0.99: " in listed and "- freeze, rate 0.95: " not in listed


def test_a_loss_has_no_chance() -> None:
    rows = [trial("snip", "0.9", s, 0.9) | {names.TRAIN_LOSS: 1.0 + s} for s in range(3)]
    rows += [trial("freeze", "0.9", s, 0.9) | {names.TRAIN_LOSS: 2.0 - s / 2} for s in range(2)]
    made = render(frame([*rows, diverged("freeze", "0.9", 2)]), metric=names.TRAIN_LOSS, margin=0.1)
    assert "chance" not in made


def test_one_more_column_is_in_every_format_but_a_papers(monkeypatch: pytest.MonkeyPatch) -> None:
    from bench.results.tables import columns

    more = columns.Column(
        header="seeds used",
        text=lambda analysis, c: "/".join(map(str, c.seeds)),
        values={"first_seed": lambda analysis, c: c.seeds[0]},
    )
    monkeypatch.setattr(columns, "COLUMNS", (*COLUMNS, more))
    for format in ("github", "html"):
        made = render(frame(small()), format=format)
        assert made.count("seeds used") == 2 and "0/1/2/3/4" in made and "0/1/2/3" in made
    (section,) = json.loads(render(frame(small()), format="json"))["sections"]
    assert {c["first_seed"] for c in (*section["freeze_minus_prune"], *section["comparisons"])} == {0}
    for part in ("difference", "reference"):
        table = pd.read_csv(io.StringIO(render_part(frame(small()), view(), part, format="csv")))
        assert list(table["first_seed"]) == [0] * 2


def test_a_margin_of_errors_stands_in_points_behind_its_p() -> None:
    """SNIP errs at 4.9 % of the images at 0.9, at 9.9 % at 0.99: a tenth of that."""
    made = render(frame(small()), margin=OfErrors(0.1))
    assert "Equivalence margin: ±10% of the errors of what is subtracted, seed by seed; in brackets" in made
    assert re.findall(r"\| freeze +\| snip .*\(±(\S+)\)", made) == ["0.49", "0.99"]
    assert "(±" not in render(frame(small()))


@pytest.mark.parametrize(("share", "metric"), [(0.0, "test_accuracy"), (1.0, "test_accuracy"), (0.1, "stored_bytes")])
def test_a_margin_of_errors_must_be_some_of_an_accuracys(share: float, metric: str) -> None:
    words = "must be a number; only accuracies have errors" if share == 0.1 else "must be above 0% and below 100%"
    with pytest.raises(ValueError, match=words):
        view(margin=OfErrors(share), metric=metric)
