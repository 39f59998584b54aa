"""The question as a curve: which scales are beside each other, and that they change no verdict of freeze or prune."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

import pytest
from rendered import plot, render, view
from scaled_trials import scaled
from trial_frames import frame, small

from bench.results.frame.errors import NothingToShowError
from bench.results.parts import part_page
from bench.results.plots.plots import METRICS
from bench.results.statistics.analysis import Analysis, analyses
from bench.results.statistics.comparisons import Rules
from bench.results.statistics.scales import scale_curves
from bench.results.tables.costs import computed

STORE = [*small(), *scaled()]


def analysis_of(rows: Sequence[dict[str, Any]], **options: Any) -> Analysis:
    (one,) = analyses(frame(list(rows)), view(**options))
    return one


def test_a_curve_has_every_scale_of_one_choice_of_weights() -> None:
    (curve,) = scale_curves(analysis_of(STORE).cells, Rules())
    assert (curve.criterion, str(curve.rate)) == ("snip", "0.9")
    assert [point.scale for point in curve.points] == [0.0, 0.25, 0.5, 1.0, 2.0]
    assert [point.cell.label for point in curve.points][::2] == ["snip", "freeze:scale=0.5", "freeze:scale=2"]
    assert curve.best(1).scale == 0.5 and curve.best(-1).scale == 2.0
    half = curve.points[2]
    # By seed: 0.99 + 0.001·s − (0.97 + e/2), with e of the five seeds 0, 2, −1, 1, 3 thousandths.
    by_hand = [0.02 + 0.001 * s - e / 2 for s, e in enumerate((0.0, 0.002, -0.001, 0.001, 0.003))]
    assert half.to["freeze"].difference == pytest.approx(sum(by_hand) / 5)
    assert list(curve.points[3].to) == ["prune"] and list(curve.points[0].to) == ["freeze"]


def test_of_equal_means_the_smallest_scale_is_best() -> None:
    (curve,) = scale_curves(analysis_of(scaled(levels={0.25: 0.9, 0.5: 0.9})).cells, Rules())
    assert curve.best(1).scale == 0.25
    assert curve.criterion == "freeze" and curve.points[0].to == {}


def test_scales_are_in_no_verdict_of_freeze_or_prune() -> None:
    with_scales, without = analysis_of(STORE), analysis_of(small())
    assert with_scales.primary.whole == without.primary.whole
    assert with_scales.twin == without.twin == "freeze"
    assert {c.label for c in with_scales.secondary.comparisons} >= {"freeze:scale=0.25", "freeze:scale=0.5"}
    only_scaled = analysis_of([*scaled(), *(row for row in small() if row["method"] == "snip")])
    assert only_scaled.primary.whole == [] and only_scaled.twin is None
    of_scale = analysis_of(STORE, reference="freeze:scale=0.5")
    assert of_scale.twin is None and of_scale.reference == "freeze:scale=0.5"


def test_the_table() -> None:
    made = part_page.render(frame(STORE), view(), "scale")
    rows = [[entry.strip() for entry in line.strip("|").split("|")] for line in made.splitlines() if line[:1] == "|"]
    assert rows[0] == ["criterion", "rate", "scale", "%", "n", "− scale 1", "− scale 0"]
    entries = {row[2]: row for row in rows[2:]}
    assert list(entries) == ["0", "0.25", "0.5", "1", "2"]
    assert entries["0.5"][3] == "**99.20 ± 0.16**" and entries["0.25"][3] == "98.20 ± 0.16"
    assert entries["1"][5] == "–" and entries["0"][6] == "–" and entries["1"][6].startswith("+1.95 [")
    assert "snip, rate 0.9: of the scales 0, 0.25, 0.5, 1, 2 the best mean is at 0.5: 99.20 ± 0.16, +2.15 [" in made
    assert "no verdict of freeze or prune" in made


def test_a_store_without_scales_says_what_it_said() -> None:
    with pytest.raises(ValueError, match="part scale: nothing that is shown of the store has it"):
        part_page.render(frame(small()), view(), "scale")
    assert "scale of the background" not in render(frame(small()))
    whole = render(frame(STORE))
    assert "over the scale of the background" in whole
    assert (
        "Held at a scale of their value at the start, and in no verdict of freeze or prune: freeze:scale=0.25" in whole
    )
    assert "1 is frozen, 0 is pruned" in whole and "1 is frozen, 0 is pruned" not in render(frame(small()))


def test_records() -> None:
    rows = list(csv.DictReader(io.StringIO(part_page.render(frame(STORE), view(), "scale", format="csv"))))
    assert [(row["background"], float(row["scale"]), row["best"]) for row in rows] == [
        ("prune", 0.0, "False"), ("0.25", 0.25, "False"), ("0.5", 0.5, "True"), ("freeze", 1.0, "False"),
        ("2", 2.0, "False"),
    ]  # fmt: skip
    assert rows[3]["to_1"] == "" and rows[2]["pairs_1"] == "0 1 2 3 4"


@pytest.mark.parametrize("format", ["latex", "html", "csv"])
def test_every_other_format(format: str) -> None:
    assert "0.25" in render(frame(STORE), format=format)


def test_dead_weights_of_a_scale_are_computed_with() -> None:
    """In the made store a network that is not frozen has few; here the scaled ones have as many as the frozen."""
    rows = [row | {"forward_macs": 50_000.0, "backward_macs": 100_000.0} for row in scaled()]
    grid = computed(analysis_of([*small(), *rows]))
    assert grid.rows == computed(analysis_of(small())).rows


def no_histories(*_: object) -> Any:
    raise AssertionError("only gradients have a history")


def test_the_plot_has_a_line_per_rate_in_a_panel_per_criterion() -> None:
    more = [*scaled(rate="0.99", levels={0.5: 0.92}), *scaled("grasp", {0.5: 0.9})]
    figure = plot(frame([*STORE, *more]), "scale", no_histories)
    assert [axes.get_title() for axes in figure.axes] == ["grasp", "snip"]
    lines = {str(line.get_label()): line for line in figure.axes[1].lines}
    assert list(lines) == ["rate 0.9", "rate 0.99", "dense"]
    assert list(lines["rate 0.9"].get_xdata()) == [0.0, 0.25, 0.5, 1.0, 2.0]
    assert list(lines["rate 0.9"].get_ydata()) == pytest.approx([95.1, 98.2, 99.2, 97.05, 90.2])
    assert list(lines["rate 0.99"].get_xdata()) == [0.0, 0.5, 1.0]
    assert lines["rate 0.9"].get_color() != lines["rate 0.99"].get_color()
    (band, *_) = figure.axes[1].collections
    half = 2.7764451051977987 * 0.0015811388300841898 / 5**0.5  # t of 4 degrees of freedom · sd / √n
    ends = {round(float(y), 6) for x, y in band.get_paths()[0].vertices if x == 0.5}
    assert ends == {round(100 * (0.992 - half), 6), round(100 * (0.992 + half), 6)}


def test_a_store_without_scales_has_no_such_plot() -> None:
    with pytest.raises(
        NothingToShowError, match="plot scale: no method of another scale than 1, frozen, and 0, pruned"
    ):
        plot(frame(small()), "scale", no_histories)


@pytest.mark.parametrize("name", [name for name in METRICS if name not in ("gradients", "ranks")])
def test_every_plot_can_draw_them(name: str) -> None:
    rows = [row | {"stored_bytes": 900.0} for row in STORE]
    figure = plot(frame(rows), name, no_histories)
    words = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    words += [label.get_text() for axes in figure.axes for label in (*axes.get_yticklabels(), *axes.texts)]
    assert name in ("scale", "difference") or any("freeze:scale=0.5" in word for word in words)


def test_a_crowd_has_a_panel_for_each_criterion_with_its_scales() -> None:
    many = {scale / 10: 0.9 + scale / 1000 for scale in range(1, 10)}
    rows = [*small(), *scaled(levels=many), *scaled("grasp", {0.1: 0.9, 0.5: 0.91})]
    figure = plot(frame(rows), "accuracy", no_histories)
    assert [axes.get_title() for axes in figure.axes] == ["grasp", "snip"]
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert {"frozen", "pruned", "scale 0.1", "scale 0.9"} <= set(words)
