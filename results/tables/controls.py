"""Sanity controls beside their methods: what is left of a method without the one thing that a control takes away."""

from __future__ import annotations

from bench.messages import counted
from bench.results.statistics.analysis import Analysis
from bench.results.statistics.comparisons import Comparison
from bench.results.tables.captions import margin, steps
from bench.results.tables.columns import CONTROLS, grid
from bench.results.tables.formats import Grid
from bench.results.tables.marks import pairs_legend

CHANGED = {
    "shuffle": "the mask of each layer shuffled: its density is the method's, its positions are random",
    "reinitialise": "initial weights drawn anew after scoring, under the scored mask",
    "invert": "the weights of lowest score trained",
    "redraw": "frozen weights hold a draw of their own",
    "sign": "frozen weights hold sign(w) times their layer's standard deviation",
    "mean": "frozen weights hold their layer's mean",
}


def controls(analysis: Analysis) -> Grid | None:
    """Control × method × rate: both means, and the paired difference. None if no control is shown."""
    shown = analysis.shown_controls
    if not shown:
        return None

    def control(c: Comparison) -> str:
        return analysis.by_key[c.sides[0]].record.control

    used = sorted({control(c) for c in shown}, key=list(CHANGED).index)
    changed = "; ".join(f"{name}: {CHANGED[name]}" for name in used)
    caption = (
        "Sanity controls: control − method at the same rate and seed, with its 95 % t interval, tested as the methods "
        f"are, and adjusted by Holm over a family of their own, m = {shown[0].family}. {changed}. {margin(analysis)} "
        "Lower: what the control takes away matters. Equivalent: it does not. Open: these seeds do not tell."
        f"{pairs_legend(shown)}"
    )
    ordered = sorted(shown, key=lambda c: (c.reference, control(c), c.rate))
    title = f"Control − method at the same rate and seed{steps(analysis)}"
    return grid(title, caption, CONTROLS, analysis, ordered)


def not_shown(analysis: Analysis) -> str:
    """That controls are in the store, if they are not shown."""
    if not analysis.controlled or analysis.view.controls:
        return ""
    cells = counted(len(analysis.controlled), "cell")
    return f"Not in these tables and families: {cells} of sanity controls; the option controls shows them."
