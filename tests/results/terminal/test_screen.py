"""The terminal: the answer first, tables that fit the width, no number broken."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from rendered import view
from rich.cells import cell_len
from rich.console import Console
from scaled_trials import scaled
from trial_frames import METHODS, frame, small, trial

from bench.results.statistics.analysis import analyses
from bench.results.tables.answer.sentences import answer_of
from bench.results.tables.formats import Bold, Grid
from bench.results.terminal.fitted import tables
from bench.results.terminal.screen import MORE, screen

GRASP_FREEZE = {**METHODS["grasp"], "background": "freeze"}
GRID = ("0.5", "0.7", "0.8", "0.9", "0.95", "0.98", "0.99", "0.995", "0.998", "0.999")
MANY = [
    trial(method, rate, seed, 0.5 + i / 10 + seed / 100, record=record)
    for rate in GRID
    for seed in range(5)
    for i, (method, record) in enumerate(
        [("snip", None), ("freeze", None), ("grasp", None), ("grasp-freeze", GRASP_FREEZE)]
    )
]
UNPAIRED = [row for row in MANY if row["method"] != "grasp-freeze"]
SCALED = [*small(), *scaled()]


def shown(rows: list[dict[str, Any]], width: int, full: bool = False, part: str | None = None, **options: Any) -> str:
    stream = io.StringIO()
    console = Console(file=stream, width=width, highlight=False)
    screen(frame(rows), view(classes={"digits": 10}, **options), full=full, part=part, console=console)()
    return stream.getvalue()


def words(text: str) -> str:
    return " ".join(text.replace("•", " ").split())


def test_the_best_scale_is_said_beside_the_figures() -> None:
    made = words(shown(SCALED, 80))
    assert "snip, rate 0.9: of the scales 0, 0.25, 0.5, 1, 2 the best mean is at 0.5: 99.20 ± 0.16, +2.15 [" in made
    assert "freeze:scale=0.25" in made and "the best mean is at" not in words(shown(small(), 80))


@pytest.mark.parametrize("width", [80, 200])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("rows", [MANY, UNPAIRED, small(), SCALED], ids=["many", "unpaired", "small", "scales"])
def test_no_line_is_wider_than_the_terminal_and_no_number_is_broken(
    rows: list[dict[str, Any]], full: bool, width: int
) -> None:
    made = shown(rows, width, full=full)
    assert all(cell_len(line) <= width for line in made.splitlines())
    (analysis,) = analyses(frame(rows), view())
    number = analysis.view.shown_metric.number
    for cell in analysis.shown:
        text = f"{number(cell.summary.mean)} ± {number(cell.summary.sd)}"
        assert any(text in line for line in made.splitlines()), text


def test_the_answer_is_first_and_every_pair_is_there_with_its_rates() -> None:
    made = shown(MANY, 80)
    (analysis,) = analyses(frame(MANY), view(classes={"digits": 10}))
    first, second = answer_of([analysis])
    assert words(made).startswith(f"{first} {second}")
    for criterion in ("snip", "grasp"):
        assert re.findall(rf"^{criterion} +(0\.\d+) ", made, re.MULTILINE) == list(GRID)
    assert words(made).endswith(words(MORE))


def test_an_interval_stays_on_one_line() -> None:
    (analysis,) = analyses(frame(small()), view())
    intervals = [part + "]" for line in answer_of([analysis]) for part in re.findall(r"\[[^\]]*", line)]
    assert len(intervals) == 2
    for width in (61, 67, 73, 80):
        lines = shown(small(), width).splitlines()
        assert all(any(interval in line for line in lines) for interval in intervals), width


def test_a_wide_terminal_has_more_columns() -> None:
    assert "TOST Holm p" not in shown(small(), 80) and "TOST Holm p" in shown(small(), 200)
    assert "higher ↑, equivalent ≈ †2" in shown(small(), 200) and "↑ ≈ †2" in shown(small(), 80)


def test_methods_without_a_pair_stand_beside_the_reference() -> None:
    made = shown(small(), 80)
    assert "The methods without a pair, beside snip, by rate" in words(made)
    assert re.search(r"^grasp +81.00 ± 1.00 ↓ \(n = 3, 1 diverged, 1 failed\)$", made, re.MULTILINE)
    assert "seed 3 diverged (loss is nan at epoch 2)" in words(made)


def test_methods_not_at_initialisation_have_their_own_table() -> None:
    record = {**METHODS["snip"], "criterion": "magnitude", "at_initialisation": False}
    tickets = [trial("lth", "0.9", seed, 0.96 + seed / 100, record=record) for seed in range(5)]
    paired = [row for row in small() if row["method"] != "grasp"]
    made = words(shown([*paired, *tickets], 120))
    assert "without a pair" not in made and "98.00 ± 1.58 5" in made and "Not at initialisation: the masks" in made
    assert "without a pair, beside snip" in words(shown([*small(), *tickets], 120))
    assert "Not at initialisation" not in words(shown(small(), 120))


def test_what_is_only_in_full() -> None:
    short, full = words(shown(small(), 80)), words(shown(small(), 80, full=True))
    for detail in ("What each rate stores", "Percent of the dense baseline", "Family: 2 comparisons"):
        assert detail in full and detail not in short
    assert words(MORE) not in full


def test_one_part_is_alone() -> None:
    made = words(shown(small(), 80, part="storage"))
    assert made.startswith("digits · lenet-5-caffe stored") and "0.99 100 200 ×50.5" in made and "gains" not in made


def test_a_name_that_looks_like_markup_is_shown_as_it_is() -> None:
    rows = [trial("[red]x[/red]", "0.9", s, 0.9, record={**METHODS["grasp"], "criterion": "x"}) for s in range(2)]
    assert "[red]x[/red]" in shown([*small(), *rows], 80)


def test_an_empty_store_and_one_without_a_figure() -> None:
    assert "No trial to show: nothing can be said." in words(shown([], 80))
    rows = [trial("snip", "0.9", 0, 0.9)]
    assert "has the figure peak_memory_bytes" in words(shown(rows, 80, metric="peak_memory_bytes", margin=None))


def test_columns_without_room_stand_below_with_the_first_column() -> None:
    grid = Grid("", ["method", "0.9", "0.99"], [["snip", Bold("95.10 ± 0.16", " ↑"), "90.10 ± 0.16"]])
    (whole,) = tables(grid, 80)
    assert [str(column.header) for column in whole.columns] == ["method", "0.9", "0.99"]
    above, below = tables(grid, 24)
    headers = [[str(column.header) for column in table.columns] for table in (above, below)]
    assert headers == [["method", "0.9"], ["method", "0.99"]]


def test_a_table_below_repeats_the_method_and_the_rate() -> None:
    grid = Grid("", ["frozen", "pruned", "rate", "difference", "p"], [["freeze", "snip", "0.9", "+1.95", "0.001"]])
    headers = [[str(column.header) for column in table.columns] for table in tables(grid, 36)]
    assert headers == [["frozen", "pruned", "rate", "difference"], ["frozen", "pruned", "rate", "p"]]
