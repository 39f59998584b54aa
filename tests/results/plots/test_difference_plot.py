"""Freeze − prune over the rate, and what becomes of plots and sentences where there are many criteria."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import pytest
from matplotlib.colors import same_color
from matplotlib.figure import Figure
from rendered import plot
from trial_frames import METHODS, frame, small, trial

from bench import names
from bench.results.frame.sections import sections
from bench.results.page.report import report
from bench.results.statistics.analysis import analyse, analyses
from bench.results.statistics.view import View
from bench.results.tables.freeze_vs_prune import MANY, answer, matrix

T4 = 2.7764451051977987  # 0.975 quantile of Student's t with 4 degrees of freedom


def no_histories(run_ids: Sequence[str], metric: str) -> pd.DataFrame:
    raise AssertionError("only gradients have a history")


def drawn(rows: list[dict[str, Any]], kind: str = "difference", **more: Any) -> Figure:
    return plot(frame(rows), kind, no_histories, classes={"digits": 10}, **more)


def criteria(count: int) -> list[dict[str, Any]]:
    """So many criteria, each frozen and pruned at two rates of three seeds; freezing is higher by 3 points a place."""
    rows = [trial("dense", "0", seed, 0.99) for seed in range(3)]
    for place in range(count):
        for background, gain in (("freeze", 0.03 * place), ("prune", -0.01)):
            record = {**METHODS["snip"], "criterion": f"c{place:02}", "background": background}
            rows += [
                trial(f"c{place:02}-{background}", rate, seed, 0.7 + 0.05 * gain * seed + gain, record=record)
                for rate in ("0.9", "0.99")
                for seed in range(3)
            ]
    return rows


def said(figure: Figure) -> str:
    return " ".join(text.get_text() for text in figure.texts).replace("\n", " ").replace("\u00a0", " ")


def test_what_rests_on_seeds_near_chance_is_hollow() -> None:
    rows = [trial("freeze", rate, seed, 0.9) for rate in ("0.9", "0.99") for seed in range(4)]
    rows += [trial("snip", rate, s, 0.1 if rate == "0.99" and s else 0.8) for rate in ("0.9", "0.99") for s in range(4)]
    made = drawn(rows)
    (axes,) = [axes for axes in made.axes if axes.get_visible()]
    faces = {round(1 - float(p.lines[0].get_xdata()[0]), 6): p.lines[0].get_markerfacecolor() for p in axes.containers}
    assert faces[0.99] == "white" and faces[0.9] != "white"
    legend = [text.get_text() for text in made.legends[0].get_texts()]
    assert legend[-1] == "hollow: seeds near chance"
    assert "hollow: seeds near chance" not in [text.get_text() for text in drawn(small()).legends[0].get_texts()]


def test_means_intervals_and_verdicts() -> None:
    """d = 0.02 - e/2 with e = 0, 2, -1, 1, 3 thousandths at 0.9, which Holm marks; at 0.99 the two are equivalent."""
    (axes,) = [axes for axes in drawn(small()).axes if axes.get_visible()]
    assert axes.get_title() == "snip" and axes.get_yscale() == "linear"
    points = {round(1 - float(p.lines[0].get_xdata()[0]), 6): p for p in axes.containers}
    assert points[0.9].lines[0].get_ydata() == pytest.approx([1.95])
    errors = [0.0, 0.2, -0.1, 0.1, 0.3]
    sd = (sum((e / 2 - 0.05) ** 2 for e in errors) / 4) ** 0.5
    low, top = (end[1] for end in points[0.9].lines[2][0].get_segments()[0])
    assert (top - low) / 2 == pytest.approx(T4 * sd / 5**0.5)
    colours = {rate: p.lines[0].get_color() for rate, p in points.items()}
    markers = {rate: p.lines[0].get_marker() for rate, p in points.items()}
    assert same_color(colours[0.9], "#0072B2") and markers == {0.9: "^", 0.99: "D"}
    assert "over n = 5 pairs" in said(drawn(small())) and "margin of ±0.50 points" in said(drawn(small()))


def test_large_differences_are_on_a_logarithmic_scale_named_by_plain_numbers() -> None:
    made = drawn(criteria(6))  # up to 0.15 + 0.01: 16 points
    made.draw_without_rendering()
    axes = made.axes[0]
    assert axes.get_yscale() == "symlog"
    assert [label.get_text() for label in axes.get_yticklabels()] == ["0", "+1", "+3", "+10"]
    assert "beyond on a logarithmic scale" in said(made)
    assert "beyond on a logarithmic scale" not in said(drawn(small()))


def test_a_panel_alone_has_proportions_of_its_own() -> None:
    heights = []
    for count in (1, 2, 4):
        made = drawn(criteria(count))
        made.draw_without_rendering()
        box = made.axes[0].get_window_extent()
        heights.append(box.height / box.width)
    assert 0.3 < heights[0] < heights[1] < heights[2] < 1
    assert made.subfigs[0]._supxlabel.get_text() == "rate: share of the weights that is not trained"


def test_only_pairs_of_which_both_are_shown() -> None:
    titles = [axes.get_title() for axes in drawn(criteria(2), methods=["c00-freeze", "c00-prune", "c01-freeze"]).axes]
    assert titles == ["c00-prune"]
    with pytest.raises(ValueError, match="no frozen and pruned method that choose the same weights are shown"):
        drawn([trial("snip", "0.9", 0, 0.9), trial("grasp", "0.9", 0, 0.9)])


def test_rates_rise_to_the_right_whatever_the_number_of_panels() -> None:
    for kind in ("difference", "accuracy"):
        for count in (1, 2, 7, 8):
            made = drawn(criteria(count), kind)
            for axes in made.axes:
                left, right = axes.get_xlim()
                assert left > right, (kind, count)  # densities fall
            assert [label.get_text() for label in made.axes[-1].get_xticklabels()] == ["0.9", "0.99"]


def test_many_methods_have_a_panel_per_criterion() -> None:
    few, many = drawn(criteria(6), "accuracy"), drawn(criteria(7), "accuracy")
    assert [axes.get_title() for axes in few.axes] == [""]
    shown = [axes for axes in many.axes if axes.get_visible()]
    assert [axes.get_title() for axes in shown] == [f"c{place:02}-prune" for place in range(7)]
    for axes in shown:
        assert sum(line.get_label() == "dense" for line in axes.lines) == 1
    assert {axes.get_ylim() for axes in shown} == {shown[0].get_ylim()}  # all that is drawn is within
    low, high = shown[0].get_ylim()
    assert low <= 70 and high >= 99
    assert [text.get_text() for text in many.legends[0].get_texts()] == ["dense", "frozen", "pruned"]


def test_many_comparisons_are_a_table_and_few_a_sentence() -> None:
    few, many = (analyse(sections(frame(criteria(n))), View(reference="c00-prune"))[0] for n in (6, 7))
    assert len(few.primary.comparisons) == MANY and matrix(few) is None and "c00-prune at 0.9, 0.99" in answer(few)[0]
    (filtered,) = analyses(frame(criteria(7)), View(reference="c00-prune", methods=["c00-prune"]))
    assert len(filtered.shown_primary) == 2 and matrix(filtered) is None
    assert "at 0.9" not in answer(many)[0]
    grid = matrix(many)
    assert grid is not None and grid.headers == ["criterion", "0.9", "0.99"]
    assert [row[0] for row in grid.rows] == [f"c{place:02}-prune" for place in range(7)]
    c = many.primary.comparisons[-1]
    assert c.verdict == "higher" and c.reference == "c06-prune"
    low, high = (f"{100 * end:+.2f}" for end in (c.interval.low, c.interval.high))
    assert grid.rows[-1][-1] == f"{100 * c.difference:+.2f} [{low}, {high}] ↑"


def test_the_page_draws_the_reference_alone_where_methods_are_many() -> None:
    rows = [row | {names.GRAD_NORM_LIVE: 1.0} for row in [*criteria(7), *small()]]
    asked: list[Sequence[str]] = []

    def histories(run_ids: Sequence[str], metric: str) -> pd.DataFrame:
        asked.append(run_ids)
        return pd.DataFrame(
            [(run, epoch, 1.0) for run in run_ids for epoch in (0, 1)], columns=["run_id", "epoch", "value"]
        )

    report(frame(rows), View(classes={"digits": 10}), histories, [], "page")
    wanted = frame(rows)
    wanted = wanted[wanted["method"].isin(["snip", "freeze", "dense"])]
    assert asked and set(asked[0]) <= set(wanted["run_id"])
