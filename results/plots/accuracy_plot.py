"""Accuracy over the rate: a line per method, the dense baseline and chance."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullLocator

from bench.results.frame.collect import DENSE
from bench.results.frame.words import rate_text
from bench.results.plots.plot_page import finish, page
from bench.results.plots.plot_style import BAND, GREY, SMALL, TINY, Style, line_entries, open_entry
from bench.results.statistics.cells import Cell
from bench.results.statistics.shown_cells import Excerpt, crowded, disconnected, interval, missing, over_seeds

HEIGHT = 3.6  # inches of a panel
COLUMNS, SMALL_HEIGHT = 4, 1.5  # of the panels, one per criterion, if one cannot hold all methods
LETTERS = 42  # of a line of text beside it
CHANCE: dict[str, Any] = {"color": GREY, "linestyle": ":", "linewidth": 1.0}


def draw(excerpts: Sequence[Excerpt], styles: Mapping[str, Style]) -> Figure:
    """A panel per part: mean ± 95 % t interval over the seeds, against the density on a reversed log axis."""
    drawn = [excerpt for excerpt in excerpts if excerpt.drawn]
    many = any(crowded(excerpt.drawn) for excerpt in drawn)
    panels = [_by_selection(excerpt) if many else {"": excerpt} for excerpt in drawn]
    columns, height = (COLUMNS, SMALL_HEIGHT) if many else (1, HEIGHT)
    titles = [(excerpt.section.title, len(of_section)) for excerpt, of_section in zip(drawn, panels, strict=True)]
    figure, blocks = page(titles, columns=columns, height=height)
    for axes, of_section in zip(blocks, panels, strict=True):
        for index, (panel, (title, excerpt)) in enumerate(zip(axes, of_section.items(), strict=True)):
            _panel(panel, excerpt, styles, index=index if many else None)
            panel.set_title(title, fontsize=SMALL)
    chance = [_axes(axes, excerpt) for axes, excerpt in zip(blocks, drawn, strict=True)]
    shown = [styles[cell.record.text] for excerpt in drawn for cell in excerpt.drawn]
    legend = line_entries({_plain(style) for style in shown} if many else shown)
    if any(chance):
        legend.append((Line2D([], [], **CHANCE), "chance"))
    if disconnected(excerpts):
        legend.append(open_entry())
    finish(figure, legend, [f"Mean and 95 % t interval {over_seeds(excerpts)}.", *missing(excerpts)])
    figure.draw_without_rendering()  # lays the panels out, so that labels can be measured
    for axes in blocks:
        thin(axes[-1])
    return figure


def _by_selection(excerpt: Excerpt) -> dict[str, Excerpt]:
    """A part per criterion, with the frozen and the pruned method that choose the same weights; dense in each."""
    named: dict[str, list[Cell]] = {}
    for cell in excerpt.cells:
        if cell.background != DENSE:
            named.setdefault(cell.record.selection, []).append(cell)
    dense = [cell for cell in excerpt.cells if cell.background == DENSE]
    titled = {_title(alike): replace(excerpt, cells=[*dense, *alike]) for alike in named.values()}
    return {title: titled[title] for title in sorted(titled) if titled[title].rates}


def _title(alike: Sequence[Cell]) -> str:
    """The pruned method's label, which is the paper's name; else the frozen one's."""
    return next((cell.label for cell in alike if cell.background == "prune"), alike[0].label)


def _plain(style: Style) -> Style:
    """What the lines of all criteria have in common, if each has its own panel."""
    words = {"freeze": "frozen", "prune": "pruned", DENSE: "dense"}
    colour = style.colour if style.background == DENSE else GREY
    return replace(style, label=words[style.background], colour=colour, order=0)


def density(rate: Decimal) -> float:
    """1 - rate.

    >>> density(Decimal("0.999"))
    0.001
    """
    return float(1 - rate)


def _panel(axes: Axes, excerpt: Excerpt, styles: Mapping[str, Style], *, index: int | None) -> None:
    """Draw an excerpt; `index`: of its panel, if the section has a panel for each criterion."""
    shown = excerpt.view.shown_metric
    if index is None:
        axes.set_ylabel(textwrap.fill(f"{shown.caption} (%)", LETTERS))
        axes.set_xlabel("rate: share of the weights that is not trained")
    elif index % COLUMNS == 0:
        axes.set_ylabel("%")
    if index is not None:
        axes.tick_params(axis="x", labelsize=TINY)
    by_record: dict[str, list[Cell]] = {}
    for cell in excerpt.drawn:
        if cell.background != DENSE:
            by_record.setdefault(cell.record.text, []).append(cell)
    for record, cells in by_record.items():
        _line(axes, sorted(cells, key=lambda cell: cell.rate), styles[record], shown.factor)
    if excerpt.dense is not None:
        _dense(axes, excerpt.dense, styles[excerpt.dense.record.text], shown.factor)


def _axes(panels: Sequence[Axes], excerpt: Excerpt) -> bool:
    """Set the axes that the panels of a section share; whether chance is among what they show."""
    first, factor = panels[0], excerpt.view.shown_metric.factor
    rate_axis(first, excerpt.rates)
    low, high = first.get_ylim()
    first.set_ylim(max(low, -0.02 * factor), min(high, 1.02 * factor))  # intervals of few seeds go beyond
    reached = [_chance(axes, excerpt.view.chance(excerpt.section.dataset) * factor) for axes in panels]
    return any(reached)


def _line(axes: Axes, cells: Sequence[Cell], style: Style, factor: float) -> None:
    x = [density(cell.rate) for cell in cells]
    y = [factor * cell.summary.mean for cell in cells]
    low, high = ([factor * getattr(interval(cell), end) for cell in cells] for end in ("low", "high"))
    full = [i for i, cell in enumerate(cells) if not cell.disconnected]
    opened = [i for i, cell in enumerate(cells) if cell.disconnected]
    axes.plot(x, y, **style.drawn(markevery=full))
    axes.plot(
        [x[i] for i in opened], [y[i] for i in opened],
        **style.drawn(linestyle="none", markerfacecolor="white", label="_open"),
    )  # fmt: skip
    axes.fill_between(x, low, high, color=style.colour, **BAND)
    if len(x) == 1:  # a band of one point has no area
        axes.vlines(x, low, high, color=style.colour, linewidth=1.0)


def rate_axis(axes: Axes, rates: Sequence[Decimal]) -> None:
    """Density on a log scale, most trained first, its ticks named by the rates: they crowd at 1, densities do not."""
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator([]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks([density(rate) for rate in rates], [rate_text(rate) for rate in rates])
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
