"""A figure over the epochs: a panel per rate, a line per method."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bench.metrics import GRADIENTS
from bench.results.frame.words import rate_text
from bench.results.parts.gradient_norms import PROBE
from bench.results.plots.axis_scales import accuracy_axis, plain_log
from bench.results.plots.plot_page import across, finish, page
from bench.results.plots.plot_style import BAND, LINES_NOTE, Style, line_entries, open_entry
from bench.results.statistics import stats
from bench.results.statistics.cells import Cell
from bench.results.statistics.shown_cells import Excerpt, disconnected, doubtful, missing, over_seeds

Histories = Callable[[Sequence[str], str], pd.DataFrame]  # (run ids, metric) -> the frame of `history.histories`
COLUMNS, HEIGHT = 3, 2.4  # panels side by side; inches of a panel
MARKERS = 6  # along a line
BEYOND = 0.25  # of the range of the means: how far intervals extend a log axis
LARGEST = 600.0  # exponent: exp of more is beyond any axis, and soon beyond float64
LETTERS = 32  # of a line of text beside a panel
CUT = "; intervals beyond the axis are cut"


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A cell over the epochs: mean and interval per epoch.

    `zeros`: seeds left out at an epoch where they are 0; `lacking`: seeds without any point.
    """

    cell: Cell
    epochs: list[int]
    means: list[float]
    intervals: list[stats.Interval]
    zeros: int
    lacking: int


def draw(excerpts: Sequence[Excerpt], styles: Mapping[str, Style], histories: Histories) -> Figure:
    """A block per excerpt, with a panel per rate; the dense baseline stands in every panel."""
    drawn = [excerpt for excerpt in excerpts if excerpt.drawn]
    shown = excerpts[0].view.shown_metric
    log = not shown.is_accuracy
    curves = [_curves(excerpt, histories, log) for excerpt in drawn]
    rates = max(len(excerpt.rates) for excerpt in drawn)
    columns = max(across(2 if rates == 4 else COLUMNS), 2 if rates > COLUMNS else 1)
    sizes = [(excerpt.section.title, max(1, len(excerpt.rates))) for excerpt in drawn]
    cut = False
    figure, blocks = page(sizes, columns=columns, height=HEIGHT)
    for excerpt, panels, of_excerpt in zip(drawn, blocks, curves, strict=True):
        for axes, rate in zip(panels, excerpt.rates or [Decimal(0)], strict=True):
            axes.set_title(f"rate {rate_text(rate)}")
            for curve in of_excerpt:
                if not curve.cell.rated or curve.cell.rate == rate:
                    _line(axes, curve, styles[curve.cell.record.text], shown.factor)
        cut = _scales(panels[0], of_excerpt, shown.factor, log) or cut
    for block in figure.subfigs:
        block.supxlabel("epoch (0 = before training)", fontsize=9)
        words = f"{shown.words}{f' ({shown.unit})' if shown.unit else ''}"
        block.supylabel(textwrap.fill(words, LETTERS), fontsize=9)
    legend = line_entries(styles[curve.cell.record.text] for of_excerpt in curves for curve in of_excerpt)
    mean = "Geometric mean, and 95 % t interval of the mean logarithm," if log else "Mean and 95 % t interval"
    finish(
        figure,
        legend + ([open_entry()] if disconnected(excerpts) else []),
        [
            f"{mean} {over_seeds(excerpts)}{CUT if cut else ''}. {LINES_NOTE}{_probe(shown.name)}",
            *missing(excerpts),
            *doubtful(excerpts),
            *_zeros(curves),
            *_lacking(curves),
        ],
    )
    return figure


def _probe(metric: str) -> str:
    """Of which images a gradient figure is."""
    return f" {PROBE}" if metric in {row.name for row in GRADIENTS} else ""


def _curves(excerpt: Excerpt, histories: Histories, log: bool) -> list[Curve]:
    """The curves of an excerpt's cells, over the seeds that their figures in the table stand on."""
    runs = {}
    for row in excerpt.section.frame.itertuples():
        runs[row.label, Decimal(str(row.rate)), row.seed] = str(row.run_id)
    of_cells = [(cell, [runs[*cell.key, seed] for seed in cell.values]) for cell in excerpt.drawn]
    points = histories([run for _, of_cell in of_cells for run in of_cell], excerpt.view.metric)
    return [curve(cell, points[points["run_id"].isin(of_cell)], log=log) for cell, of_cell in of_cells]


