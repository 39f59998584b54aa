"""How many seeds a difference needs: the power of the two-sided paired t-test, by the noncentral t distribution.

Cohen (1988), chapter 2: with n pairs whose differences are normal with mean d and standard deviation s, the statistic
t = mean·sqrt(n)/sd has the noncentral t distribution with n - 1 degrees of freedom and noncentrality (d/s)·sqrt(n).
An effect is d/s, a number without unit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy import optimize, stats

from bench.results.frame.errors import check_level
from bench.results.statistics.comparisons import Comparison
from bench.results.statistics.stats import Interval

MOST = 10_000  # seeds; if more are needed, the number itself is of no use
SPREAD = 0.90  # level of the interval of a standard deviation


@dataclass(frozen=True, kw_only=True)
class Aim:
    """What to detect: a mean difference, in the unit of the standard deviation, at a level and with a power."""

    difference: float
    alpha: float = 0.05
    power: float = 0.8

    def __post_init__(self) -> None:
        if not 0 < self.difference < math.inf:
            raise ValueError(f"difference {self.difference:g}: must be above 0 and finite")
        check_level(self.alpha)
        if not self.alpha < self.power < 1:
            raise ValueError(f"power {self.power:g}: must be above alpha, {self.alpha:g}, and below 1")


def power(n: int, effect: float, alpha: float) -> float:
    """P(|T| > t(1 - alpha/2, n-1)), T noncentral t with n - 1 degrees of freedom, noncentrality effect·sqrt(n)."""
    critical, shift = stats.t.ppf(1 - alpha / 2, n - 1), abs(effect) * math.sqrt(n)
    # If scipy's far tail has no number, rejecting on the wrong side is all but impossible.
    wrong = stats.nct.cdf(-critical, n - 1, shift)
    return float(stats.nct.sf(critical, n - 1, shift)) + (0.0 if math.isnan(wrong) else float(wrong))


def pairs_needed(effect: float, alpha: float, wanted: float) -> int | None:
    """The smallest n whose power is `wanted`; None above MOST."""
    if power(MOST, effect, alpha) < wanted:
        return None
    low, high = 1, MOST  # of low pairs the power is less, of high pairs it is enough
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power(middle, effect, alpha) >= wanted else (middle, high)
    return high


def smallest_effect(n: int, alpha: float, wanted: float) -> float:
    """The effect that n pairs find with the power `wanted`; NaN below two pairs."""
    if n < 2:
        return math.nan
    high = 1.0
    while power(n, high, alpha) < wanted:
        high *= 2
    return float(optimize.brentq(lambda effect: power(n, effect, alpha) - wanted, 0.0, high))


def spread_interval(sd: float, n: int) -> Interval:
    """The interval of level SPREAD of the standard deviation of normal values, of which n gave `sd` (ddof 1).

    sd·sqrt((n-1)/q) with q the quantiles (1 ± SPREAD)/2 of chi-square with n - 1 degrees of freedom; NaN below n = 2.
    """
    if n < 2:
        return Interval(low=math.nan, high=math.nan)
    low, high = (sd * math.sqrt((n - 1) / stats.chi2.ppf((1 + side * SPREAD) / 2, n - 1)) for side in (1, -1))
    return Interval(low=low, high=high)


@dataclass(frozen=True, kw_only=True)
class Need:
    """What a comparison needs at one level: seeds by its sd, and by the ends of its interval; None above MOST."""

    seeds: int | None
    seeds_low: int | None
    seeds_high: int | None
    detects: float  # the smallest difference that the present n finds, in units of the metric


def need(c: Comparison, spread: Interval, aim: Aim, alpha: float) -> Need | None:
    """None without two pairs, or without spread: then there is no standard deviation to go by."""
    if not c.sd > 0:
        return None
    sds = (c.sd, spread.low, spread.high)
    seeds, low, high = (pairs_needed(aim.difference / sd, alpha, aim.power) for sd in sds)
    detects = c.sd * smallest_effect(c.n, alpha, aim.power)
    return Need(seeds=seeds, seeds_low=low, seeds_high=high, detects=detects)
