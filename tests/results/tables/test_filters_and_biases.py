"""What tables and plots say of whole filters, which seldom fill a rate, and of biases alone, which are at rate 1."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from typing import Any

import pandas as pd
import pytest
from rendered import plot, render, view
from trial_frames import WEIGHTS, frame, small, trial

from bench import names
from bench.results.paper.cite import citation
from bench.results.statistics.analysis import analyses

FLOOR = {"criterion": "none", "scope": "global", "background": "freeze", "select": "Biases"}
FILTERS = {
    background: {"criterion": "snip", "scope": "filter", "background": background, "select": "one-shot"}
    for background in ("freeze", "prune")
}


def floor() -> list[dict[str, Any]]:
    return [trial("biases", "1", seed, 0.4 + 0.01 * seed, record=FLOOR, collapsed=4) for seed in range(5)]


def filters(lives: Sequence[int], rate: str = "0.9", background: str = "freeze") -> list[dict[str, Any]]:
    """Trials of whole filters, a seed each, with so many live weights."""
    name = f"filter-snip-{background}"
    return [
        trial(name, rate, seed, 0.93 + 0.001 * seed, record=FILTERS[background])
        | {names.LIVE_WEIGHTS: live, names.STORED_PARAMETERS: live + 100}
        for seed, live in enumerate(lives)
    ]


def test_the_rate_of_whole_channels_is_that_of_all_parameters() -> None:
    """A budget of parameters is not filled to the last one, and its rate is not that of the maskable weights."""
    record = {"criterion": "uniform-width", "scope": "global", "background": "prune", "closes_channels": True}
    rows = [
        trial("uniform-width", "0.9", seed, 0.93, record=record)
        | {names.STORED_PARAMETERS: stored, names.TOTAL_PARAMETERS: 1_000, names.LIVE_WEIGHTS: 7}
        for seed, stored in enumerate((96, 98))
    ]
    cell = next(c for c in analyses(frame([*small(), *rows]), view())[0].cells if c.label == "uniform-width")
    assert cell.realised == (0.902, 0.904) and cell.density == pytest.approx(0.097)


def no_histories(run_ids: Sequence[str], metric: str) -> pd.DataFrame:
    raise AssertionError("only gradients have a history")


def grid(text: str) -> dict[str, list[str]]:
    """The first table, which is of the figures: first entry of a row -> the others."""
    table = next(block for block in text.split("\n\n") if block.startswith("| "))
    lines = [re.split(r"\s*\|\s*", line.strip("| ")) for line in table.splitlines() if line.startswith("| ")]
    return {line[0]: line[1:] for line in lines}


def test_biases_stand_beside_dense_and_in_no_column() -> None:
    said = render(frame([*small(), *floor()]))
    assert "Biases and BatchNorm alone (rate 1): 42.00 ± 1.58 %, n = 5." in said
    assert grid(said)["method"] == ["0.9", "0.99"] and "biases" not in grid(said)
    assert re.search(r"\| 1 +\| 0 +\| 100 +\| ×101.0", said)  # what rate 1 stores: no weight, 100 others


def test_biases_change_no_number_of_the_others() -> None:
    without, beside = (analyses(frame(rows), view())[0] for rows in (small(), [*small(), *floor()]))
    assert repr([c for c in beside.cells if c.rated]) == repr([c for c in without.cells if c.rated])
    assert repr(beside.primary) == repr(without.primary) and repr(beside.secondary) == repr(without.secondary)
    assert without.biases is None and beside.biases is not None and not beside.biases.rated
    assert beside.dense == without.dense


def test_biases_are_named_among_those_that_are_not_compared() -> None:
    assert "every method but snip, biases and dense × every rate" in render(frame([*small(), *floor()]))
    assert "every method but snip and dense × every rate" in render(frame(small()))


def test_biases_in_records_hold_their_initial_values() -> None:
    rows = [*small(), *floor()]
    (row,) = [row for row in csv.DictReader(io.StringIO(render(frame(rows), format="csv"))) if row["label"] == "biases"]
    assert (row["rate"], row["background"], row["live_weights"]) == ("1", "freeze", "0.0")
    cells = json.loads(render(frame(rows), format="json"))["sections"][0]["cells"]
    assert [cell["background"] for cell in cells if cell["rate"] == "1"] == ["freeze"]


def test_biases_are_no_reference_and_shown_with_every_choice() -> None:
    with pytest.raises(ValueError, match="reference biases: must be a method with rates"):
        view(reference="biases")
    rows = frame([*small(), *floor()])
    assert "Biases and BatchNorm alone (rate 1)" in render(rows, methods=["snip"], rates=["0.9"])


def test_biases_are_a_level_in_the_plot_of_accuracies() -> None:
    axes = plot(frame([*small(), *floor()]), "accuracy", no_histories, classes={"digits": 10}).axes[0]
    (line,) = [line for line in axes.lines if line.get_label() == "biases"]
    assert list(line.get_ydata()) == pytest.approx([42.0, 42.0]) and list(line.get_xdata()) == [0, 1]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0.9", "0.99"]


def test_biases_are_cited_by_their_paper() -> None:
    text = citation(frame([*small(), *floor()]), view(classes={"digits": 10}))
    assert r"The floor, biases alone~\cite{frankle2021training}, trains no weight." in text
    assert "@inproceedings{frankle2021training," in text


@pytest.mark.parametrize(
    ("lives", "rate", "after"),
    [
        ([964, 964], "0.9", " @0.9036"),
        ([964, 970], "0.9", " @0.9030–0.9036"),
        ([1000, 1000], "0.9", ""),  # they fill it
        ([1000, 990], "0.9", " @0.9000–0.9010"),
        ([3, 3], "0.999", " @0.999700"),
        ([0, 0], "0.999", " †2 @1.0000"),
    ],
)
def test_an_entry_of_whole_filters_has_its_realised_rate(lives: list[int], rate: str, after: str) -> None:
    said = render(frame(filters(lives, rate)))
    (entry,) = grid(said)["filter-snip-freeze"]
    assert entry == f"93.05 ± 0.07{after}"
    assert ("@: the realised rate of whole filters, counted;" in said) is ("@" in after)
    assert ("the same number of parameters, or fewer if it chooses whole filters." in said) is bool(after)


def test_unequal_counts_are_explained_by_whole_filters() -> None:
    plain = [trial("snip", "0.9", seed, 0.9) for seed in range(2)]
    said = render(frame([*plain, *filters([964, 970])]))
    why = "; whole filters seldom fill the rate, so compare them at their realised rates."
    assert f"the methods do not store equally many parameters (1,064 to 1,100){why}" in said
    uneven = [{**row, names.STORED_PARAMETERS: 1101} if i else row for i, row in enumerate(plain)]
    assert "equally many parameters (1,100 to 1,101)." in render(frame(uneven))


def test_plots_have_whole_filters_at_their_realised_rates() -> None:
    rows = [row for background in FILTERS for row in filters([964, 970], background=background)]
    figure = plot(frame([*rows, *small()]), "accuracy", no_histories, classes={"digits": 10})
    lines = {line.get_label(): list(line.get_xdata()) for line in figure.axes[0].lines}
    assert lines["filter-snip-freeze"] == lines["filter-snip-prune"] == pytest.approx([967 / WEIGHTS])
    assert lines["snip"] == pytest.approx([0.1, 0.01])
    note = "Whole filters stand at their realised rates."
    assert note in " ".join(" ".join(text.get_text().split()) for text in figure.texts)
    other = plot(frame([*rows, *small()]), "difference", no_histories, classes={"digits": 10})
    drawn = {float(x) for axes in other.axes for line in axes.lines for x in line.get_xdata()}
    assert any(x == pytest.approx(967 / WEIGHTS) for x in drawn)
