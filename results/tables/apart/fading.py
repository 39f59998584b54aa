"""Methods whose background fades while training: what training them computes."""

from __future__ import annotations

from collections.abc import Iterator

from bench import names
from bench.metrics import NONE
from bench.results.frame.words import low_to_high, rate_text
from bench.results.statistics.analysis import Analysis
from bench.results.statistics.cells import Cell
from bench.results.tables.apart.training_macs import times_dense, training_macs
from bench.results.tables.formats import Block, Grid

TITLE = "What a training computes if the background fades"


def costs(analysis: Analysis) -> Iterator[Block]:
    """What training computes, of each method and rate; nothing without such a method."""
    shown = [cell for cell in analysis.shown if cell.rated and cell.record.fades]
    if not shown:
        return
    caption = (
        f"{TITLE}. Training MACs: multiply-accumulates of the forward and backward passes per image, over all epochs, "
        "of a frozen network up to the epoch at whose end the background has faded, then of what it has become; times "
        "dense: as a share of those of the dense baseline. Forward MACs: of the network that is stored. A range over "
        "seeds."
    )
    headers = ["method", "rate", "live weights", "forward MACs", "training MACs", "times dense"]
    yield Grid(caption, headers, [_row(analysis, cell) for cell in shown], TITLE)


def _row(analysis: Analysis, cell: Cell) -> list[str]:
    counted = [cell.counts.get(name) for name in (names.LIVE_WEIGHTS, names.FORWARD_MACS)]
    ranges = [low_to_high(*ends, ",.0f") if ends else NONE for ends in (*counted, training_macs(analysis, cell))]
    return [cell.label, rate_text(cell.rate), *ranges, times_dense(analysis, cell)]
