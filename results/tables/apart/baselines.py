"""Baselines beside the methods: figures and costs, and freezing at equal forward multiply-accumulates. No verdict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from bench import names
from bench.metrics import NONE
from bench.results.frame.method_record import AT_INITIALISATION, BASELINES
from bench.results.frame.words import low_to_high, rate_text
from bench.results.statistics.analysis import Analysis
from bench.results.statistics.cells import Cell
from bench.results.statistics.stats import differences, summary
from bench.results.tables import captions
from bench.results.tables.apart.group import figure_headers, figures, figures_legend, group_cells
from bench.results.tables.formats import Block, Grid

TITLE = "Baselines"
EQUAL_MACS = "At equal forward multiply-accumulates"
COSTS = (names.STORED_PARAMETERS, names.STORED_BYTES, names.FORWARD_MACS, names.BACKWARD_MACS)


def blocks(analysis: Analysis) -> Iterator[Block]:
    """The baselines with what they cost, and each frozen network beside others of its forward pass; nothing without a
    baseline.
    """
    if shown := group_cells(analysis, BASELINES):
        yield _figures(analysis, shown)
        if rows := list(_equal_macs(analysis)):
            yield _beside(analysis, rows)


def _figures(analysis: Analysis, shown: list[Cell]) -> Grid:
    cells = [*shown, *(cell for cell in (analysis.biases, analysis.dense) if cell is not None)]
    caption = (
        f"{TITLE}, in no verdict of freezing or pruning. small-dense: the same network with every width scaled by one "
        "share, the largest at which it stores no more parameters (or bytes, by a formula: equal=bytes) than a frozen "
        "or pruned one of the rate; trained in full, from initial weights of its own. last-layer: the classifier and "
        f"all biases, at the rate that this leaves. {captions.figure(analysis)}: mean ± standard deviation over n "
        "seeds. Bytes: of the file. MACs: multiply-accumulates per image. A range over seeds."
        f"{figures_legend(analysis, cells)}"
    )
    headers = [*figure_headers(analysis), "stored parameters", "stored bytes", "forward MACs", "backward MACs"]
    rows = [[*figures(analysis, cell), *(_count(cell, name) for name in COSTS)] for cell in cells]
    return Grid(caption, headers, rows, TITLE)


def _count(cell: Cell, name: str) -> str:
    return low_to_high(*cell.counts[name], ",.0f") if name in cell.counts else NONE


def _beside(analysis: Analysis, rows: list[list[str]]) -> Grid:
    caption = (
        f"{EQUAL_MACS}: a frozen network's forward pass is that of the dense one at every rate. Beside each the "
        "largest pruned network that chooses the same weights, and the largest small dense one of equal parameters, of "
        "those in the section whose forward pass has at most as many multiply-accumulates: they store more. "
        "Difference: frozen − the other, mean ± standard deviation of the pairs of one seed; no test."
    )
    unit = analysis.view.shown_metric.unit or "value"
    headers = ["frozen", "rate", unit, "stored parameters", "beside", "its rate", f"its {unit}", "its parameters"]
    return Grid(caption, [*headers, "difference", "pairs"], rows, EQUAL_MACS)


def _equal_macs(analysis: Analysis) -> Iterator[list[str]]:
    frozen = [c for c in analysis.shown if c.background == "freeze" and c.record.group == AT_INITIALISATION]
    for cell in frozen:
        pruned = [c for c in analysis.cells if c.background == "prune" and c.record.selection == cell.record.selection]
        small = [c for c in group_cells(analysis, BASELINES) if c.record.fields.get("equal") == "parameters"]
        for others in (pruned, small):
            if (other := largest_within(cell, others)) is not None:
                yield [*_short(analysis, cell), *_short(analysis, other), *_difference(analysis, cell, other)]


def largest_within(cell: Cell, others: Sequence[Cell]) -> Cell | None:
    """Of these the one with most multiply-accumulates in its forward pass that has no more than the cell; of several
    the one of lowest rate.
    """
    most = cell.counts.get(names.FORWARD_MACS)
    known = [other for other in others if names.FORWARD_MACS in other.counts and other.values]
    within = [other for other in known if most and other.counts[names.FORWARD_MACS][1] <= most[0]]
    return max(within, key=_size, default=None)


def _size(cell: Cell) -> tuple[float, Decimal]:
    return cell.counts[names.FORWARD_MACS][1], -cell.rate


def _short(analysis: Analysis, cell: Cell) -> list[str]:
    number = analysis.view.shown_metric.number
    figure = number(cell.summary.mean) if cell.summary.n else NONE
    return [cell.label, rate_text(cell.rate), figure, _count(cell, names.STORED_PARAMETERS)]


def _difference(analysis: Analysis, cell: Cell, other: Cell) -> list[str]:
    seeds = sorted(cell.values.keys() & other.values.keys())
    if not seeds:
        return [NONE, "0"]
    paired = summary(differences([cell.values[s] for s in seeds], [other.values[s] for s in seeds]).tolist())
    number = analysis.view.shown_metric.number
    spread = f" ± {number(paired.sd)}" if paired.n > 1 else ""
    return [f"{number(paired.mean)}{spread}", str(paired.n)]
