"""The norm of the gradient by method and rate: before training, and over the epochs trained."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bench import names
from bench.metrics import METRICS, NONE, SUMMARIES
from bench.results.frame.words import rate_text
from bench.results.statistics.analysis import Analysis
from bench.results.statistics.cell_values import named
from bench.results.statistics.cells import Cell, Key, cells
from bench.results.tables.formats import Grid
from bench.results.tables.marks import lost, of_seeds

PROBE = "Gradient of the cross-entropy on a fixed probe of un-augmented training images."
# Header -> the figure of a column.
COLUMNS = {
    "live, before training": names.initial(names.GRAD_NORM_LIVE),
    "live, over the epochs": names.mean(names.GRAD_NORM_LIVE),
    "all, before training": names.initial(names.GRAD_NORM_ALL),
    "all, over the epochs": names.mean(names.GRAD_NORM_ALL),
}


def gradients(analysis: Analysis) -> Grid | None:
    """Method and rate × the norms; None if no trial that is shown has them."""
    columns = [_by_key(analysis, name) for name in COLUMNS.values()]
    if not any(cell.values for column in columns for cell in column.values()):
        return None
    caption = (
        f"Gradient norms. {PROBE} Live: ‖m·g‖₂ over the weights that are trained; all: ‖g‖₂ over the weights of all "
        "Conv and Linear layers, also those that are not trained. Before training, and the mean over the epochs "
        f"trained: mean ± standard deviation (ddof 1) over n = {len(analysis.section.seeds)} seeds, fewer if the entry "
        "says so."
    )
    rows = [
        [cell.label, rate_text(cell.rate), *(_entry(name, column[cell.key]) for name, column in _pairs(columns))]
        for cell in sorted(analysis.shown, key=lambda cell: (cell.rated, cell.key))
    ]
    return Grid(caption, ["method", "rate", *COLUMNS], rows, "Gradient norms")


def _pairs(columns: list[dict[Key, Cell]]) -> Iterator[tuple[str, dict[Key, Cell]]]:
    return zip(COLUMNS.values(), columns, strict=True)


def _by_key(analysis: Analysis, name: str) -> dict[Key, Cell]:
    """The cells shown, with the values of this figure."""
    of_figure = {cell.key: cell for cell in cells(analysis.section, name)}
    return {cell.key: of_figure[cell.key] for cell in analysis.shown}


def _entry(name: str, cell: Cell) -> str:
    metric, s = METRICS[name], cell.summary
    if not s.n:
        return f"{NONE}{of_seeds(cell)}{lost(cell)}"
    return f"{metric.number(s.mean)}{f' ± {metric.number(s.sd)}' if s.n > 1 else ''}{of_seeds(cell)}{lost(cell)}"


def records(analysis: Analysis) -> list[dict[str, Any]]:
    """A record per cell and figure of the gradient."""
    return [
        {**named(cell), "metric": row.name, "mean": cell.summary.mean, "sd": cell.summary.sd, "n": cell.summary.n}
        for row in SUMMARIES
        for cell in _by_key(analysis, row.name).values()
    ]
