"""How far a network can be pruned from each start: the largest rate within a margin of dense, and what a start adds."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from bench.messages import counted
from bench.results.frame.errors import NothingToShowError
from bench.results.frame.method_record import MethodRecord
from bench.results.frame.starts import SCRATCH
from bench.results.plots.axis_scales import RATE_NOTE, density, rate_axis, thin
from bench.results.plots.plot_page import Entry, across, finish, titled
from bench.results.plots.plot_style import GREY, PALETTE
from bench.results.statistics.analysis import Analysis
from bench.results.statistics.cells import Cell
from bench.results.statistics.largest_rate import RESAMPLES, Bounds, Gain, LargestRate, gains, largest_rates
from bench.results.tables.start.largest_rate_table import is_first, ordered
from bench.results.tables.start.largest_rate_words import points

ROW, FRAME = 0.34, 1.0  # inches of a method, and of title, axes and their labels
COLOURS = (GREY, *PALETTE)  # of the starts, scratch first
MARKERS = {"freeze": "o", "prune": "s"}
SPREAD = 0.5  # of a row, that its starts share
ROOM = 1.15  # beyond the factors that are drawn
OF_SCALE = "D"  # of a background that is neither
BEYOND = {-1: "<", 1: ">"}  # markers of what lies below, and above, the grid


@dataclass(frozen=True, kw_only=True)
class Block:
    """What is drawn of the sections that differ in their start only."""

    analysis: Analysis
    rated: list[LargestRate]
    gained: list[Gain]
    colours: Mapping[str, str]  # of every start in any block

    @property
    def methods(self) -> dict[MethodRecord, str]:
        """Record -> label, from the top down; two starts may have other labels of one method."""
        return {one.cell.record: one.cell.label for one in self.rated}

    @property
    def starts(self) -> list[str]:
        """Those that have something to show, scratch first."""
        return _starts(self.analysis, self.rated)

    @property
    def rates(self) -> list[Decimal]:
        """Of all methods and starts, rising."""
        return sorted({rate for one in self.rated for rate in one.curve.rates})

    def row(self, method: MethodRecord, start: str) -> float:
        """Where a method of a start stands, its starts below one another around the method's own row."""
        starts = self.starts
        step = SPREAD / len(starts)
        return list(self.methods).index(method) + step * (starts.index(start) - (len(starts) - 1) / 2)


def draw(analyses: Sequence[Analysis]) -> Figure:
    """A block for the sections that differ in their start only: a row per method, left its largest rate from each
    start, right the differences from scratch; a marker points outwards if what it stands for lies beyond it.

    Raises: NothingToShowError if no method has a dense network of the same start and seed beside it.
    """
    blocks = _blocks([analysis for analysis in analyses if is_first(analysis)])
    if not blocks:
        raise NothingToShowError("plot start: no method is shown that has a dense network of its start and seeds")
    wide = across(2) > 1
    figure, subfigures = titled([(block.analysis.section.title_of_family, _height(block, wide)) for block in blocks])
    left = []
    for block, subfigure in zip(blocks, subfigures, strict=True):
        panels = 2 if block.gained else 1
        shape = (1, panels) if wide else (panels, 1)
        ratios: dict[str, Any] = {"width_ratios": [1.6, 1]} if wide and panels > 1 else {}
        axes = subfigure.subplots(*shape, sharey=wide, squeeze=False, **ratios).ravel()
        _rates(axes[0], block)
        if block.gained:
            _gains(axes[1], block)
        for panel in axes if not wide else axes[:1]:
            _named(panel, block)
        for panel in axes:
            panel.grid(visible=False, axis="y")
        left.append(axes[0])
    finish(figure, _entries(blocks), [_note(blocks)])
    figure.draw_without_rendering()
    for panel in left:
        thin(panel)
    return figure


def _blocks(analyses: Sequence[Analysis]) -> list[Block]:
    """Those that have something to show; a start has one colour in all of them."""
    rated = [(analysis, every) for analysis in analyses if (every := ordered(largest_rates(analysis)))]
    starts = sorted(dict.fromkeys(start for both in rated for start in _starts(*both)), key=lambda s: s != SCRATCH)
    first = int(SCRATCH not in starts)
    colours = {start: COLOURS[(first + i) % len(COLOURS)] for i, start in enumerate(starts)}
    return [
        Block(analysis=analysis, rated=every, gained=gains(every, analysis.view.within), colours=colours)
        for analysis, every in rated
    ]


def _starts(analysis: Analysis, rated: Sequence[LargestRate]) -> list[str]:
    return [start for start in analysis.starts if any(one.start == start for one in rated)]


def _height(block: Block, wide: bool) -> float:
    panels = 2 if block.gained and not wide else 1
    return panels * (FRAME + ROW * len(block.methods))


def _named(axes: Axes, block: Block) -> None:
    axes.set_yticks(range(len(block.methods)), list(block.methods.values()))
    axes.set_ylim(len(block.methods) - 0.5, -0.5)


