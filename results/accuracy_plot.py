"""Accuracy over the rate: a line per method, the dense baseline and chance."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullLocator

from results.cells import Cell
from results.collect import DENSE
from results.figures import figure
from results.parts import Part, collapsed, interval, missing, over_seeds
from results.plot_page import finish, page
from results.plot_style import BAND, GREY, Style, line_entries, open_entry

HEIGHT = 3.6  # inches of a panel
LETTERS = 42  # of a line of text beside it
CHANCE: dict[str, Any] = {"color": GREY, "linestyle": ":", "linewidth": 1.0}


def draw(parts: Sequence[Part], styles: Mapping[str, Style]) -> Figure:
    """A panel per part: mean ± 95 % t interval over the seeds, against the density on a reversed log axis."""
    drawn = [part for part in parts if part.drawn]
    made, blocks = page([(part.section.title, 1) for part in drawn], columns=1, height=HEIGHT)
    chance = [_panel(axes, part, styles) for (axes,), part in zip(blocks, drawn, strict=True)]
    legend = line_entries(styles[cell.record] for part in drawn for cell in part.drawn)
    if any(chance):
        legend.append((Line2D([], [], **CHANCE), "chance"))
    if collapsed(parts):
        legend.append(open_entry())
    finish(made, legend, [f"Mean and 95 % t interval {over_seeds(parts)}.", *missing(parts)])
    made.draw_without_rendering()  # lays the panels out, so that labels can be measured
    for (axes,) in blocks:
        thin(axes)
    return made


def density(rate: str) -> float:
    """1 - rate, of the decimal text.

    >>> density("0.999")
    0.001
    """
    return float(1 - Decimal(rate))


def _panel(axes: Axes, part: Part, styles: Mapping[str, Style]) -> bool:
    """Draw a part; whether chance is among what the axis shows."""
    shown = figure(part.view.metric)
    axes.set_ylabel(textwrap.fill(f"{shown.words} (%)", LETTERS))
    axes.set_xlabel("rate: share of the weights that is not trained")
    by_record: dict[str, list[Cell]] = {}
    for cell in part.drawn:
        if cell.background != DENSE:
            by_record.setdefault(cell.record, []).append(cell)
    for record, cells in by_record.items():
        _line(axes, sorted(cells, key=lambda cell: float(cell.rate)), styles[record], shown.factor)
    _rates(axes, part.rates)
    if part.dense is not None:
        _dense(axes, part.dense, styles[part.dense.record], shown.factor)
    low, high = axes.get_ylim()
    axes.set_ylim(max(low, -0.02 * shown.factor), min(high, 1.02 * shown.factor))  # intervals of few seeds go beyond
    return _chance(axes, part.view.chance(part.section.dataset) * shown.factor)


def _line(axes: Axes, cells: Sequence[Cell], style: Style, factor: float) -> None:
    x = [density(cell.rate) for cell in cells]
    y = [factor * cell.summary.mean for cell in cells]
    low, high = ([factor * getattr(interval(cell), end) for cell in cells] for end in ("low", "high"))
    full = [i for i, cell in enumerate(cells) if not cell.collapsed]
    opened = [i for i, cell in enumerate(cells) if cell.collapsed]
    axes.plot(x, y, **style.drawn(markevery=full))
    axes.plot(
        [x[i] for i in opened], [y[i] for i in opened],
        **style.drawn(linestyle="none", markerfacecolor="white", label="_open"),
    )  # fmt: skip
    axes.fill_between(x, low, high, color=style.colour, **BAND)
    if len(x) == 1:  # a band of one point has no area
        axes.vlines(x, low, high, color=style.colour, linewidth=1.0)


def _rates(axes: Axes, rates: Sequence[str]) -> None:
    """Density on a log scale, most trained first, its ticks named by the rates: they crowd at 1, densities do not."""
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator([]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks([density(rate) for rate in rates], rates)
    if len(rates) < 2:  # the scale has no width of its own
        middle = density(rates[0]) if rates else 1.0
        axes.set_xlim(middle / 2, middle * 2)
    axes.invert_xaxis()


def _dense(axes: Axes, cell: Cell, style: Style, factor: float) -> None:
    ends = interval(cell)
    axes.axhline(factor * cell.summary.mean, **style.drawn())
    if math.isfinite(ends.low):
        axes.axhspan(factor * ends.low, factor * ends.high, color=style.colour, **BAND)


def _chance(axes: Axes, value: float) -> bool:
    low, high = axes.get_ylim()
    if not low <= value <= high:
        return False
    axes.axhline(value, label="chance", zorder=1, **CHANCE)
    return True


def thin(axes: Axes) -> None:
    """Empty the tick labels that would touch one to their right; the ticks stay. Needs a figure that is laid out."""
    kept = float("inf")
    texts = []
    for label in reversed(axes.get_xticklabels()):
        box = label.get_window_extent()
        fits = box.x1 + 0.4 * box.height < kept
        kept = box.x0 if fits else kept
        texts.append(label.get_text() if fits else "")
    axes.set_xticks(list(axes.get_xticks()), texts[::-1])
