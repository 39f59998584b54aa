"""Rates, differences and factors that may be known by their bounds only, as text."""

from __future__ import annotations

import math

from bench.metrics import NONE
from bench.results.statistics.largest_rate import Bounds

LEAST, MOST = 2, 6  # decimals of a rate


def rate_number(rate: float) -> str:
    """A rate to two digits of what is left of 1: rates crowd there.

    >>> [rate_number(rate) for rate in (0.5, 0.90567, 0.9905, 0.99955)]
    ['0.50', '0.906', '0.9905', '0.99955']
    """
    return f"{rate:.{_decimals(rate)}f}"


def _decimals(rate: float) -> int:
    decimals = LEAST if rate >= 1 else 1 - math.floor(math.log10(1 - rate) + 1e-9)
    return min(max(decimals, LEAST), MOST)


def bounds_text(rate: Bounds) -> str:
    """A largest rate; outside the grid, the end of the grid that it lies beyond.

    >>> [bounds_text(Bounds(low=low, high=high)) for low, high in ((0.95, 0.95), (0, 0.5), (0.99, 1))]
    ['0.950', '< 0.5', '≥ 0.99']
    """
    if math.isnan(rate.low):
        return NONE
    if rate.known:
        return rate_number(rate.low)
    return f"≥ {rate.low:g}" if rate.high == 1 else f"< {rate.high:g}"


def rate_and_interval(rate: Bounds, interval: Bounds, ends: tuple[float, float]) -> str:
    """The same with its interval, to equally many digits; `ends`: of the grid. An interval that says no more than the
    rate is left out.

    >>> grid, known, above = (0.5, 0.99), Bounds(low=0.95, high=0.95), Bounds(low=0.99, high=1)
    >>> [rate_and_interval(known, Bounds(low=low, high=high), grid) for low, high in ((0.91, 0.97), (0, 1))]
    ['0.950 [0.910, 0.970]', '0.950 [< 0.5, ≥ 0.99]']
    >>> rate_and_interval(Bounds(low=0.903, high=0.903), Bounds(low=0.89, high=0.91), grid)
    '0.903 [0.890, 0.910]'
    >>> rate_and_interval(above, above, grid), rate_and_interval(above, Bounds(low=0.98, high=1), grid)
    ('≥ 0.99', '≥ 0.99 [0.980, ≥ 0.99]')
    """
    if math.isnan(interval.low) or (interval == rate and not rate.known):
        return bounds_text(rate)
    numbers = [rate.low] * rate.known + [end for end in (interval.low, interval.high) if 0 < end < 1]
    decimals = max(map(_decimals, numbers), default=LEAST)
    low = f"< {ends[0]:g}" if interval.low == 0 else f"{interval.low:.{decimals}f}"
    high = f"≥ {ends[1]:g}" if interval.high == 1 else f"{interval.high:.{decimals}f}"
    return f"{f'{rate.low:.{decimals}f}' if rate.known else bounds_text(rate)} [{low}, {high}]"


def difference(gain: Bounds, interval: Bounds) -> str:
    """A difference of rates and its interval; both ends of it if it is known by them only.

    >>> difference(Bounds(low=0.031, high=0.031), Bounds(low=-0.002, high=0.048))
    '+0.0310 [−0.0020, +0.0480]'
    >>> difference(Bounds(low=0.045, high=0.05), Bounds(low=math.nan, high=math.nan))
    '+0.045 to +0.050'
    """
    tested = not math.isnan(interval.low)
    numbers = [gain.low, gain.high, *([interval.low, interval.high] if tested else [])]
    decimals = 3 if min(map(abs, numbers)) >= 0.01 else 4

    def signed(value: float) -> str:
        return f"{value:+.{decimals}f}".replace("-", "−")

    text = signed(gain.low) if gain.known else f"{signed(gain.low)} to {signed(gain.high)}"
    return f"{text} [{signed(interval.low)}, {signed(interval.high)}]" if tested else text


def factor(gain: Bounds, interval: Bounds) -> str:
    """How many times fewer weights are trained: ×1.6 [1.2, 2.1].

    >>> factor(Bounds(low=1.6, high=1.6), Bounds(low=1.2, high=2.1))
    '×1.6 [1.2, 2.1]'
    >>> inf = float("inf")
    >>> factor(Bounds(low=4, high=inf), Bounds(low=2, high=inf))
    '≥ ×4.0 [2.0, ∞]'
    >>> factor(Bounds(low=0, high=0.2), Bounds(low=0, high=0.5))
    '≤ ×0.20 [0, 0.50]'
    """
    if gain.known:
        text = f"×{_times(gain.low)}"
    elif math.isinf(gain.high):
        text = f"≥ ×{_times(gain.low)}" if gain.low else NONE
    else:
        text = f"×{_times(gain.low)} to ×{_times(gain.high)}" if gain.low else f"≤ ×{_times(gain.high)}"
    return text if math.isnan(interval.low) else f"{text} [{_times(interval.low)}, {_times(interval.high)}]"


def _times(value: float) -> str:
    if math.isinf(value):
        return "∞"
    return "0" if value == 0 else f"{value:.2f}" if value < 1 else f"{value:.1f}" if value < 100 else f"{value:.0f}"