def curve(cell: Cell, points: pd.DataFrame, *, log: bool) -> Curve:
    """Means and 95 % t intervals over the seeds, per epoch.

    With `log`: of the logarithms, so the geometric mean exp(mean(log v)) and exp of the interval's ends; a value of 0
    has no logarithm and is left out.
    """
    known = points[points["value"] > 0] if log else points
    groups = [(int(str(epoch)), group.to_numpy(dtype=np.float64)) for epoch, group in known.groupby("epoch")["value"]]
    summaries = [_mean(np.log(values), np.exp) if log else _mean(values, np.positive) for _, values in groups]
    zeros = points.loc[~points.index.isin(known.index), "run_id"].nunique()
    return Curve(
        cell=cell,
        epochs=[epoch for epoch, _ in groups],
        means=[mean for mean, _ in summaries],
        intervals=[interval for _, interval in summaries],
        zeros=zeros,
        lacking=len(cell.values) - points["run_id"].nunique(),
    )


def _mean(values: stats.Vector, back: np.ufunc) -> tuple[float, stats.Interval]:
    interval = stats.t_interval(values)
    low, high = (float(back(np.clip(end, -LARGEST, LARGEST))) for end in (interval.low, interval.high))
    return float(back(np.mean(values))), stats.Interval(low=low, high=high)


def _line(axes: Axes, curve: Curve, style: Style, factor: float) -> None:
    low, high = ([factor * getattr(i, end) for i in curve.intervals] for end in ("low", "high"))
    look = {"markerfacecolor": "white"} if curve.cell.disconnected else {}
    few = max(1, -(-len(curve.epochs) // MARKERS))
    axes.plot(curve.epochs, [factor * m for m in curve.means], **style.drawn(markevery=few, markersize=4, **look))
    axes.fill_between(curve.epochs, low, high, color=style.colour, **BAND)


def _scales(axes: Axes, curves: Sequence[Curve], factor: float, log: bool) -> bool:
    """Set the scales of the panels of a block, which share them; whether an interval reaches beyond the axis."""
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    axes.xaxis.set_major_formatter("{x:g}")  # the default's are formulas, which take long to set
    if log:
        axes.set_yscale("log")
        plain_log(axes.yaxis)
        before = axes.get_ylim()
        means = [mean for curve in curves for mean in curve.means]
        axes.set_ylim(*(limits(means, before) if means else before))
        return axes.get_ylim() != before
    accuracy_axis(axes, [mean for curve in curves for mean in curve.means], factor)
    return False


def limits(means: Sequence[float], shown: tuple[float, float]) -> tuple[float, float]:
    """Of a log axis: all means, and of the intervals what is at most BEYOND of their range above and below.

    The interval of two seeds may span twenty decades; an axis that showed it would show nothing else.

    >>> limits([0.1, 10.0], (1e-9, 12.0))
    (0.03162277660168379, 12.0)
    """
    low, high = (math.log10(end(means)) for end in (min, max))
    room = BEYOND * max(high - low, 1.0)
    return max(shown[0], 10 ** (low - room)), min(shown[1], 10 ** (high + room))


def _zeros(curves: Sequence[Sequence[Curve]]) -> list[str]:
    """A note on the values that a log axis cannot show."""
    cells = _seeds(curves, lambda curve: curve.zeros)
    return [f"0 at some epoch, which a log axis cannot show, so left out there: {cells}."] if cells else []


def _lacking(curves: Sequence[Sequence[Curve]]) -> list[str]:
    """A note on the seeds that have a figure in the table, and no curve."""
    cells = _seeds(curves, lambda curve: curve.lacking)
    return [f"Seeds without a curve in the store: {cells}."] if cells else []


def _seeds(curves: Sequence[Sequence[Curve]], number: Callable[[Curve], int]) -> str:
    """The cells with such seeds, and how many: snip 0.99 (2 of 5 seeds)"""
    return "; ".join(
        f"{curve.cell.label} {rate_text(curve.cell.rate)} ({number(curve)} of {len(curve.cell.values)} seeds)"
        for of_excerpt in curves
        for curve in of_excerpt
        if number(curve)
    )
