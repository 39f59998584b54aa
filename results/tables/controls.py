"""Sanity controls beside their methods: what is left of a method without the one thing that a control takes away."""

from __future__ import annotations

from bench.results.frame.metrics import NONE, figure, p_value
from bench.results.frame.sections import control_of
from bench.results.statistics.analysis import Analysis
from bench.results.statistics.cells import Cell
from bench.results.statistics.comparisons import Comparison
from bench.results.tables.captions import margin
from bench.results.tables.comparison_tables import difference, verdict
from bench.results.tables.formats import Entry, Grid

CHANGED = {
    "shuffle": "the mask of each layer shuffled: its density is the method's, its positions are random",
    "reinitialise": "initial weights drawn anew after scoring, under the scored mask",
    "invert": "the weights of lowest score trained",
    "redraw": "frozen weights hold a draw of their own",
    "sign": "frozen weights hold sign(w) times their layer's standard deviation",
    "mean": "frozen weights hold their layer's mean",
}


def controls(a: Analysis) -> Grid | None:
    """Control × method × rate: both means, and the paired difference. None where no control is shown."""
    cells = {(cell.label, cell.rate): cell for cell in (*a.cells, *a.controlled)}
    shown = a.shown_controls
    if not shown:
        return None
    ordered = sorted(shown, key=lambda c: (c.reference, control_of(cells[c.label, c.rate].record), float(c.rate)))
    used = sorted({control_of(cells[c.label, c.rate].record) for c in shown}, key=list(CHANGED).index)
    told = "; ".join(f"{name}: {CHANGED[name]}" for name in used)
    caption = (
        "Sanity controls: control − method at the same rate and seed, with its 95 % t interval, tested as the methods "
        f"are, and adjusted by Holm over a family of their own, m = {shown[0].family}. {told}. {margin(a)} Lower: "
        "what the control takes away matters. Equivalent: it does not. Open: these seeds do not tell."
    )
    headers = ["method", "control", "rate", "method's", "control's", "pairs", "difference", "p", "Holm p"]
    return Grid(caption, [*headers, "TOST Holm p", "verdict"], [_row(a, c, cells) for c in ordered])


def _row(a: Analysis, c: Comparison, cells: dict[tuple[str, str], Cell]) -> list[Entry]:
    own, base = cells[c.label, c.rate], cells[c.reference, c.rate]
    return [
        c.reference, control_of(own.record), c.rate, _mean(a, base), _mean(a, own), str(c.n), difference(a, c),
        p_value(c.p), p_value(c.p_holm), p_value(c.p_equivalence_holm), verdict(a, c),
    ]  # fmt: skip


def _mean(a: Analysis, cell: Cell) -> str:
    shown, s = figure(a.view.metric), cell.summary
    return f"{shown.number(s.mean)} ± {shown.number(s.sd)}" if s.n else NONE


def untold(a: Analysis) -> str:
    """Where controls are in the store and not shown."""
    if not a.controlled or a.view.controls:
        return ""
    count = len(a.controlled)
    return f"Not in these tables and families: {count} cells of sanity controls; the option controls shows them."
