"""Methods whose masks change while training, in a group of their own: figures, and what training them costs."""

from __future__ import annotations

from collections.abc import Iterator

from bench import names
from bench.metrics import NONE
from bench.results.frame.method_record import CHANGING
from bench.results.frame.words import low_to_high, rate_text
from bench.results.statistics.analysis import Analysis
from bench.results.statistics.cells import Cell
from bench.results.tables import captions
from bench.results.tables.apart import group
from bench.results.tables.apart.group import figure_headers, figures, figures_legend, group_cells
from bench.results.tables.apart.training_macs import times_dense
from bench.results.tables.formats import Block, Grid

TITLE = "Masks change while training"


def blocks(analysis: Analysis) -> Iterator[Block]:
    """The table of the group, and its own freeze − prune; nothing without such a method."""
    return group.blocks(
        analysis, CHANGING, TITLE, "Each side chooses by its own training, so the masks differ.", _figures
    )


def _figures(analysis: Analysis, shown: list[Cell]) -> Grid:
    caption = (
        f"{TITLE}: these methods choose their masks again after some epochs, by what is trained so far, and so are in "
        f"no comparison with methods at initialisation. {captions.figure(analysis)}: mean ± standard deviation over n "
        "seeds. Mean live weights: over the epochs of the training, of which the last masks have the live weights of "
        f"the rate.{figures_legend(analysis, shown)}"
    )
    rows = [[*figures(analysis, cell), *_live(cell)] for cell in shown]
    headers = [*figure_headers(analysis), "live weights", "mean live weights"]
    return Grid(caption, headers, rows, TITLE)


def _live(cell: Cell) -> list[str]:
    return [_count(cell, name) for name in (names.LIVE_WEIGHTS, names.MEAN_LIVE_WEIGHTS)]


def _count(cell: Cell, name: str) -> str:
    return low_to_high(*cell.counts[name], ",.0f") if name in cell.counts else NONE


def costs(analysis: Analysis) -> Iterator[Block]:
    """What training computes, of each method and rate; nothing without such a method."""
    if not (shown := group_cells(analysis, CHANGING)):
        return
    caption = (
        "What a training computes if its masks change. Training MACs: multiply-accumulates of the forward and backward "
        "passes per image, over all epochs, of the masks that each epoch was trained under; times dense: as a share of "
        "those of the dense baseline. A range over seeds."
    )
    headers = ["method", "rate", "live weights", "mean live weights", "training MACs", "times dense"]
    rows = [
        [c.label, rate_text(c.rate), *_live(c), _count(c, names.TRAINING_MACS), times_dense(analysis, c)] for c in shown
    ]
    yield Grid(caption, headers, rows, "What a training computes if its masks change")