def _rates(axes: Axes, block: Block) -> None:
    low, high = float(block.rates[0]), float(block.rates[-1])
    rate_axis(axes, block.rates)
    for one in block.rated:
        y, colour = block.row(one.cell.record, one.start), block.colours[one.start]
        ends = [min(max(end, low), high) for end in (one.interval.low, one.interval.high)]
        if not math.isnan(one.interval.low):
            axes.plot([1 - end for end in ends], [y, y], color=colour, linewidth=1.5)
        beyond = _beyond(one.rate)
        marker = BEYOND.get(beyond, _marker(one.cell))
        at = {-1: one.rate.high, 0: one.rate.low, 1: one.rate.low}[beyond]
        axes.plot([1 - at], [y], marker=marker, color=colour, linestyle="none")
    _room(axes, block.rates)
    axes.set_xlabel(f"largest rate within {points(block.analysis)} of dense")


def _marker(cell: Cell) -> str:
    return MARKERS.get(cell.background, OF_SCALE)


def _beyond(rate: Bounds) -> int:
    """-1 below the grid, 1 above it, 0 between its rates."""
    return 0 if rate.known else 1 if rate.high == 1 else -1


def _room(axes: Axes, rates: Sequence[Decimal]) -> None:
    """Room for the markers at both ends of the grid."""
    if len(rates) > 1:
        most, least = density(rates[0]), density(rates[-1])
        share = (most / least) ** 0.06
        axes.set_xlim(most * share, least / share)


def _gains(axes: Axes, block: Block) -> None:
    """How many times fewer weights are trained: the differences on the scale of the rates."""
    axes.set_xscale("log")
    axes.axvline(1, color="black", linewidth=0.8, zorder=1)
    least, most = _reach([bounds for gain in block.gained for bounds in (gain.factor, gain.factor_interval)])
    axes.set_xlim(least, most)
    for gain in block.gained:
        y = block.row(gain.cell.record, gain.start)
        look: dict[str, Any] = {"color": block.colours[gain.start]}
        low, high = (min(max(end, least), most) for end in (gain.factor.low, gain.factor.high))
        if not math.isnan(gain.factor_interval.low):
            ends = [min(max(end, least), most) for end in (gain.factor_interval.low, gain.factor_interval.high)]
            axes.plot(ends, [y, y], linewidth=1.5, **look)
        if gain.factor.known:
            axes.plot([low], [y], marker=_marker(gain.cell), linestyle="none", **look)
        elif low > least and high == most:
            axes.plot([low], [y], marker=BEYOND[1], linestyle="none", **look)
        elif low == least and high < most:
            axes.plot([high], [y], marker=BEYOND[-1], linestyle="none", **look)
        else:
            axes.plot([low, high], [y, y], linewidth=4, alpha=0.5, **look)
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"×{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("times fewer trained weights")


def _reach(every: Sequence[Bounds]) -> tuple[float, float]:
    """The ends of the axis: beyond 1 and all ends that are known."""
    known = [1.0, *(end for bounds in every for end in (bounds.low, bounds.high) if 0 < end < math.inf)]
    return min(known) / ROOM, max(known) * ROOM


def _entries(blocks: Sequence[Block]) -> list[Entry]:
    starts = blocks[0].colours
    entries: list[Entry] = [
        (Line2D([], [], color=colour, marker="o", linestyle="-"), start) for start, colour in starts.items()
    ]
    look: dict[str, Any] = {"color": "black", "linestyle": "none"}
    backgrounds = {one.cell.background for block in blocks for one in block.rated}
    named = {"freeze": "frozen", "prune": "pruned"}
    entries += [(Line2D([], [], marker=MARKERS[b], **look), words) for b, words in named.items() if b in backgrounds]
    entries += [(Line2D([], [], marker=OF_SCALE, **look), "of a scale, or fading")] if backgrounds - set(named) else []
    places = {_beyond(one.rate) for block in blocks for one in block.rated}
    words = {-1: "at most, or below the lowest rate", 1: "at least"}
    entries += [(Line2D([], [], marker=BEYOND[p], **look), w) for p, w in words.items() if p in places]
    if any(_ends_only(gain) for block in blocks for gain in block.gained):
        entries.append((Line2D([], [], color=GREY, linewidth=4, alpha=0.5), "known by its ends only"))
    return entries


def _ends_only(gain: Gain) -> bool:
    """Whether a factor lies between two numbers that are known, and is not."""
    return not gain.factor.known and (gain.factor.low > 0) == (gain.factor.high < math.inf)


def _note(blocks: Sequence[Block]) -> str:
    analysis = blocks[0].analysis
    seeds = {one.curve.seeds for block in blocks for one in block.rated}
    sizes = sorted(set(map(len, seeds)))
    n = counted(sizes[0], "seed") if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]} seeds"
    differences = (
        f" Times fewer trained weights: than from {SCRATCH}, the difference of the two on the scale of the rates."
        if any(block.gained for block in blocks)
        else ""
    )
    return (
        f"{analysis.view.shown_metric.caption}: the rate up to which the mean over n = {n} is no more than "
        f"{points(analysis)} below that of dense from the same start; linear in the logarithm of the density between "
        f"two rates.{differences}{_bars(seeds)} {RATE_NOTE}"
    )


def _bars(seeds: Collection[tuple[int, ...]]) -> str:
    """What the bars are; nothing if one seed has none."""
    if max(map(len, seeds)) < 2:
        return ""
    alike = "all" if len(seeds) == 1 else "all of the same seeds"
    return (
        f" Bars: 95 % percentile intervals over {RESAMPLES:,} resamples of whole seeds, the same for {alike}; one that "
        "reaches the end of its axis may go beyond it."
    )
