"""Accuracy over the scale of the background: a panel per criterion, a line per rate."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from bench.messages import decimal_text
from bench.results.frame.errors import NothingToShowError
from bench.results.frame.words import rate_text
from bench.results.plots.axis_scales import ERROR_NOTE, FEW_TICKS, TICKS, accuracy_axis, thin
from bench.results.plots.plot_page import Entry, across, finish, lay_out, page
from bench.results.plots.plot_style import BAND, BLACK, PALETTE, SMALL, literal
from bench.results.statistics.scales import ScaleCurve, scale_curves
from bench.results.statistics.shown_cells import Excerpt, doubtful, interval, missing, over_seeds

COLUMNS, HEIGHT = 3, 2.6  # panels side by side; inches of a panel
LETTERS = 30  # of a line of text beside a panel
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "h")
DENSE: dict[str, Any] = {"color": BLACK, "linewidth": 1.0, "zorder": 1}
LABEL = "scale of the background: 0 pruned, 1 frozen"
Panels = dict[str, list[ScaleCurve]]  # criterion -> its rates, rising
Look = dict[str, Any]


def draw(excerpts: Sequence[Excerpt]) -> Figure:
    """A panel per criterion: mean ± 95 % t interval over the seeds at each scale.

    Raises: NothingToShowError without a scale that is neither 1 nor 0.
    """
    drawn = [(excerpt, panels) for excerpt in excerpts if (panels := _panels(excerpt))]
    if not drawn:
        raise NothingToShowError(
            "plot scale: no method of another scale than 1, frozen, and 0, pruned, is shown; --methods freeze:scale=0.5"
        )
    looks = _looks({curve.rate for _, panels in drawn for curves in panels.values() for curve in curves})
    columns = min(across(COLUMNS), max(len(panels) for _, panels in drawn))
    titles = [(excerpt.section.title, len(panels)) for excerpt, panels in drawn]
    figure, blocks = page(titles, columns=columns, height=HEIGHT)
    by_error = False
    for (excerpt, panels), axes in zip(drawn, blocks, strict=True):
        for index, (panel, (title, curves)) in enumerate(zip(axes, panels.items(), strict=True)):
            _panel(panel, excerpt, curves, looks)
            panel.set_title(literal(title), fontsize=SMALL)
            if index % columns == 0:
                panel.set_ylabel(textwrap.fill(f"{excerpt.view.shown_metric.caption} (%)", LETTERS))
        by_error = _axes(axes, excerpt, panels, TICKS if columns == 1 else FEW_TICKS) or by_error
    for block in figure.subfigs:
        block.supxlabel(LABEL, fontsize=9)
    shown = [excerpt for excerpt, _ in drawn]
    finish(figure, _entries(shown, looks), [_note(shown, by_error), *missing(shown), *doubtful(shown)])
    lay_out(figure)
    for axes in blocks:
        thin(axes[-1])
    return figure


def _panels(excerpt: Excerpt) -> Panels:
    panels: Panels = {}
    for curve in scale_curves(excerpt.drawn, excerpt.view.rules):
        panels.setdefault(curve.criterion, []).append(curve)
    return panels


def _looks(rates: set[Decimal]) -> dict[Decimal, Look]:
    """How each rate is drawn, the same in every panel."""
    return {
        rate: {"color": PALETTE[i % len(PALETTE)], "marker": MARKERS[i % len(MARKERS)], "linestyle": "-"}
        for i, rate in enumerate(sorted(rates))
    }


def _panel(axes: Axes, excerpt: Excerpt, curves: Sequence[ScaleCurve], looks: Mapping[Decimal, Look]) -> None:
    factor = excerpt.view.shown_metric.factor
    for curve in curves:
        look, x = looks[curve.rate], [point.scale for point in curve.points]
        means = [factor * point.cell.summary.mean for point in curve.points]
        ends = [interval(point.cell) for point in curve.points]
        low, high = ([factor * getattr(end, name) for end in ends] for name in ("low", "high"))
        axes.plot(x, means, label=f"rate {rate_text(curve.rate)}", **look)
        axes.fill_between(x, low, high, color=look["color"], **BAND)
        if len(x) == 1:  # a band of one point has no area
            axes.vlines(x, low, high, color=look["color"], linewidth=1.0)
    if excerpt.dense is not None:
        axes.axhline(factor * excerpt.dense.summary.mean, label="dense", **DENSE)


def _axes(axes: Sequence[Axes], excerpt: Excerpt, panels: Panels, ticks: int) -> bool:
    """Set the axes that the panels of a section share; whether the accuracies are on the scale of the error."""
    points = [point for curves in panels.values() for curve in curves for point in curve.points]
    scales = sorted({point.scale for point in points})
    axes[0].xaxis.set_major_locator(FixedLocator(scales))
    axes[0].xaxis.set_major_formatter(FuncFormatter(lambda scale, _: decimal_text(scale)))
    axes[0].xaxis.set_minor_locator(NullLocator())
    means = [point.cell.summary.mean for point in points]
    means += [excerpt.dense.summary.mean] if excerpt.dense is not None else []
    return accuracy_axis(axes[0], means, excerpt.view.shown_metric.factor, ticks)


def _entries(shown: Sequence[Excerpt], looks: Mapping[Decimal, Look]) -> list[Entry]:
    entries: list[Entry] = [(Line2D([], [], **look), f"rate {rate_text(rate)}") for rate, look in looks.items()]
    dense = any(excerpt.dense is not None for excerpt in shown)
    return [*entries, *([(Line2D([], [], **DENSE), "dense")] if dense else [])]


def _note(shown: Sequence[Excerpt], by_error: bool) -> str:
    return (
        f"{shown[0].view.shown_metric.caption}: mean and 95 % t interval {over_seeds(shown)}. A panel for each "
        "criterion, whose methods choose the same weights; those that are not trained hold the scale times their value "
        f"at the start.{f' {ERROR_NOTE}' if by_error else ''}"
    )
