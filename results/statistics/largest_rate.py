"""Largest rate: how far a method can go before its mean is more than a margin below that of its own dense network.

It is the first crossing: all rates of the grid below it are within the margin, whatever comes beyond. Between the last
rate within and the next one the loss is taken as linear in the logarithm of the density, the scale on which the rates
of the standard grid are about evenly spaced. Beyond the grid nothing is known: a method that is within the margin at
every rate has a largest rate of at least the highest of them, and one that is at none a rate below the lowest.

Intervals are percentiles over RESAMPLES resamples of whole seeds, the same resamples for every method and start.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from bench.results.frame.collect import DENSE
from bench.results.frame.method_record import AT_INITIALISATION
from bench.results.frame.starts import SCRATCH
from bench.results.statistics import stats
from bench.results.statistics.analysis import Analysis
from bench.results.statistics.cells import Cell, diverged_as
from bench.results.statistics.stats import Vector
from bench.results.statistics.view import View

RESAMPLES = 10_000
TAIL = 100 * (1 - stats.LEVEL) / 2


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """Where a number lies: low = high if it is known; NaN if there is none."""

    low: float
    high: float

    @property
    def known(self) -> bool:
        return self.low == self.high


NOWHERE = Bounds(low=np.nan, high=np.nan)


@dataclass(frozen=True, kw_only=True)
class Curve:
    """What a method loses against its dense network at each seed [n] and rate [r]: dense − method."""

    seeds: tuple[int, ...]
    rates: tuple[Decimal, ...]  # rising
    losses: Vector  # [n, r]

    def of(self, seeds: Sequence[int]) -> Curve:
        """The curve of these seeds of it."""
        rows = [self.seeds.index(seed) for seed in seeds]
        return Curve(seeds=tuple(seeds), rates=self.rates, losses=self.losses[rows])


@dataclass(frozen=True, kw_only=True)
class LargestRate:
    """Of one method at one start."""

    cell: Cell  # one of the method's
    start: str
    curve: Curve
    grid: tuple[Decimal, ...]  # the rates asked for, rising; of whole filters the curve has the counted ones
    rate: Bounds  # from 0 to the lowest rate if it is within the margin at none, from the highest to 1 if at all
    interval: Bounds
    returns: tuple[Decimal, ...]  # higher rates at which it is within the margin again


@dataclass(frozen=True, kw_only=True)
class Gain:
    """What a start adds to the largest rate of a method: its own minus that from scratch, over the seeds both have."""

    cell: Cell
    start: str
    seeds: tuple[int, ...]
    difference: Bounds
    interval: Bounds
    factor: Bounds  # how many times fewer weights are trained at it: density from scratch / density
    factor_interval: Bounds


def largest_rates(analysis: Analysis, *, group: str = AT_INITIALISATION) -> list[LargestRate]:
    """Of every method shown at every start of the family, methods in the order of their labels, scratch first.

    Args: group: of methods, one of GROUPS.
    """
    view, chance = analysis.view, analysis.view.chance(analysis.section.dataset)
    shows = view.shows_from_any_start
    rated = []
    for start, cells in analysis.starts.items():
        dense = next((cell for cell in cells if cell.background == DENSE and cell.values), None)
        by_label: dict[str, list[Cell]] = {}
        of_group = [cell for cell in cells if cell.rated and cell.record.group == group]
        for cell in diverged_as(of_group, chance):
            by_label.setdefault(cell.label, []).append(cell)
        shown = {label: of_label for label, of_label in by_label.items() if any(map(shows, of_label))}
        rated += [_largest_rate(of_label, dense, start, view) for of_label in shown.values() if dense]
    return sorted((one for one in rated if one.curve.seeds), key=lambda one: one.cell.label)


def gains(rated: Sequence[LargestRate], margin: float) -> list[Gain]:
    """What every start but scratch adds, of each method that has a largest rate from both."""
    from_scratch = {one.cell.record: one for one in rated if one.start == SCRATCH}
    pairs = [(one, from_scratch.get(one.cell.record)) for one in rated if one.start != SCRATCH]
    every = [_gain(one, other, margin) for one, other in pairs if other is not None]
    return [gain for gain in every if gain.seeds]


def curve_of(cells: Sequence[Cell], dense: Cell) -> Curve:
    """The losses of one method against dense, over the seeds that have every figure."""
    rising = sorted((cell for cell in cells if cell.values), key=lambda cell: cell.rate)
    seeds = sorted(set(dense.values).intersection(*(cell.values for cell in rising))) if rising else []
    losses = [[dense.values[seed] - cell.values[seed] for cell in rising] for seed in seeds]
    return Curve(
        seeds=tuple(seeds),
        rates=tuple(map(_realised, rising)),
        losses=np.array(losses, dtype=np.float64).reshape(len(seeds), len(rising)),
    )


def _realised(cell: Cell) -> Decimal:
    """The rate of a cell; of whole filters the counted one."""
    return cell.rate if cell.realised is None else Decimal(f"{1 - cell.density:.4f}")


def _largest_rate(cells: Sequence[Cell], dense: Cell, start: str, view: View) -> LargestRate:
    curve = curve_of(cells, dense)
    low, high = bounds(curve, np.ones((1, len(curve.seeds))), view.within)
    within = _within(curve.losses.mean(axis=0), view.within) if curve.seeds else np.zeros(0, dtype=bool)
    beyond = within[np.argmin(within) :] if not within.all() else within[:0]
    return LargestRate(
        cell=cells[0],
        start=start,
        curve=curve,
        grid=tuple(sorted(cell.rate for cell in cells if cell.values)),
        rate=Bounds(low=float(low[0]), high=float(high[0])),
        interval=_percentiles(*bounds(curve, resamples(len(curve.seeds)), view.within)),
        returns=tuple(rate for rate, w in zip(curve.rates[len(curve.rates) - len(beyond) :], beyond, strict=True) if w),
    )


def _gain(one: LargestRate, other: LargestRate, margin: float) -> Gain:
    seeds = sorted({*one.curve.seeds} & {*other.curve.seeds})
    curves = [side.curve.of(seeds) for side in (one, other)]

    def both(weights: Vector) -> tuple[tuple[Vector, Vector], tuple[Vector, Vector]]:
        (low, high), (from_low, from_high) = (bounds(curve, weights, margin) for curve in curves)
        with np.errstate(divide="ignore", invalid="ignore"):  # a rate of 1 trains nothing
            factors = (1 - from_high) / (1 - low), (1 - from_low) / (1 - high)
        return (low - from_high, high - from_low), factors

    difference, factor = both(np.ones((1, len(seeds))))
    resampled = both(resamples(len(seeds)))
    return Gain(
        cell=one.cell,
        start=one.start,
        seeds=tuple(seeds),
        difference=_only(*difference),
        interval=_percentiles(*resampled[0]),
        factor=_only(*factor),
        factor_interval=_percentiles(*resampled[1]),
    )


def bounds(curve: Curve, weights: Vector, margin: float) -> tuple[Vector, Vector]:
    """The bounds of the largest rate for each row of weights [b, n] of the seeds, at least one of them positive."""
    if not curve.seeds:
        return np.full(len(weights), np.nan), np.full(len(weights), np.nan)
    losses = weights @ curve.losses / weights.sum(axis=1, keepdims=True)
    rates = np.array([float(rate) for rate in curve.rates])
    first = np.cumprod(_within(losses, margin), axis=1).sum(axis=1)  # the first rate beyond the margin
    low = np.where(first == 0, 0.0, rates[first - 1])
    high = np.append(rates, 1.0)[first]
    between = np.flatnonzero((first > 0) & (first < len(rates)))
    last, beyond = (losses[between, first[between] - back] for back in (1, 0))
    share = (margin - last) / (beyond - last)
    crossing = 1 - (1 - low[between]) * ((1 - high[between]) / (1 - low[between])) ** share
    low[between] = high[between] = crossing
    return low, high


def resamples(n: int) -> Vector:
    """How often each of n seeds is in each resample [b, n]; none below two seeds."""
    rng = np.random.default_rng(stats.SEED)
    return rng.multinomial(n, [1 / n] * n, size=RESAMPLES).astype(np.float64) if n > 1 else np.empty((0, n))


def _within(losses: Vector, margin: float) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    return np.round(losses - margin, stats.DECIMALS) <= 0


def _only(low: Vector, high: Vector) -> Bounds:
    return Bounds(low=float(low[0]), high=float(high[0]))


def _percentiles(low: Vector, high: Vector) -> Bounds:
    """The interval of numbers that are known by their bounds: it covers whatever they are within these."""
    if not len(low):
        return NOWHERE
    # An order statistic, as no number lies between a known rate and an unknown one.
    ends = np.percentile(low, TAIL, method="inverted_cdf"), np.percentile(high, 100 - TAIL, method="inverted_cdf")
    return Bounds(low=float(ends[0]), high=float(ends[1]))
