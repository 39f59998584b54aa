"""Accuracy over the rate: a line per method, the dense baseline and chance."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bench.results.frame.collect import BIASES, DENSE
from bench.results.plots.axis_scales import (
    ERROR_NOTE,
    FEW_TICKS,
    RATE_LABEL,
    RATE_NOTE,
    REALISED_NOTE,
    TICKS,
    accuracy_axis,
    rate_axis,
    thin,
)
from bench.results.plots.plot_page import across, finish, lay_out, page
from bench.results.plots.plot_style import BAND, GREY, LINES_NOTE, SMALL, TINY, Style, line_entries, literal, open_entry
from bench.results.statistics.cells import Cell, whole_units
from bench.results.statistics.scales import criterion
from bench.results.statistics.shown_cells import Excerpt, crowded, disconnected, doubtful, interval, missing, over_seeds

HEIGHT = 3.6  # inches of a panel
COLUMNS, SMALL_HEIGHT = 4, 1.5  # of the panels, one per criterion, if one cannot hold all methods
LETTERS = 42  # of a line of text beside it
PLAIN = {"freeze": "o", "prune": "s"}  # the markers of a panel that has one criterion
CHANCE: dict[str, Any] = {"color": GREY, "linestyle": ":", "linewidth": 1.0}


def draw(excerpts: Sequence[Excerpt], styles: Mapping[str, Style]) -> Figure:
    """A panel per part: mean ± 95 % t interval over the seeds, against the density on a reversed log axis."""
    drawn = [excerpt for excerpt in excerpts if excerpt.drawn]
    many = any(crowded(excerpt.drawn) for excerpt in drawn)
    panels = [_by_selection(excerpt) if many else {"": excerpt} for excerpt in drawn]
    columns, height = (across(COLUMNS), SMALL_HEIGHT) if many else (1, HEIGHT)
    titles = [(excerpt.section.title, len(of_section)) for excerpt, of_section in zip(drawn, panels, strict=True)]
    figure, blocks = page(titles, columns=columns, height=height)
    for axes, of_section in zip(blocks, panels, strict=True):
        for index, (panel, (title, excerpt)) in enumerate(zip(axes, of_section.items(), strict=True)):
            _panel(panel, excerpt, styles, small=many)
            panel.set_title(literal(title), fontsize=SMALL)
            if not many or index % columns == 0:
                panel.set_ylabel("%" if many else textwrap.fill(f"{excerpt.view.shown_metric.caption} (%)", LETTERS))
    ticks = FEW_TICKS if many else TICKS
    by_error = [_axes(axes, excerpt, ticks) for axes, excerpt in zip(blocks, drawn, strict=True)]
    chance = [_chance(axes, excerpt) for of_section, excerpt in zip(blocks, drawn, strict=True) for axes in of_section]
    for block in figure.subfigs:
        block.supxlabel(RATE_LABEL, fontsize=9)
    shown = [styles[cell.record.text] for excerpt in drawn for cell in excerpt.drawn]
    legend = line_entries({_plain(style) for style in shown} if many else shown)
    if any(chance):
        legend.append((Line2D([], [], **CHANCE), "chance"))
    if disconnected(excerpts):
        legend.append(open_entry())
    finish(figure, legend, [_caption(excerpts, many, any(by_error)), *missing(excerpts), *doubtful(excerpts)])
    lay_out(figure)
    for axes in blocks:
        thin(axes[-1])
    return figure


def _caption(excerpts: Sequence[Excerpt], many: bool, by_error: bool) -> str:
    """What is drawn, of which seeds, how and on which scales."""
    words = f"{excerpts[0].view.shown_metric.caption}: mean and 95 % t interval {over_seeds(excerpts)}."
    panels = "A panel for each criterion; solid: the weights that are not trained are frozen, dashed: pruned."
    whole = whole_units(cell for excerpt in excerpts for cell in excerpt.drawn)
    notes = [*([REALISED_NOTE.format(whole.capitalize())] if whole else []), *([ERROR_NOTE] if by_error else [])]
    return " ".join([words, panels if many else LINES_NOTE, RATE_NOTE, *notes])


def _by_selection(excerpt: Excerpt) -> dict[str, Excerpt]:
    """A part per criterion, with the frozen and the pruned method that choose the same weights; dense, and biases, in
    each."""
    named: dict[str, list[Cell]] = {}
    for cell in excerpt.cells:
        if cell.rated:
            named.setdefault(cell.record.selection, []).append(cell)
    unrated = [cell for cell in excerpt.cells if not cell.rated]
    titled = {criterion(alike): replace(excerpt, cells=[*unrated, *alike]) for alike in named.values()}
    return {title: titled[title] for title in sorted(titled) if titled[title].rates}


def _plain(style: Style) -> Style:
    """What the lines of all criteria have in common, if each has its own panel."""
    words = {"freeze": "frozen", "prune": "pruned", DENSE: "dense", BIASES: "biases"}
    label = words.get(style.background, f"scale {style.background}")
    unrated = style.background in (DENSE, BIASES)
    colour = style.colour if unrated else GREY
    marker = style.marker if unrated else PLAIN.get(style.background, style.marker)
    return replace(style, label=label, colour=colour, order=0, marker=marker)


def _panel(axes: Axes, excerpt: Excerpt, styles: Mapping[str, Style], *, small: bool) -> None:
    """Draw an excerpt; `small`: the section has a panel for each criterion, with markers for how they differ."""
    shown = excerpt.view.shown_metric
    if small:
        axes.tick_params(axis="x", labelsize=TINY)
    by_record: dict[str, list[Cell]] = {}
    for cell in excerpt.drawn:
        if cell.rated:
            by_record.setdefault(cell.record.text, []).append(cell)
    for record, cells in by_record.items():
        style = styles[record]
        style = replace(style, marker=PLAIN.get(style.background, style.marker)) if small else style
        _line(axes, sorted(cells, key=lambda cell: cell.rate), style, shown.factor)
    for cell in excerpt.unrated:
        _level(axes, cell, styles[cell.record.text], shown.factor)


def _axes(panels: Sequence[Axes], excerpt: Excerpt, ticks: int) -> bool:
    """Set the axes that the panels of a section share; whether the accuracies are on the scale of the error."""
    rate_axis(panels[0], excerpt.rates)
    means = [cell.summary.mean for cell in excerpt.drawn]
    return accuracy_axis(panels[0], means, excerpt.view.shown_metric.factor, ticks)


def _line(axes: Axes, cells: Sequence[Cell], style: Style, factor: float) -> None:
    x = [cell.density for cell in cells]
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


def _level(axes: Axes, cell: Cell, style: Style, factor: float) -> None:
    ends = interval(cell)
    axes.axhline(factor * cell.summary.mean, **style.drawn())
    if math.isfinite(ends.low):
        axes.axhspan(factor * ends.low, factor * ends.high, color=style.colour, **BAND)


def _chance(axes: Axes, excerpt: Excerpt) -> bool:
    """Draw chance if the axes reach it; whether they do."""
    value = excerpt.view.chance(excerpt.section.dataset) * excerpt.view.shown_metric.factor
    low, high = axes.get_ylim()
    if not low <= value <= high:
        return False
    axes.axhline(value, label="chance", zorder=1, **CHANCE)
    return True
