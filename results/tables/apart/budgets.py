"""Methods that end at a budget, in a group of their own: figures, counts, and each against uniform width."""

from __future__ import annotations

from collections.abc import Iterator

from bench import names
from bench.messages import counted
from bench.metrics import NONE
from bench.results.frame.method_record import TO_BUDGET
from bench.results.frame.words import low_to_high
from bench.results.statistics.analysis import Analysis
from bench.results.statistics.cells import Cell
from bench.results.statistics.comparisons import BASELINE, Comparison, baseline_pairs, family_of
from bench.results.tables import captions
from bench.results.tables.apart import group
from bench.results.tables.apart.group import figure_headers, figures, group_cells
from bench.results.tables.apart.training_macs import times_dense, training_macs
from bench.results.tables.columns import SECONDARY, grid
from bench.results.tables.formats import Block, Grid

TITLE = "To a budget"


def comparisons(analysis: Analysis) -> list[Comparison]:
    """Every method against uniform width of its budget, of the cells shown: a family of its own over the section."""
    keys = {cell.key for cell in group_cells(analysis, TO_BUDGET)}
    return [c for c in family_of(baseline_pairs(analysis.cells), analysis.view.rules) if c.sides[0] in keys]


def blocks(analysis: Analysis) -> Iterator[Block]:
    """The table of the group, and its comparisons; nothing without such a method."""
    words = "Each side chooses by its own training, so the masks differ."
    yield from group.blocks(analysis, TO_BUDGET, TITLE, words, _figures)
    if compared := comparisons(analysis):
        caption = (
            f"Method − {BASELINE} of the same budget: mean difference at the same rate and seed, "
            f"{captions.columns(analysis, compared)} The initial weights differ: a network of uniform width is "
            f"drawn for its own widths. Family: {counted(compared[0].family, 'comparison')}, of such methods only."
        )
        yield grid(f"Method − {BASELINE}{captions.steps(analysis)}", caption, SECONDARY, analysis, compared)


def _figures(analysis: Analysis, shown: list[Cell]) -> Grid:
    caption = (
        f"{TITLE}: these methods end within budgets, of parameters and of multiply-accumulates, of a smaller network "
        "or of the filters that are trained. Of a smaller network the rate is that of all parameters; so they are "
        "in no comparison with methods that choose weights. "
        f"{captions.figure(analysis)}: mean ± standard deviation over n seeds. Parameters: stored ones. MACs: "
        "multiply-accumulates of a forward pass per image. Training MACs: forward and backward, over all epochs; times "
        "dense: as a share of those of the dense baseline. A range over seeds."
    )
    headers = [*figure_headers(analysis), "parameters", "realised rate", "MACs", "training MACs", "times dense"]
    return Grid(caption, headers, [[*figures(analysis, cell), *_counts(analysis, cell)] for cell in shown], TITLE)


def _counts(analysis: Analysis, cell: Cell) -> list[str]:
    return [
        _range(cell.counts.get(names.STORED_PARAMETERS)),
        _range(cell.realised, ".4f"),
        _range(cell.counts.get(names.FORWARD_MACS)),
        _range(training_macs(analysis, cell)),
        times_dense(analysis, cell),
    ]


def _range(ends: tuple[float, float] | None, form: str = ",.0f") -> str:
    return low_to_high(*ends, form) if ends else NONE
