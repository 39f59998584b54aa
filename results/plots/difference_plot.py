"""The question itself: freeze − prune over the rate, a panel per criterion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bench.results.frame.metrics import figure
from bench.results.plots.accuracy_plot import density, rate_axis, thin
from bench.results.plots.plot_page import Entry, finish, page
from bench.results.plots.plot_style import GREY, SMALL, TINY
from bench.results.statistics.analysis import Analysis
from bench.results.statistics.comparisons import Comparison
from bench.results.tables.freeze_vs_prune import Question

Panels = dict[str, list[Comparison]]  # by the pruned method

COLUMNS, HEIGHT = 4, 1.5  # panels side by side; inches of a panel
COLOURS = {"higher": "#0072B2", "lower": "#D55E00", "": GREY}  # of the frozen network; grey: neither is marked
WORDS = {"higher": "freezing higher", "lower": "pruning higher", "": "open, or equivalent (diamond)"}
LINEAR = 1.0  # points around 0 drawn to scale; beyond, logarithmically
HOLLOW: dict[str, Any] = {"markerfacecolor": "white"}  # some or all seeds of a side are near chance
ZERO: dict[str, Any] = {"color": "black", "linewidth": 0.8, "zorder": 1}


def draw(analyses: Sequence[Analysis]) -> Figure:
    """A panel per criterion: mean difference at the same rate and seed with its 95 % t interval.

    Raises: ValueError where no frozen and pruned method that choose the same weights are shown.
    """
    asked = [(q, by_reference(q)) for q in map(Question, analyses)]
    drawn = [(q, panels) for q, panels in asked if panels]
    if not drawn:
        raise ValueError("plot difference: no frozen and pruned method that choose the same weights are shown")
    made, blocks = page(
        [(q.analysis.section.title, len(panels)) for q, panels in drawn], columns=COLUMNS, height=HEIGHT
    )
    for (q, panels), axes in zip(drawn, blocks, strict=True):
        for place, (panel, (reference, several)) in enumerate(zip(axes, panels.items(), strict=True)):
            _panel(panel, q, reference, several)
            if place % COLUMNS == 0:
                panel.set_ylabel("points")
        axes[0].set_yscale("symlog", linthresh=LINEAR)
        rate_axis(axes[0], sorted({c.rate for several in panels.values() for c in several}, key=float))
    finish(made, _entries(drawn), _notes(drawn))
    made.draw_without_rendering()
    for axes in blocks:
        thin(axes[-1])
    return made


def by_reference(q: Question) -> Panels:
    """Pruned method -> its comparisons with the frozen twin, rates rising; those of which both are shown."""
    shown = {(cell.label, cell.rate) for cell in q.analysis.shown}
    found: dict[str, list[Comparison]] = {}
    for c in sorted(q.plain, key=lambda c: (c.reference, float(c.rate))):
        if {(c.label, c.rate), (c.reference, c.rate)} <= shown and c.n:
            found.setdefault(c.reference, []).append(c)
    return found


def _panel(axes: Axes, q: Question, reference: str, several: Sequence[Comparison]) -> None:
    a = q.analysis
    factor = figure(a.view.metric).factor
    axes.set_title(reference, fontsize=SMALL)
    axes.tick_params(axis="x", labelsize=TINY)
    axes.axhline(0, **ZERO)
    if a.view.margin is not None:
        axes.axhspan(-factor * a.view.margin, factor * a.view.margin, color=GREY, alpha=0.15, linewidth=0)
    for c in several:
        mean, low, high = (factor * value for value in (c.difference, c.interval.low, c.interval.high))
        spread = np.nan_to_num([[mean - low], [high - mean]])
        look = HOLLOW if (reference, c.rate) in q.doubts else {}
        axes.errorbar(density(c.rate), mean, yerr=spread, fmt=_marker(c), color=COLOURS[c.verdict], capsize=2, **look)


def _marker(c: Comparison) -> str:
    return "D" if c.equivalent else "o"


def _entries(drawn: Sequence[tuple[Question, Panels]]) -> list[Entry]:
    several = [(q, c) for q, panels in drawn for found in panels.values() for c in found]
    seen = {c.verdict for _, c in several}
    look: dict[str, Any] = {"marker": "o", "linestyle": "none"}
    shown = [verdict for verdict in COLOURS if verdict in seen]
    made: list[Entry] = [(Line2D([], [], color=COLOURS[verdict], **look), WORDS[verdict]) for verdict in shown]
    if any((c.reference, c.rate) in q.doubts for q, c in several):
        made.append((Line2D([], [], color=GREY, **look, **HOLLOW), "hollow: seeds near chance"))
    return made


def _notes(drawn: Sequence[tuple[Question, Panels]]) -> list[str]:
    view = drawn[0][0].analysis.view
    numbers = sorted({c.n for _, panels in drawn for several in panels.values() for c in several})
    pairs = f"n = {numbers[0]}" if len(numbers) == 1 else f"n = {numbers[0]} to {numbers[-1]}"
    notes = [
        f"{figure(view.metric).words}, freeze − prune, same weights chosen, same rate and seed: mean and 95 % t "
        f"interval over {pairs} pairs. Coloured: Holm-adjusted p ≤ {view.alpha:g} over all criteria and rates of the "
        f"section. To scale between −{LINEAR:g} and {LINEAR:g}, beyond on a logarithmic scale."
    ]
    if view.margin is not None:
        notes.append(f"Grey: the equivalence margin of ±{figure(view.metric).number(view.margin)} points.")
    return notes
