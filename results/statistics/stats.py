"""Statistics of paired figures, as pure functions of arrays. The seed is the unit: an index stands for a seed.

`d` is always the vector of differences method - reference, float [n], one entry per seed both have.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

Vector = NDArray[np.float64]

LEVEL = 0.95  # of every interval
RESAMPLES = 9_999  # of the bootstrap
FLIPS = 2**14  # sign flips: all 2^n of them up to n = 14, beyond that as many drawn from SEED
SEED = 20_201_114  # any fixed number: the same store always gives the same table
TIE = 1e-9  # sums of differences that are closer are equal
DECIMALS = 12  # figures that agree so far are equal: 0.9 - 0.8 and 0.8 - 0.7 differ in the last bit only


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Mean and standard deviation (ddof 1; NaN below two values) of n values."""

    mean: float
    sd: float
    n: int


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A two-sided interval of level LEVEL; NaN if there is none."""

    low: float
    high: float

    @property
    def negative(self) -> Interval:
        """That of the negative values."""
        return Interval(low=-self.high, high=-self.low)


NO_INTERVAL = Interval(low=np.nan, high=np.nan)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A two-sided p-value and what gave it: a name of TESTS, "identical" (all differences zero) or "none" (n < 2)."""

    p: float
    by: str


def summary(values: ArrayLike) -> Summary:
    """Mean, sd with ddof 1 and n of the values [n]; NaN if n is too small for either."""
    x = np.asarray(values, dtype=np.float64)
    mean = float(np.mean(x)) if len(x) else np.nan
    return Summary(mean=mean, sd=float(np.std(x, ddof=1)) if len(x) > 1 else np.nan, n=len(x))


