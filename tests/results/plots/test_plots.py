"""The plots, by what is drawn: positions worked out by hand, colours, lines and markers, and the files written."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from rendered import plot
from trial_frames import frame, small, trial

from bench import names
from bench.results.plots.plot_page import svg, write

T2 = 4.302652729911275  # 0.975 quantile of Student's t with 2 degrees of freedom
BLUE, VERMILLION, BLACK = "#0072b2", "#d55e00", "#000000"


def no_histories(run_ids: Sequence[str], metric: str) -> pd.DataFrame:
    raise AssertionError("only gradients have a history")


def accuracy(rows: list[dict[str, Any]], **more: Any) -> tuple[Figure, Axes]:
    made = plot(frame(rows), "accuracy", no_histories, classes={"digits": 10}, **more)
    return made, made.axes[0]


def line(axes: Axes, label: str) -> Line2D:
    (found,) = [found for found in axes.lines if found.get_label() == label]
    return found


def said(figure: Figure) -> str:
    """The notes and the legend, their lines joined."""
    notes = " ".join(text.get_text() for text in figure.texts)
    legend = " | ".join(text.get_text() for text in figure.legends[0].get_texts())
    return f"{notes} / {legend}".replace("\n", " ").replace("\u00a0", " ")


def three(method: str, rate: str, middle: float, **more: Any) -> list[dict[str, Any]]:
    """Three seeds at middle - 0.02, middle, middle + 0.02: their standard deviation is 0.02."""
    return [trial(method, rate, seed, middle + 0.02 * (seed - 1), **more) for seed in range(3)]


def test_a_line_has_the_means_over_the_density_and_a_band_of_t_intervals() -> None:
    made, axes = accuracy([*three("snip", "0.9", 0.90), *three("snip", "0.99", 0.70)])
    found = line(axes, "snip")
    assert found.get_xdata() == pytest.approx([0.1, 0.01])
    assert found.get_ydata() == pytest.approx([90, 70])
    (band,) = axes.collections
    corners = {(round(x, 6), round(y, 6)) for x, y in band.get_paths()[0].vertices}
    half = 100 * T2 * 0.02 / math.sqrt(3)
    assert corners == {(x, round(y, 6)) for x, m in ((0.1, 90), (0.01, 70)) for y in (m - half, m + half)}
    assert "Test accuracy after the last epoch: mean and 95 % t interval over n = 3 seeds." in said(made)


def test_one_seed_has_no_band() -> None:
    _, axes = accuracy([trial("snip", "0.9", 0, 0.9), trial("snip", "0.99", 0, 0.7)])
    assert line(axes, "snip").get_ydata() == pytest.approx([90, 70])
    assert all(not len(path.vertices) for band in axes.collections for path in band.get_paths())


def test_twins_share_a_colour_and_differ_in_line_and_marker_as_criteria_do_in_both() -> None:
    _, axes = accuracy(small())
    looks = {
        name: (found.get_color(), found.get_linestyle(), found.get_marker(), found.get_markerfacecolor())
        for name in ("freeze", "snip", "grasp")
        if (found := line(axes, name))
    }
    assert looks == {
        "freeze": (BLUE, "-", "o", BLUE),
        "snip": (BLUE, "--", "s", BLUE),
        "grasp": (VERMILLION, "--", "v", VERMILLION),
    }


def test_every_selection_has_a_colour_of_its_own() -> None:
    rows = [
        trial(f"m{number}", "0.9", 0, 0.9, record={"criterion": f"c{number}", "background": "freeze"})
        for number in range(10)
    ]
    _, axes = accuracy(rows)
    assert len({line(axes, f"m{number}").get_color() for number in range(10)}) == 10


def test_the_dense_baseline_is_a_level_with_a_band() -> None:
    _, axes = accuracy([*three("dense", "0", 0.95), *three("snip", "0.9", 0.9)])
    dense = line(axes, "dense")
    assert (dense.get_color(), dense.get_ydata()) == (BLACK, pytest.approx([95, 95]))
    (span,) = axes.patches
    half = 100 * T2 * 0.02 / math.sqrt(3)
    box = span.get_path().transformed(span.get_patch_transform()).get_extents()
    assert (box.y0, box.y1) == (pytest.approx(95 - half), pytest.approx(95 + half))


@pytest.mark.parametrize(("low", "drawn"), [(0.5, False), (0.05, True)])
def test_chance_stands_only_where_the_axis_reaches_it(low: float, drawn: bool) -> None:
    made, axes = accuracy([trial("snip", "0.9", 0, 0.9), trial("snip", "0.99", 0, low)])
    assert ("chance" in [found.get_label() for found in axes.lines]) == drawn == ("chance" in said(made))
    if drawn:
        assert (line(axes, "chance").get_ydata(), line(axes, "chance").get_linestyle()) == ([10, 10], ":")


def test_collapsed_cells_have_open_markers() -> None:
    made, axes = accuracy(small())
    opened = [found for found in axes.lines if found.get_label() == "_open" and len(found.get_xdata())]
    assert sorted((found.get_marker(), found.get_xdata()[0]) for found in opened) == [("o", 0.01), ("s", 0.01)]
    assert {found.get_markerfacecolor() for found in opened} == {"white"}
    assert line(axes, "snip").get_markevery() == [0]  # its own marker at 0.9 only
    assert "open: a seed without a path of live weights" in said(made)


def test_cells_with_fewer_seeds_are_named() -> None:
    made, axes = accuracy(small())
    assert line(axes, "grasp").get_ydata() == pytest.approx([94.6, 81.0])
    assert "n = 3 of 5: grasp 0.99. n = 4 of 5: grasp 0.9." in said(made)


def test_filters_hide_and_change_neither_number_nor_colour() -> None:
    _made, axes = accuracy(small(), methods=["grasp"], rates=["0.99"])
    assert [found.get_label() for found in axes.lines if not found.get_label().startswith("_")] == ["grasp", "dense"]
    assert (line(axes, "grasp").get_color(), list(line(axes, "grasp").get_ydata())) == (VERMILLION, [81.0])
    with pytest.raises(ValueError, match=r"unknown method 'graps': must be one of .*; did you mean grasp"):
        accuracy(small(), methods=["graps"])


def test_ticks_are_the_rates_and_never_overlap() -> None:
    few = accuracy([trial("snip", rate, 0, 0.9) for rate in ("0.9", "0.99", "0.999")])[1]
    assert [label.get_text() for label in few.get_xticklabels()] == ["0.9", "0.99", "0.999"]
    assert few.get_xlim()[0] > few.get_xlim()[1]  # reversed: the rate rises to the right
    rates = [f"0.{n}" for n in range(9000, 9990, 30)]
    made, many = accuracy([trial("snip", rate, 0, 0.9) for rate in rates])
    made.draw_without_rendering()
    assert len(many.get_xticks()) == len(rates)
    boxes = [label.get_window_extent() for label in many.get_xticklabels() if label.get_text()]
    assert 5 < len(boxes) < len(rates)
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))


def test_accuracies_that_crowd_at_the_top_are_on_the_scale_of_the_error() -> None:
    made, axes = accuracy(
        [trial("snip", "0.9", 0, 0.999), trial("snip", "0.99", 0, 0.98), trial("dense", "0", 0, 0.99)]
    )
    assert line(axes, "snip").get_ydata() == pytest.approx([99.9, 98])  # drawn and named are accuracies
    assert "Accuracies: on a logarithmic scale of the error." in said(made)
    place = axes.yaxis.get_transform().transform
    assert place(np.array([99.9])) - place(np.array([99])) == pytest.approx(1)  # a tenth of the error
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["98", "98.5", "99", "99.5", "99.8", "99.9"] or labels == ["98", "99", "99.5", "99.8", "99.9"]
    for lower in (0.5, 1.0):  # half of them far below, or one without an error
        made, axes = accuracy([trial("snip", "0.9", 0, 0.999), trial("snip", "0.99", 0, lower)])
        assert axes.get_yscale() == "linear" and "scale of the error" not in said(made)


@pytest.mark.parametrize("width", [7.2, 3.5])
def test_letters_and_panels_stand_within_the_width_asked_for(width: float) -> None:
    made, axes = accuracy(small(), width=width)
    made.draw_without_rendering()
    assert made.get_figwidth() == width
    for text in (*made.texts, made.subfigs[0]._supxlabel, *made.legends, axes):
        box = text.get_tightbbox()
        assert box.x0 >= 0 and box.x1 <= made.bbox.x1


def test_an_svg_is_light_on_dark_for_who_likes_that() -> None:
    assert svg(accuracy(small())[0]).count(b"prefers-color-scheme: dark") == 1


def test_a_panel_per_section() -> None:
    rows = [*three("snip", "0.9", 0.9), *three("snip", "0.9", 0.8, lr=0.01)]
    made = plot(frame(rows), "accuracy", no_histories)
    assert [part.get_suptitle() for part in made.subfigs] == [
        "digits · lenet-5-caffe · lr = 0.01", "digits · lenet-5-caffe · lr = 0.1",
    ]  # fmt: skip
    assert [float(line(axes, "snip").get_ydata()[0]) for axes in made.axes] == pytest.approx([80, 90])


def test_nothing_to_show_is_an_error() -> None:
    rows = [trial("snip", "0.9", 0, None, outcome=names.DIVERGED)]
    with pytest.raises(ValueError, match="plot accuracy: no trial shown has the figure test_accuracy"):
        accuracy(rows)
    with pytest.raises(ValueError, match=r"unknown plot 'acuracy': must be one of .*; did you mean accuracy"):
        plot(frame(rows), "acuracy", no_histories)


MAGIC = {".png": b"\x89PNG\r\n\x1a\n", ".svg": b"<?xml", ".pdf": b"%PDF-"}


@pytest.mark.parametrize("suffix", [*MAGIC, ".PNG"])
def test_the_suffix_names_the_format_and_the_same_data_give_the_same_bytes(suffix: str, tmp_path: Path) -> None:
    for name in ("one", "two"):
        write(accuracy(small())[0], tmp_path / f"{name}{suffix}")
    one, two = ((tmp_path / f"{name}{suffix}").read_bytes() for name in ("one", "two"))
    assert one.startswith(MAGIC[suffix.lower()]) and one == two
    assert len(list(tmp_path.iterdir())) == 2


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(b"before")
    made, _ = accuracy(small())
    made.text(0.5, 0.5, r"$\nonsense$")  # raises when it is drawn
    with pytest.raises(ValueError):
        write(made, file)
    assert (file.read_bytes(), list(tmp_path.iterdir())) == (b"before", [file])
    with pytest.raises(ValueError, match="cannot be written: No such file or directory"):
        write(accuracy(small())[0], tmp_path / "nowhere" / "a.png")


def test_the_legend_covers_no_data() -> None:
    made, axes = accuracy(small())
    made.draw_without_rendering()
    legend, panel = made.legends[0].get_window_extent(), axes.get_tightbbox()
    assert panel is not None and legend.y1 <= panel.y0
    assert made.texts[0].get_window_extent().y1 <= legend.y0
    assert np.all(legend.get_points() >= 0) and legend.x1 <= made.bbox.x1
