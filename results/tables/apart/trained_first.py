"""Methods whose masks follow from another training, in a group of their own: figures, and what they cost."""

from __future__ import annotations

from collections.abc import Iterator

from bench import names
from bench.results.frame.method_record import TRAINED_FIRST
from bench.results.frame.words import low_to_high
from bench.results.statistics.analysis import Analysis
from bench.results.statistics.cells import Cell
from bench.results.tables import captions
from bench.results.tables.apart import group
from bench.results.tables.apart.group import figure_headers, figures, figures_legend
from bench.results.tables.formats import Block, Grid

TITLE = "Not at initialisation"


def blocks(analysis: Analysis) -> Iterator[Block]:
    """The table of the group, and its own freeze − prune; nothing without such a method."""
    return group.blocks(
        analysis, TRAINED_FIRST, TITLE, "Each side chooses by its own trainings, so the masks differ.", _figures
    )


def epochs(analysis: Analysis, cell: Cell) -> tuple[float, float]:
    """The least and the most that is trained for a seed of a cell, with all that the trial needs."""
    alone = float(analysis.section.fields["epochs"])
    return cell.counts.get(names.TRAINING_EPOCHS, (alone, alone))


def _figures(analysis: Analysis, shown: list[Cell]) -> Grid:
    caption = (
        f"{TITLE}: the masks of these methods follow from another training of the same network, so they are an upper "
        f"line for the others, and in no comparison with them. {captions.figure(analysis)}: mean ± standard deviation "
        "over n seeds. Epochs: what is trained for a seed, with all that the trial needs; trials of several rates "
        "share what they need. The epochs of weights from a file are not known, and not among them."
        f"{figures_legend(analysis, shown)}"
    )
    headers = [*figure_headers(analysis), "epochs", "times its own"]
    return Grid(caption, headers, [_row(analysis, cell) for cell in shown], TITLE)


def _row(analysis: Analysis, cell: Cell) -> list[str]:
    own, (least, largest) = float(analysis.section.fields["epochs"]), epochs(analysis, cell)
    times = low_to_high(least / own, largest / own, ".3g")
    return [*figures(analysis, cell), low_to_high(least, largest, ",.0f"), f"×{times}"]
