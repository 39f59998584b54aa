"""Intervals over seeds and test images: where a mean would lie with other seeds and other test images of their kind.

`z` is always a matrix, float [n, N], of n seeds and N test images whose mean is the figure: of a difference of two
methods +1, 0 or -1, as the one, both or neither, or the other is right.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import special

from bench.results.statistics.cells import Cell
from bench.results.statistics.stats import DECIMALS, LEVEL, NO_INTERVAL, Interval, constant
from bench.test_right import counted, decoded

Matrix = NDArray[np.float64]
Texts = tuple[str, ...]  # `bench.test_right` of each seed


def two_way_interval(z: Matrix) -> Interval:
    """mean(z) ± sqrt(t(n-1)²·A + t(N-1)²·B), t(k) the quantile of LEVEL with k degrees of freedom.

    z_si = mean + seed_s + image_i + rest_si, all random. A = var(mean of a seed)/n is the variance of the mean over the
    seeds, as in the t interval; in it is the rest's. B = max(0, var(mean of an image)/N - var(rest)/(n·N)) is what the
    choice of images adds. The two are joined as by Graybill and Wang (1980), who keep each at its own degrees of
    freedom. So the interval is never shorter than the t interval over seeds, and is that one if images add nothing.

    The crossed bootstrap, which draws seeds and images with replacement (Owen 2007, "The pigeonhole bootstrap"), counts
    the rest three times, and is too short for few seeds, as every bootstrap.

    None below two seeds or images, or if the means of the seeds have no spread.
    """
    n, images = z.shape
    if n < 2 or images < 2:
        return NO_INTERVAL
    mean, of_seeds, of_images = z.mean(), z.mean(axis=1), z.mean(axis=0)
    seeds = float(np.var(of_seeds, ddof=1)) / n
    if constant(np.round(of_seeds, DECIMALS)):
        return NO_INTERVAL
    rest = np.sum((z - of_seeds[:, None] - of_images + mean) ** 2) / ((n - 1) * (images - 1))
    added = max(0.0, float(np.var(of_images, ddof=1)) / images - float(rest) / (n * images))
    of_seed, of_image = special.stdtrit(np.array([n - 1, images - 1]), (1 + LEVEL) / 2)
    reach = float(np.sqrt(of_seed**2 * seeds + of_image**2 * added))
    return Interval(low=float(mean) - reach, high=float(mean) + reach)


def of_difference(cell: Cell, reference: Cell, seeds: Sequence[int]) -> Interval:
    """Of the mean difference of the accuracies over these seeds, cell - reference; none as for `_texts`."""
    return of_mean_difference([(cell, reference)], seeds)


def of_mean_difference(pairs: Sequence[tuple[Cell, Cell]], seeds: Sequence[int]) -> Interval:
    """Of the mean over pairs and these seeds of the difference of the accuracies, first - second; none likewise."""
    texts = tuple((_texts(first, seeds), _texts(second, seeds)) for first, second in pairs)
    return _of_mean_difference(texts) if texts and all(first and second for first, second in texts) else NO_INTERVAL


def of_percent_of_dense(cell: Cell, dense: Cell) -> Interval:
    """Of `percent_of_dense`: 100 · accuracy/accuracy of dense, mean over the seeds; none as for `_texts`.

    A ratio a/d of two means over images moves by (right_i - a/d · right of dense_i)/d, to first order, with the weight
    of an image: that is the matrix, around each seed's ratio.
    """
    seeds = [s for s in cell.values if dense.values.get(s)]
    first, second = _texts(cell, seeds), _texts(dense, seeds)
    return _of_ratio(first, second) if first and second else NO_INTERVAL


def _texts(cell: Cell, seeds: Sequence[int]) -> Texts:
    """What each seed has kept of the images it gets right; empty unless all have, and with the cell's accuracies."""
    texts = tuple(cell.right.get(seed, "") for seed in seeds)
    shares = [_share(text) for text in texts]
    agree = np.allclose(shares, [cell.values[seed] for seed in seeds], rtol=0, atol=1e-9)
    return texts if agree else ()


@lru_cache(maxsize=2**15)
def _share(text: str) -> float:
    """The share of the images that are right; NaN if the text does not tell."""
    try:
        right, images = counted(text) if text else (np.nan, 1)
        return right / images
    except ValueError:
        return np.nan


def _matrix(texts: Sequence[str]) -> Matrix | None:
    """Whether each image is right, 1 or 0; None if the seeds had different numbers of images."""
    rows = [decoded(text) for text in texts]
    return np.array(rows, dtype=np.float64) if len({len(row) for row in rows}) == 1 else None


@lru_cache(maxsize=4096)  # a page compares the same cells several times: for its answer, its tables and its variants
def _of_mean_difference(pairs: tuple[tuple[Texts, Texts], ...]) -> Interval:
    sides = [(_matrix(first), _matrix(second)) for first, second in pairs]
    differences = [a - b for a, b in sides if a is not None and b is not None and a.shape == b.shape]
    if len(differences) < len(pairs) or len({z.shape for z in differences}) > 1:
        return NO_INTERVAL
    return two_way_interval(np.mean(differences, axis=0))


@lru_cache(maxsize=4096)
def _of_ratio(first: Texts, second: Texts) -> Interval:
    method, dense = _matrix(first), _matrix(second)
    if method is None or dense is None or method.shape != dense.shape:
        return NO_INTERVAL
    of_dense = dense.mean(axis=1, keepdims=True)
    ratio = method.mean(axis=1, keepdims=True) / of_dense
    return two_way_interval(100 * (ratio + (method - ratio * dense) / of_dense))
