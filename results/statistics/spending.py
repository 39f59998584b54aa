"""Spending a level over looks (Lan and DeMets 1983): at which nominal level each look may mark.

At a look the information is t, the share of the planned seeds that is there. The score Z(t)·sqrt(t) of a mean
difference is a Brownian motion: Z(s) and Z(t), s <= t, have the correlation sqrt(s/t). Levels are of two-sided tests,
symmetric. They are those of normal differences with known variance, applied to p-values of any test: for the t test of
5 and then 10 pairs that is a little too much, see docs/plan.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from math import e, floor, log10, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

NODES = 256  # of the quadrature over the continuation region: the boundaries of tests agree to 1e-6 with twice as many
LEAST = 1e-300  # a level below is no more rounded: what it is multiplied by would be no float
DIGITS = 4  # significant ones of a level; it is rounded down, so that the level printed is the one that decides
Vector = NDArray[np.float64]


def obrien_fleming(t: float, alpha: float) -> float:
    """4(1 - Φ(z/sqrt(t))), z the upper α/4 quantile: little at first, nearly all at the end (Lan and DeMets 1983)."""
    return float(4 * special.ndtr(special.ndtri(alpha / 4) / sqrt(t)))


def pocock(t: float, alpha: float) -> float:
    """α·ln(1 + (e - 1)t): about as much at every look (Lan and DeMets 1983)."""
    return float(alpha * np.log1p((e - 1) * t))


# Name -> what of a two-sided level α is spent by the information t in (0, 1]; all of it at 1.
SPENDING: dict[str, Callable[[float, float], float]] = {"obrien-fleming": obrien_fleming, "pocock": pocock}


def level_at(n: int, planned: int, looks: Sequence[int], spending: str, alpha: float) -> float:
    """The nominal level of the look at n of the planned seeds, after looks at fewer of them; rounded down.

    Args:   looks: numbers of seeds, in any order; those of n and more do not count.
    Raises: ValueError unless 2 <= n <= planned: one seed has no test.
    """
    if not 2 <= n <= planned:
        raise ValueError(f"a look at {n} of {planned} seeds: must be at 2 to {planned}")
    earlier = sorted({look for look in looks if 2 <= look < n})
    times = [look / planned for look in (*earlier, n)]
    return rounded_down(nominal_levels(times, [SPENDING[spending](t, alpha) for t in times])[-1])


def rounded_down(level: float) -> float:
    """The level to DIGITS significant digits, never above it.

    >>> rounded_down(0.00305186), rounded_down(0.05)
    (0.003051, 0.05)
    """
    if level < LEAST:
        return level
    places = DIGITS - 1 - floor(log10(level))
    text = f"{floor(level * 10**places * (1 + 1e-12)):d}e{-places}"
    return float(text)


def nominal_levels(times: Sequence[float], spent: Sequence[float]) -> list[float]:
    """The two-sided nominal level of each look: what is rejected first at look k, under the null, is spent there.

    P(|Z_j| < c_j for all j < k, |Z_k| >= c_k) = spent_k - spent_(k-1), solved for c_k look by look, by recursive
    integration (Armitage, McPherson and Rowe 1969); the level is 2(1 - Φ(c_k)).

    Args:   times: the information at each look, rising, in (0, 1]; spent: the level spent by each, not falling.
    Raises: ValueError if they do not.
    """
    if any(b <= a for a, b in zip((0.0, *times), times, strict=False)) or len(times) != len(spent):
        raise ValueError(f"looks at {list(times)}: must be rising and above 0, each with what is spent by it")
    if any(b < a for a, b in zip((0.0, *spent), spent, strict=False)):
        raise ValueError(f"spent {list(spent)}: must not fall")
    return list(_levels(tuple(times), tuple(spent)))


@lru_cache(maxsize=256)
def _levels(times: tuple[float, ...], spent: tuple[float, ...]) -> tuple[float, ...]:
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    at, mass = np.zeros(1), np.ones(1)  # the score at the last look, if nothing was rejected: points and their mass
    levels, last = [], 0.0
    for t, before, total in zip(times, (0.0, *spent), spent, strict=False):
        step = sqrt(t - last)
        level = _solved(total - before, sqrt(t), at, mass, step)
        reach = -special.ndtri(level / 2) * sqrt(t)
        density = np.exp(-0.5 * ((reach * nodes[:, None] - at) / step) ** 2) / (step * sqrt(2 * np.pi))
        at, mass, last = reach * nodes, reach * weights * (density @ mass), t
        levels.append(level)
    return tuple(levels)


def _solved(increment: float, root: float, at: Vector, mass: Vector, step: float) -> float:
    """The nominal level at which the probability to leave first at this look is `increment`."""

    def excess(log_level: float) -> float:
        reach = -special.ndtri(np.exp(log_level) / 2) * root
        beyond = special.ndtr((at - reach) / step) + special.ndtr((-reach - at) / step)
        return float(np.log(beyond @ mass) - np.log(increment))

    if increment <= 0:
        return float(np.finfo(np.float64).tiny)
    # The nominal level is no less than what is rejected first by it.
    return float(np.exp(optimize.brentq(excess, np.log(increment) - 1e-6, np.log1p(-1e-9), xtol=1e-12)))