def differences(method: ArrayLike, reference: ArrayLike) -> Vector:
    """method - reference, seed by seed, rounded to DECIMALS so that equal differences compare as equal."""
    first, second = np.asarray(method, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    if first.shape != second.shape:
        raise ValueError(f"{len(first)} and {len(second)} values: pairs need as many of each")
    return np.round(first - second, DECIMALS)


def constant(d: Vector) -> bool:
    """True if all differences are one number: no spread, so no t statistic."""
    return len(d) > 0 and float(np.ptp(d)) == 0.0


def t_interval(d: Vector) -> Interval:
    """mean(d) ± t(LEVEL, n-1) · sd(d)/sqrt(n); none below two differences or without spread."""
    if len(d) < 2 or constant(d):
        return NO_INTERVAL
    reach = special.stdtrit(len(d) - 1, (1 + LEVEL) / 2) * np.std(d, ddof=1) / np.sqrt(len(d))
    return Interval(low=float(np.mean(d) - reach), high=float(np.mean(d) + reach))


def bootstrap_interval(d: Vector, rng: np.random.Generator) -> Interval:
    """BCa bootstrap interval of mean(d), seeds resampled with replacement (Efron 1987); none as for `t_interval`.

    Its bias is how many resamples are below the estimate, and half of those that tie with it: sums are whole steps of
    TIE from the observed one, so that their rounding decides none of these.
    """
    if len(d) < 2 or constant(d):
        return NO_INTERVAL
    resampled = stats.bootstrap(
        (d,), _steps_from(float(np.sum(d))), n_resamples=RESAMPLES, confidence_level=LEVEL, method="BCa", rng=rng
    )
    ends = resampled.confidence_interval
    low, high = ((float(np.sum(d)) + TIE * end) / len(d) for end in (ends.low, ends.high))
    return Interval(low=float(low), high=float(high))


def _steps_from(observed: float) -> Callable[..., Any]:
    """What counts the whole steps of TIE from an observed sum to that of each resample, or flip, along an axis."""

    def total(x: Vector, axis: int = -1) -> Any:
        return np.rint((np.sum(x, axis=axis) - observed) / TIE)

    return total


def p_t(d: Vector) -> float:
    """Paired t-test, two-sided: t = mean(d)·sqrt(n)/sd(d), n - 1 degrees of freedom. NaN without spread."""
    return np.nan if len(d) < 2 or constant(d) else float(stats.ttest_1samp(d, 0.0).pvalue)


def p_wilcoxon(d: Vector) -> float:
    """Wilcoxon signed-rank test, two-sided, exact at every n.

    Zeros by Pratt (1959): they are ranked with the others, then carry no sign. Ties share their mean rank. The null
    distribution of S = sum of sign·rank is that of these very ranks under all sign patterns, counted by convolution,
    so that ties and zeros keep it exact; `scipy.stats.wilcoxon(method="exact")` ignores both.
    """
    if len(d) < 2:
        return np.nan
    doubled = np.rint(2 * stats.rankdata(np.abs(d))).astype(int)[d != 0]  # mean ranks are halves: 2·rank is whole
    weights = np.ones(1)  # weights[s]: probability that the positive ranks sum to s/2
    for rank in doubled:
        weights = 0.5 * (np.pad(weights, (0, rank)) + np.pad(weights, (rank, 0)))
    positive = int(doubled[d[d != 0] > 0].sum())
    tail = min(weights[: positive + 1].sum(), weights[positive:].sum())
    return float(min(1.0, 2 * tail))


def p_permutation(d: Vector) -> float:
    """Sign-flip test of the mean difference, two-sided: exact over all 2^n flips up to FLIPS of them.

    Beyond that FLIPS flips drawn with SEED, p = (1 + as extreme)/(1 + FLIPS) (Phipson and Smyth 2010).
    """
    if len(d) < 2:
        return np.nan
    # Sums that tie with the observed one would else differ by their rounding.
    total, rng = _steps_from(float(np.sum(d))), np.random.default_rng(SEED)
    tested = stats.permutation_test(
        (d,), total, permutation_type="samples", n_resamples=FLIPS, vectorized=True, rng=rng, batch=2**12
    )
    return float(tested.pvalue)


# The smallest p of a test, however many pairs: if flips are drawn, (1 + 0)/(1 + FLIPS) of either tail.
LEAST: dict[str, float] = {"permutation": 2 / (1 + FLIPS)}
TESTS: dict[str, Callable[[Vector], float]] = {"t": p_t, "wilcoxon": p_wilcoxon, "permutation": p_permutation}


def verdict(d: Vector, test: str) -> Verdict:
    """The p-value of a test of TESTS and its edge rules.

    Below two pairs there is none. All differences zero: p = 1. A constant other difference has no t statistic: the
    sign-flip test decides.
    """
    if len(d) < 2:
        return Verdict(p=np.nan, by="none")
    if not np.any(d):
        return Verdict(p=1.0, by="identical")
    by = "permutation" if test == "t" and constant(d) else test
    return Verdict(p=TESTS[by](d), by=by)


def p_equivalence_within(d: Vector, margins: Vector) -> float:
    """TOST within a mean margin: the larger p of the t-tests of mean(d + margins) > 0 and mean(d - margins) < 0.

    A margin a pair [n], so that a margin that is itself measured, as a share of the reference's errors, adds its own
    spread (Sasabuchi's test of a ratio). NaN below two pairs, or if a sum has no spread.
    """
    above, below = np.round(d + margins, DECIMALS), np.round(d - margins, DECIMALS)
    if len(d) < 2 or constant(above) or constant(below):
        return np.nan
    tests = stats.ttest_1samp(above, 0.0, alternative="greater"), stats.ttest_1samp(below, 0.0, alternative="less")
    return float(max(test.pvalue for test in tests))


def p_equivalence(d: Vector, margin: float) -> float:
    """TOST: the larger p of the one-sided paired t-tests of mean(d) > -margin and mean(d) < margin.

    NaN below two pairs or without spread. Raises ValueError unless margin > 0.
    """
    if not margin > 0:
        raise ValueError(f"margin {margin}: must be above 0")
    if len(d) < 2 or constant(d):
        return np.nan
    above = stats.ttest_1samp(d, -margin, alternative="greater").pvalue
    below = stats.ttest_1samp(d, margin, alternative="less").pvalue
    return float(max(above, below))


def effect(d: Vector) -> float:
    """d_z = mean(d)/sd(d), sd with ddof 1; NaN below two pairs or without spread."""
    return np.nan if len(d) < 2 or constant(d) else float(np.mean(d) / np.std(d, ddof=1))


def hedges(df: int) -> float:
    """Hedges' small-sample factor J = Γ(df/2) / (sqrt(df/2)·Γ((df-1)/2)) (1981); NaN below df = 2 (a pole)."""
    if df < 2:
        return np.nan
    return float(np.exp(special.gammaln(df / 2) - special.gammaln((df - 1) / 2)) / np.sqrt(df / 2))
