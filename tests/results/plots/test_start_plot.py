"""The largest rates from each start, and what a start adds: where the markers and the bars stand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rendered import plot
from started_trials import BASE, Losses, curve, dense
from trial_frames import METHODS, frame, trial

from bench.results.plots.widths import COLUMN

GREY, BLUE = "#666666", "#0072B2"
WITHIN: Losses = {"0.9": 0.0, "0.99": 0.0}
BEYOND: Losses = {"0.9": 0.02, "0.99": 0.03}
BETWEEN: Losses = {"0.9": (0.004, 0.006, 0.005, 0.005), "0.99": 0.015}


def no_histories(run_ids: Sequence[str], metric: str) -> pd.DataFrame:
    raise AssertionError("only gradients have a history")


def drawn(from_scratch: Losses, losses: Losses, **more: Any) -> Figure:
    rows = [
        row
        for start, of in ((None, from_scratch), (BASE, losses))
        for row in (*dense(start), *curve("snip", start, of))
    ]
    return plot(frame(rows), "start", no_histories, **more)


def markers(axes: Axes) -> list[tuple[str, str, float]]:
    """Colour, marker and x of what is drawn as a point."""
    points = (line for line in axes.lines if line.get_marker() != "None")
    return [(str(line.get_color()), str(line.get_marker()), float(line.get_xdata()[0])) for line in points]


def bars(axes: Axes, width: float) -> list[tuple[float, float]]:
    """The ends of the lines of that width, a vertical one aside."""
    lines = (line for line in axes.lines if line.get_linewidth() == width and line.get_marker() == "None")
    ends = [(float(line.get_xdata()[0]), float(line.get_xdata()[-1])) for line in lines]
    return [pair for pair in ends if pair != (1.0, 1.0)]


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_a_marker_and_a_bar_for_each_start_and_the_factor_beside_them() -> None:
    left, right = drawn(BETWEEN, {"0.9": 0.0, "0.98": 0.01, "0.99": 0.02}).axes
    assert [label.get_text() for label in left.get_yticklabels()] == ["snip"]
    (grey, square, at), (blue, _, best) = markers(left)
    assert (grey, square, blue) == (GREY, "s", BLUE)
    assert at == pytest.approx(10**-1.5) and best == pytest.approx(0.02)
    assert markers(right) == [(BLUE, "s", pytest.approx(10**-1.5 / 0.02))]
    low, high = bars(left, 1.5)[0]
    assert low > at > high
    assert left.get_xlabel() == "largest rate within 1 point of dense"


def test_what_lies_beyond_the_grid_points_outwards() -> None:
    left, right = drawn(BEYOND, WITHIN).axes
    assert markers(left) == [(GREY, "<", pytest.approx(0.1)), (BLUE, ">", pytest.approx(0.01))]
    assert markers(right) == [(BLUE, ">", pytest.approx(10))]
    names = legend(drawn(BEYOND, WITHIN))
    assert names[:2] == ["scratch", "pretrained on mnist"] and names[2:] == [
        "pruned", "at most, or below the lowest rate", "at least",
    ]  # fmt: skip
    inverse = drawn(WITHIN, BEYOND).axes[1]
    assert markers(inverse) == [(BLUE, "<", pytest.approx(0.1))]


def test_a_factor_between_two_known_ends_is_a_broad_bar() -> None:
    figure = drawn(BEYOND, {"0.9": 0.01, "0.99": 0.02})
    assert bars(figure.axes[1], 4) == [(pytest.approx(1), pytest.approx(10))]
    assert "known by its ends only" in legend(figure)


def test_without_another_start_there_is_one_panel_and_the_margin_is_named() -> None:
    rows = [*dense(None), *curve("snip", None, BETWEEN)]
    figure = plot(frame(rows), "start", no_histories, within=0.0075)
    (axes,) = figure.axes
    assert axes.get_xlabel() == "largest rate within 0.75 points of dense" and legend(figure)[0] == "scratch"
    assert figure.subfigs[0].get_suptitle() == "digits · lenet-5-caffe"


def test_in_a_column_the_panels_stand_below_one_another() -> None:
    left, right = drawn(BETWEEN, WITHIN, width=COLUMN).axes
    assert left.get_position().y0 > right.get_position().y1
    assert [label.get_text() for label in right.get_yticklabels()] == ["snip"]


ONE_BASE = {**BASE, "seed": 0}


def test_a_start_has_one_colour_in_every_block() -> None:
    """The second block has no network of the first one's second start."""
    large = [
        {**row, **trial(row["method"], row["rate"], row["seed"], row["test_accuracy"], model="lenet-300-100", **start)}
        for fields in (None, ONE_BASE)
        for row in (*dense(fields), *curve("snip", fields, BETWEEN))
        for start in [{"start": fields} if fields else {}]
    ]
    small = [row for start in (None, BASE, ONE_BASE) for row in (*dense(start), *curve("snip", start, BETWEEN))]
    figure = plot(frame([*large, *small]), "start", no_histories)
    entries = zip(figure.legends[0].get_lines(), legend(figure), strict=True)
    colours = {name: str(line.get_color()) for line, name in entries}
    one, own = "pretrained on mnist, base of seed 0 for all", "pretrained on mnist"
    blocks = [[colour for colour, _, _ in markers(axes)] for axes in figure.axes if axes.get_xlabel().startswith("la")]
    assert blocks == [[GREY, colours[one]], [GREY, colours[own], colours[one]]]
    assert colours["scratch"] == GREY and len({GREY, colours[own], colours[one]}) == 3


def test_a_method_has_one_row_whatever_its_label_at_a_start() -> None:
    """From the base the name snip belongs to two methods, one of which is that from scratch."""
    record = {**METHODS["snip"], "mode": "train"}
    other = [trial("snip", q, s, 0.9, record=record, start=BASE) for q in BETWEEN for s in range(4)]
    rows = [row for start in (None, BASE) for row in (*dense(start), *curve("snip", start, BETWEEN))]
    left = plot(frame([*rows, *other]), "start", no_histories).axes[0]
    heights = [round(float(line.get_ydata()[0])) for line in left.lines if line.get_marker() != "None"]
    assert sorted(heights) == [0, 1, 1]
    assert [label.get_text() for label in left.get_yticklabels()] == ["snip (mode=train)", "snip (mode=absent)"]


def note(rows: list[dict[str, Any]]) -> str:
    figure = plot(frame(rows), "start", no_histories)
    return " ".join(" ".join(text.get_text().split()) for text in figure.texts)


def test_the_note_explains_bars_that_are_there() -> None:
    one, four = ([*dense(None, n), *curve("snip", None, BETWEEN, n)] for n in (1, 4))
    assert "n = 1 seeds" not in note(one) and "n = 1 seed " in note(one) and "Bars:" not in note(one)
    assert "resamples of whole seeds, the same for all; one" in note(four)
    three = curve("freeze", None, BETWEEN, 3)
    assert "resamples of whole seeds, the same for all of the same seeds; one" in note([*four, *three])


def test_nothing_to_show_without_a_dense_network_of_the_start() -> None:
    with pytest.raises(ValueError, match="plot start: no method is shown that has a dense network"):
        plot(frame([trial("snip", "0.9", 0, 0.9)]), "start", no_histories)
