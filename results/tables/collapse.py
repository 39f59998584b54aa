"""Collapse and dead paths: from which rate on a method's mask empties a layer or disconnects a pruned network."""

from __future__ import annotations

from bench import names
from bench.metrics import NONE
from bench.results.frame.collect import DENSE
from bench.results.frame.words import low_to_high, rate_text
from bench.results.statistics.analysis import Analysis
from bench.results.statistics.cells import Cell
from bench.results.tables.formats import Grid


def collapse(analysis: Analysis) -> Grid | None:
    """Methods × the rate at which they collapse, over all rates of the section; None if no mask is known."""
    masked = [cell for cell in analysis.cells if cell.background != DENSE and names.LIVE_WEIGHTS in cell.counts]
    shown = sorted(
        {cell.label for cell in analysis.shown if cell.background != DENSE} & {cell.label for cell in masked}
    )
    if not shown:
        return None
    weights, layers = (max(cell.counts[name][1] for cell in masked) for name in (names.MASKABLE_WEIGHTS, names.LAYERS))
    caption = (
        "Collapse and dead paths. A seed collapses if a layer has no live weight or no path of live weights leads "
        "from the input to the output. Without a path a pruned network answers every image alike, a frozen one, whose "
        "forward pass is dense, does not. Largest compression: of the maskable weights, N / live weights, at the rates "
        f"stored before the first collapse; it can be at most N / layers = {weights / layers:,.0f}. On no path: live "
        "weights that no path of live weights connects with both the input and the output, as a share of the live "
        "ones; a pruned network cannot use them."
    )
    headers = ["method", "first rate with a collapse", "seeds collapsed there"]
    headers += ["largest compression without collapse", "on no path, at the highest rate"]
    rows = [[label, *_row([cell for cell in masked if cell.label == label])] for label in shown]
    return Grid(caption, headers, rows)


def _row(cells: list[Cell]) -> list[str]:
    rising = sorted(cells, key=lambda cell: cell.rate)
    first = next((cell for cell in rising if _collapsed(cell)), None)
    whole = rising[: rising.index(first)] if first else rising
    last = rising[-1]
    live = last.counts[names.LIVE_WEIGHTS][0]
    lost = last.counts.get(names.DISCONNECTED)
    return [
        rate_text(first.rate) if first else f"none up to {rate_text(last.rate)}",
        f"{len(_collapsed(first))} of {first.seeds_known}" if first else NONE,
        f"×{max(_compression(cell) for cell in whole):,.0f}" if whole else NONE,
        f"{low_to_high(100 * lost[0] / live, 100 * lost[1] / live, '.1f')} %" if lost and live else NONE,
    ]


def _collapsed(cell: Cell) -> frozenset[int]:
    return cell.collapsed | cell.disconnected


def _compression(cell: Cell) -> float:
    live = cell.counts[names.LIVE_WEIGHTS][1]
    return cell.counts[names.MASKABLE_WEIGHTS][1] / live if live else 0.0
