"""What the tables of every group of methods that stands apart have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from bench.messages import counted
from bench.metrics import NONE
from bench.results.frame.words import rate_text
from bench.results.statistics.analysis import Analysis
from bench.results.statistics.cells import Cell, in_doubt, percent_of_dense
from bench.results.statistics.comparisons import Comparison, family_of, freeze_prune_pairs
from bench.results.tables import captions
from bench.results.tables.columns import PRIMARY, grid
from bench.results.tables.formats import Block
from bench.results.tables.marks import CONFLICT, lost, of_seeds, seeds_legend


def group_cells(analysis: Analysis, group: str) -> list[Cell]:
    """The cells shown of a group."""
    return [cell for cell in analysis.shown if cell.record.group == group]


def comparisons(analysis: Analysis, group: str) -> list[Comparison]:
    """Freeze − prune within a group, of the cells shown: a family of its own over the whole section."""
    keys = {cell.key for cell in group_cells(analysis, group)}
    family = family_of(freeze_prune_pairs(analysis.cells, group=group), analysis.view.rules)
    return [c for c in family if keys & set(c.sides)]


def blocks(
    analysis: Analysis, group: str, title: str, words: str, table: Callable[[Analysis, list[Cell]], Block]
) -> Iterator[Block]:
    """The group's table, and its own freeze − prune; nothing without such a method.

    Args: words: what tells the two sides apart besides the background.
    """
    if shown := group_cells(analysis, group):
        yield table(analysis, shown)
    yield from _pairs(analysis, group, title, words)


def _pairs(analysis: Analysis, group: str, title: str, words: str) -> Iterator[Block]:
    """The group's own freeze − prune, if there is any."""
    if not (compared := comparisons(analysis, group)):
        return
    small = f"{title[0].lower()}{title[1:]}"
    caption = (
        f"Freeze − prune, {small}: mean difference, same way to choose the weights, same rate and seed, "
        f"{captions.columns(analysis, compared)} {words} "
        f"Family: {counted(compared[0].family, 'comparison')}, of such methods only."
    )
    yield grid(f"Freeze − prune, {small}{captions.steps(analysis)}", caption, PRIMARY, analysis, compared)


def figure_headers(analysis: Analysis) -> list[str]:
    """The headers of `figures`."""
    return ["method", "rate", analysis.view.shown_metric.unit or "value", "n", "percent of dense"]


def figures(analysis: Analysis, cell: Cell) -> list[str]:
    """Method, rate, mean ± standard deviation, n, percent of dense."""
    number, s = analysis.view.shown_metric.number, cell.summary
    figure = f"{number(s.mean)} ± {number(s.sd)}" if s.n > 1 else number(s.mean) if s.n else NONE
    marked = f"{figure}{of_seeds(cell)}{lost(cell)}"
    return [cell.label, rate_text(cell.rate), marked, str(s.n), _percent(analysis, cell)]


def _percent(analysis: Analysis, cell: Cell) -> str:
    """Percent of dense, with the mark of doubt if dense, or the cell, has it."""
    dense = analysis.dense
    if dense is None or not analysis.view.shown_metric.is_accuracy:
        return NONE
    share, doubtful = percent_of_dense(cell, dense)[0], in_doubt(cell, dense)
    return f"{share.mean:.2f}{f' {CONFLICT}{doubtful}' if doubtful else ''}" if share.n else NONE


def figures_legend(analysis: Analysis, shown: Sequence[Cell]) -> str:
    """What the marks of these figures mean, those that occur, behind another sentence."""
    marks = "".join(entry for cell in shown for entry in figures(analysis, cell)[2:])
    return seeds_legend(marks)
