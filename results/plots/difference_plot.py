"""The question itself: freeze − prune over the rate, a panel per criterion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bench.messages import counted
from bench.results.frame.errors import NothingToShowError
from bench.results.plots.axis_scales import (
    LINEAR,
    RATE_LABEL,
    RATE_NOTE,
    REALISED_NOTE,
    difference_scale,
    rate_axis,
    thin,
)
from bench.results.plots.plot_page import Entry, across, finish, lay_out, page
from bench.results.plots.plot_style import GREY, SMALL, TINY, literal
from bench.results.statistics.analysis import Analysis
from bench.results.statistics.cells import whole_units
from bench.results.statistics.comparisons import Comparison
from bench.results.tables import captions
from bench.results.tables.planned.plan_words import plan_words

Panels = dict[str, list[Comparison]]  # by the pruned method

COLUMNS = 4  # panels side by side
HEIGHTS = (3.2, 2.4, 1.8, 1.6)  # inches of a panel that is alone, one of two, of three and of more side by side
COLOURS = {"higher": "#0072B2", "lower": "#D55E00", "": GREY}  # of the frozen network; grey: neither is marked
# Of a verdict and of equivalence: the marker, which tells them apart in grey too, and its words.
MARKERS = {"higher": ("^", "freezing higher"), "lower": ("v", "pruning higher"), "": ("o", "open")}
EQUIVALENT = ("D", "equivalent")
HOLLOW: dict[str, Any] = {"markerfacecolor": "white"}  # some or all seeds of a side are near chance
ZERO: dict[str, Any] = {"color": "black", "linewidth": 0.8, "zorder": 1}


def draw(analyses: Sequence[Analysis]) -> Figure:
    """A panel per criterion: mean difference at the same rate and seed with its 95 % t interval.

    Raises: NothingToShowError if no frozen and pruned method that choose the same weights are shown.
    """
    every = [(analysis, by_reference(analysis)) for analysis in analyses]
    drawn = [(analysis, panels) for analysis, panels in every if panels]
    if not drawn:
        raise NothingToShowError("plot difference: no frozen and pruned method that choose the same weights are shown")
    titles = [(analysis.section.title, len(panels)) for analysis, panels in drawn]
    columns = min(across(COLUMNS), max(panels for _, panels in titles))
    figure, blocks = page(titles, columns=columns, height=HEIGHTS[columns - 1])
    log = False
    for (analysis, panels), axes in zip(drawn, blocks, strict=True):
        for index, (panel, (reference, comparisons)) in enumerate(zip(axes, panels.items(), strict=True)):
            _panel(panel, analysis, reference, comparisons)
            if index % columns == 0:
                panel.set_ylabel("freeze − prune (points)" if columns < COLUMNS else "points")
        log = difference_scale(axes[0], _reach(analysis, panels)) or log
        rate_axis(axes[0], sorted({c.rate for comparisons in panels.values() for c in comparisons}))
    for block in figure.subfigs:
        block.supxlabel(RATE_LABEL, fontsize=9)
    finish(figure, _entries(drawn), _notes(drawn, log))
    lay_out(figure)
    for axes in blocks:
        thin(axes[-1])
    return figure


def by_reference(analysis: Analysis) -> Panels:
    """Pruned method -> its comparisons with the frozen twin, rates rising; those of which both are shown."""
    panels: Panels = {}
    for c in analysis.shown_primary:
        if analysis.shown_keys >= set(c.sides) and c.n:
            panels.setdefault(c.reference, []).append(c)
    return panels


def _reach(analysis: Analysis, panels: Panels) -> float:
    """Points between 0 and the largest mean difference."""
    factor = analysis.view.shown_metric.factor
    return max(abs(factor * c.difference) for comparisons in panels.values() for c in comparisons)


def _panel(axes: Axes, analysis: Analysis, reference: str, comparisons: Sequence[Comparison]) -> None:
    view = analysis.view
    factor = view.shown_metric.factor
    axes.set_title(literal(reference), fontsize=SMALL)
    axes.tick_params(axis="x", labelsize=TINY)
    axes.axhline(0, **ZERO)
    if isinstance(view.margin, float):
        axes.axhspan(-factor * view.margin, factor * view.margin, color=GREY, alpha=0.15, linewidth=0)
    for c in comparisons:
        mean, low, high = (factor * value for value in (c.difference, c.interval.low, c.interval.high))
        spread = np.nan_to_num([[mean - low], [high - mean]])
        look = HOLLOW if analysis.doubts[c.sides] else {}
        marker, _ = _marker(c)
        x = analysis.by_key[c.sides[0]].density
        axes.errorbar(x, mean, yerr=spread, fmt=marker, color=COLOURS[c.verdict], capsize=2, **look)


def _marker(c: Comparison) -> tuple[str, str]:
    """The marker of a comparison, and its words."""
    marker, words = MARKERS[c.verdict]
    return (
        (EQUIVALENT[0], f"{words}, within the margin" if c.verdict else EQUIVALENT[1])
        if c.equivalent
        else (marker, words)
    )


def _entries(drawn: Sequence[tuple[Analysis, Panels]]) -> list[Entry]:
    compared = [(analysis, c) for analysis, panels in drawn for panel in panels.values() for c in panel]
    seen = {(c.verdict, *_marker(c)) for _, c in compared}
    ordered = sorted(seen, key=lambda look: (list(COLOURS).index(look[0]), look))
    entries: list[Entry] = [
        (Line2D([], [], color=COLOURS[verdict], marker=marker, linestyle="none"), words)
        for verdict, marker, words in ordered
    ]
    look: dict[str, Any] = {"marker": "o", "linestyle": "none"}
    if any(analysis.doubts[c.sides] for analysis, c in compared):
        entries.append((Line2D([], [], color=GREY, **look, **HOLLOW), "hollow: seeds near chance"))
    return entries


def _notes(drawn: Sequence[tuple[Analysis, Panels]], log: bool) -> list[str]:
    view = drawn[0][0].view
    numbers = sorted({c.n for _, panels in drawn for panel in panels.values() for c in panel})
    pairs = f"n = {numbers[0]}" if len(numbers) == 1 else f"n = {numbers[0]} to {numbers[-1]}"
    at = captions.levels(analysis for analysis, _ in drawn)
    coloured = f"Coloured: Holm-adjusted p ≤ {at} over all" if at else "Nothing is judged, of all"
    starts = ", starts" if any(len(analysis.starts) > 1 for analysis, _ in drawn) else ""
    notes = [
        f"{view.shown_metric.caption}, freeze − prune, same weights chosen, same rate and seed: mean and 95 % t "
        f"interval over {pairs} pairs. A panel for each criterion. {coloured} "
        f"criteria{starts} and rates of the section. {RATE_NOTE}"
    ]
    sides = (a.by_key[c.sides[0]] for a, panels in drawn for panel in panels.values() for c in panel)
    if whole := whole_units(sides):
        notes[0] += f" {REALISED_NOTE.format(whole.capitalize())}"
    if log:
        notes[0] += f" Differences: to scale between −{LINEAR:g} and {LINEAR:g}, beyond on a logarithmic scale."
    if doubtful := sum(c.conflicting for _, panels in drawn for panel in panels.values() for c in panel):
        notes.append(f"The results of {counted(doubtful, 'pair')} disagree in the store.")
    if isinstance(view.margin, float):
        notes.append(f"Grey: the equivalence margin of ±{view.shown_metric.number(view.margin)} points.")
    notes += dict.fromkeys(words for analysis, _ in drawn if (words := plan_words(analysis)))
    return notes
