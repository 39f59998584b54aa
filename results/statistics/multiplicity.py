"""Many comparisons at once: Holm's adjustment, and what a number of pairs can reach in a family of m."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats


def holm(p: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment (1979), max over j <= i of min(1, (m-j+1)·p_(j)), m the number of hypotheses.

    A hypothesis without a test (NaN: fewer than two pairs) stays NaN, and counts in m: a family must not shrink if
    seeds fail.
    """
    # statsmodels' multipletests gives the same numbers, but runs a full garbage collection at every call.
    values = np.asarray(p, dtype=np.float64)
    m = len(values)
    order = np.argsort(values)  # NaN sorts last
    adjusted = np.full_like(values, np.nan)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate((m - np.arange(m)) * values[order]))
    return [float(a) for a in adjusted]


def reachable(n: int, m: int, alpha: float, least: float = 0.0) -> bool:
    """Whether an exact test of n pairs can be significant at all in a family of m: m · max(2^(1-n), least) <= alpha.

    Args: least: the smallest p-value at any n, if patterns are drawn and not counted.
    """
    return n >= 1 and m * max(2.0 ** (1 - n), least) <= alpha


def pairs_needed(m: int, alpha: float, least: float = 0.0) -> int | None:
    """The smallest n that is `reachable` in a family of m; None if none is."""
    return next((n for n in range(1, 1_000) if reachable(n, m, alpha, least)), None)


def smallest_effect(n: int, m: int, alpha: float) -> float:
    """The |d_z| that n pairs must exceed in the first Holm step of m t-tests: t(1 - alpha/(2m), n-1)/sqrt(n)."""
    return float(stats.t.ppf(1 - alpha / (2 * m), n - 1) / np.sqrt(n)) if n > 1 else np.nan
