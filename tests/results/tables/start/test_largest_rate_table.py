"""The table of the largest rates: what its sentences judge, which methods are in it, and what its caption says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from started_trials import BASE, curve, dense
from trial_frames import METHODS, frame, trial

from bench import names
from bench.methods import METHODS as ALL
from bench.results.statistics.analysis import Analysis, analyses
from bench.results.statistics.view import View
from bench.results.tables.formats import Block, Bullets, Grid
from bench.results.tables.start import largest_rate_table
from bench.results.tables.start.largest_rate_words import title

STEEP = {"0.9": 0.0, "0.99": 0.02}  # within 1 point up to half-way between the two
STEEPER = {"0.9": 0.005, "0.99": 0.02}
EVERY_START = (None, BASE)


def store(seeds: int, *more: dict[str, Any]) -> list[dict[str, Any]]:
    """snip, for which a base allows a higher rate at every seed alike."""
    rows = [row for start in EVERY_START for row in dense(start, seeds)]
    return [*rows, *curve("snip", None, STEEPER, seeds), *curve("snip", BASE, STEEP, seeds), *more]


def blocks(rows: list[dict[str, Any]], **options: Any) -> list[Block]:
    shown = [analysis for analysis in analyses(frame(rows), View(**options)) if analysis.shown]
    return [block for analysis in shown for block in largest_rate_table.blocks(analysis)]


def sentences(rows: list[dict[str, Any]]) -> list[str]:
    (bullets,) = (block for block in blocks(rows) if isinstance(block, Bullets))
    return list(bullets.items)


def grids(rows: list[dict[str, Any]], **options: Any) -> list[Grid]:
    return [block for block in blocks(rows, **options) if isinstance(block, Grid)]


def trained_first(losses: Mapping[str, float], start: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    record = ALL["lth"].record()
    rates = [(rate, loss, seed) for rate, loss in losses.items() for seed in range(4)]
    return [
        {**row, "base_key": "x"} if start else row
        for rate, loss, seed in rates
        for row in [
            trial("lth", rate, seed, 0.9 + 0.01 * seed - loss, record=record, **({"start": start} if start else {}))
        ]
    ]


@pytest.mark.parametrize("n", [1, 2, 5, 9])
def test_too_few_seeds_judge_nothing(n: int) -> None:
    """All seeds agree, so that every interval excludes 0, and covers far less than it says."""
    assert sentences(store(n)) == [
        f"Within 1 point of dense, pretrained on mnist against scratch is not judged with n = {n} for 1 of 1 method "
        "(snip): below 10 seeds an interval is too narrow."
    ]


def test_ten_seeds_do_and_each_method_by_its_own() -> None:
    few = [row for start, of in ((None, STEEPER), (BASE, STEEP)) for row in curve("freeze", start, of, 3)]
    assert sentences(store(10)) == [
        "Within 1 point of dense, pretrained on mnist allows a higher rate for 1 of 1 method (snip) than scratch (95 % "
        "intervals, each by itself)."
    ]
    assert sentences(store(10, *few)) == [
        "Within 1 point of dense, pretrained on mnist allows a higher rate for 1 of 2 methods (snip) than scratch (95 "
        "% intervals, each by itself); pretrained on mnist against scratch is not judged with n = 3 for 1 of 2 methods "
        "(freeze): below 10 seeds an interval is too narrow."
    ]
    alike = [row for start in EVERY_START for row in (*dense(start, 10), *curve("snip", start, STEEP, 10))]
    assert sentences(alike) == [
        "Within 1 point of dense, no difference between pretrained on mnist and scratch is established for 1 of 1 "
        "method (snip) (95 % intervals, each by itself)."
    ]


def test_methods_not_at_initialisation_have_a_table_of_their_own_and_are_in_no_sentence() -> None:
    tickets = [*trained_first({"0.8": 0.0, "0.98": 0.005}), *trained_first({"0.8": 0.0, "0.98": 0.005}, BASE)]
    first, later = grids(store(4, *tickets))
    assert [row[0] for row in first.rows] == ["snip"] and "(0.9, 0.99)" in first.caption
    assert [row[0] for row in later.rows] == ["lth"] and "(0.8, 0.98)" in later.caption
    assert later.rows[0][1:3] == ["≥ 0.98", "≥ 0.98"]
    assert later.title == f"{first.title}, not at initialisation" and later.caption.startswith(f"{later.title}: the")
    assert sentences(store(4, *tickets)) == sentences(store(4))
    (only,) = grids([*dense(None), *trained_first({"0.8": 0.0})])
    assert only.title == later.title


def test_methods_with_other_rates_are_marked_and_named() -> None:
    other = [row for start in EVERY_START for row in curve("grasp", start, {"0.5": 0.0, "0.99": 0.02})]
    (grid,) = grids(store(4, *other, *curve("freeze", None, STEEP), *curve("freeze", BASE, STEEP)))
    marked = {row[0]: [str(entry).count("¶") for entry in row[1:3]] for row in grid.rows}
    assert marked == {"grasp": [1, 1], "freeze": [0, 0], "snip": [0, 0]}
    assert "of the grid (0.9, 0.99); between" in grid.caption
    assert (
        " ¶: has other rates; grasp from scratch: 0.5, 0.99; grasp from pretrained on mnist: 0.5, 0.99. <"
        in grid.caption
    )
    assert "¶" not in grids(store(4))[0].caption


def test_rates_of_whole_filters_are_those_asked_for() -> None:
    record = {**METHODS["snip"], "scope": "filter"}
    rows = [trial("filters", q, s, 0.9 + 0.01 * s, record=record) for q in ("0.9", "0.99") for s in range(4)]
    counted = [row | {names.LIVE_WEIGHTS: row[names.LIVE_WEIGHTS] - 50} for row in rows]
    (grid,) = grids([*dense(None), *counted])
    assert "of the grid (0.9, 0.99); between" in grid.caption and "¶" not in grid.caption
    assert "The rates are those asked for; of whole filters the loss is taken at the rates counted." in grid.caption


@pytest.mark.parametrize(
    ("seeds", "said", "not_said"),
    [
        (1, "n = 1 seed ", "[ ]"),
        (4, "the same for every start and method; ", "of the same seeds"),
        (4, "Below 10 seeds such an interval is too narrow, and nothing is judged by it.", "Diverged"),
        (10, "the same for every start and method; ", "too narrow"),
    ],
)
def test_the_caption_explains_intervals_that_are_there(seeds: int, said: str, not_said: str) -> None:
    (grid,) = grids(store(seeds))
    assert said in grid.caption and not_said not in grid.caption


def test_resamples_differ_if_seeds_do() -> None:
    (grid,) = grids(store(4, *curve("freeze", None, STEEP, 3)))
    assert "of whole seeds, the same for all of the same seeds; it covers" in grid.caption


def test_starts_that_are_filtered_are_there_still_as_they_are_what_differs() -> None:
    (whole,) = grids(store(4))
    (cut,) = grids(store(4), starts=("pretrained on mnist",))
    assert cut.headers == whole.headers and cut.rows == whole.rows
    assert [row[0] for row in grids(store(4, *curve("grasp", None, STEEP)), methods=("snip",))[0].rows] == ["snip"]


def test_the_title_names_the_margin() -> None:
    analysis: Analysis = analyses(frame(store(2)), View(within=0.0075))[0]
    assert title(analysis) == "Largest rate within 0.75 points of the method's own dense network"
