"""What the machine-readable forms say of a cell: which it is, and its values at full precision."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from bench import metrics, names
from bench.results.frame.collect import BIASES, DENSE
from bench.results.frame.words import rate_text
from bench.results.statistics import stats, two_way
from bench.results.statistics.analysis import Analysis
from bench.results.statistics.cells import Cell, percent_of_dense

Share = tuple[stats.Summary, stats.Interval]
NO_SHARE = stats.Summary(mean=math.nan, sd=math.nan, n=0), stats.NO_INTERVAL
COUNTS = (
    names.LIVE_WEIGHTS, names.STORED_PARAMETERS, names.COMPRESSION, *metrics.sizes(), names.FORWARD_MACS,
    names.BACKWARD_MACS,
)  # fmt: skip


def _has_share(analysis: Analysis, cell: Cell) -> bool:
    return analysis.dense is not None and cell.background != DENSE


def _share(analysis: Analysis, cell: Cell) -> Share:
    """Percent of dense; without a number for dense itself."""
    dense = analysis.dense
    return NO_SHARE if dense is None or cell.background == DENSE else percent_of_dense(cell, dense)


def _middle(name: str, analysis: Analysis, cell: Cell) -> float:
    """Half-way between the least and the largest over the seeds."""
    return sum(cell.counts[name]) / 2 if name in cell.counts else math.nan


# Name -> the value of a cell.
CELL: dict[str, Callable[[Analysis, Cell], Any]] = {
    "metric": lambda analysis, cell: analysis.view.metric,
    "mean": lambda analysis, cell: cell.summary.mean,
    "sd": lambda analysis, cell: cell.summary.sd,
    "n": lambda analysis, cell: cell.summary.n,
    "diverged": lambda analysis, cell: cell.seeds_lost(names.DIVERGED),
    "failed": lambda analysis, cell: cell.seeds_lost(names.FAILED),
    "no_figure": lambda analysis, cell: cell.seeds_lost("no figure"),
    "missing": lambda analysis, cell: list(cell.missing),
    "collapsed": lambda analysis, cell: sorted(cell.collapsed),
    "disconnected": lambda analysis, cell: sorted(cell.disconnected),
    "percent_of_dense": lambda analysis, cell: _share(analysis, cell)[0].mean,
    "percent_of_dense_low": lambda analysis, cell: _share(analysis, cell)[1].low,
    "percent_of_dense_high": lambda analysis, cell: _share(analysis, cell)[1].high,
    "percent_of_dense_n": lambda analysis, cell: _share(analysis, cell)[0].n if _has_share(analysis, cell) else None,
    **{name: partial(_middle, name) for name in COUNTS},
}


TWO_WAY = ("percent_of_dense_two_way_low", "percent_of_dense_two_way_high")  # over seeds and test images; of some cells
CONFLICTING = "conflicting"  # seeds of which the store has results that disagree; only of a cell that has some


def values_of(analysis: Analysis, cell: Cell, of: Iterable[str]) -> dict[str, Any]:
    """These values of a cell, and what to doubt of them."""
    doubts = {CONFLICTING: sorted(cell.conflicting)} if cell.conflicting else {}
    return {**{name: CELL[name](analysis, cell) for name in of}, **_two_way(analysis, cell), **doubts}


def _two_way(analysis: Analysis, cell: Cell) -> dict[str, float]:
    """Percent of dense over seeds and test images; nothing if the cell or dense has not kept which it gets right."""
    if analysis.dense is None or cell.background == DENSE:
        return {}
    interval = two_way.of_percent_of_dense(cell, analysis.dense)
    return {} if math.isnan(interval.low) else dict(zip(TWO_WAY, (interval.low, interval.high), strict=True))


def held(cell: Cell) -> str:
    """What the weights that are not trained hold; of biases alone, which are at rate 1, their initial values."""
    return "freeze" if cell.background == BIASES else cell.background


def named(cell: Cell) -> dict[str, str]:
    """Which cell it is."""
    return {
        "method": cell.method,
        "label": cell.label,
        "rate": rate_text(cell.rate),
        "background": held(cell),
    }
