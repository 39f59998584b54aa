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
from trial_frames import frame, trial

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


def test_nothing_to_show_without_a_dense_network_of_the_start() -> None:
    with pytest.raises(ValueError, match="plot start: no method is shown that has a dense network"):
        plot(frame([trial("snip", "0.9", 0, 0.9)]), "start", no_histories)
