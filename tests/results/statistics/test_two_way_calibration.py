"""How often the intervals over seeds and test images cover, by simulation with fixed generators.

Two methods on N images: each image has a difficulty, and one of its own for each method; each seed a quality, and one
of its own for each method; a network is right where the sum of these and of noise is above 0. The true difference is
known in closed form: over all images of the kind, and over the very images drawn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from calibration import counted, likely, share
from numpy.typing import NDArray
from scipy.stats import norm

from bench.results.statistics.stats import LEVEL, Interval, t_interval
from bench.results.statistics.two_way import two_way_interval

IMAGES, EFFECT, EASE, DIFFICULTY, NOISE, SEED = 200, 0.1, 2.5, 1.5, 0.7, 0.2
Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Kind:
    """The standard deviations of what is a method's own: of the images' difficulties, and of the seeds' qualities."""

    images: float
    seeds: float


KINDS = {"images differ": Kind(0.5, 0.05), "both differ": Kind(0.5, 0.3), "seeds differ": Kind(0.0, 0.3)}


@dataclass(frozen=True)
class Drawn:
    """A cell: the differences [seeds, images], and the true one over all images and over these."""

    z: Matrix
    everywhere: float
    here: float


def drawn(kind: Kind, n: int, rng: np.random.Generator) -> Drawn:
    ease = EASE + DIFFICULTY * rng.normal(size=IMAGES) + kind.images * rng.normal(size=(2, IMAGES))
    ease[0] += EFFECT
    seeds = SEED * rng.normal(size=n) + kind.seeds * rng.normal(size=(2, n))
    right = ease[:, None, :] + seeds[:, :, None] + NOISE * rng.standard_normal((2, n, IMAGES)) > 0
    of_network = np.sqrt(NOISE**2 + SEED**2 + kind.seeds**2)
    whole = np.sqrt(of_network**2 + DIFFICULTY**2 + kind.images**2)
    here = norm.cdf(ease / of_network).mean(axis=1)
    everywhere = norm.cdf((EASE + EFFECT) / whole) - norm.cdf(EASE / whole)
    return Drawn(right[0].astype(float) - right[1], float(everywhere), float(here[0] - here[1]))


def cells(name: str, n: int, many: int) -> list[Drawn]:
    rng = np.random.default_rng([n, *map(ord, name)])
    return [drawn(KINDS[name], n, rng) for _ in range(many)]


def covers(interval: Interval, value: float) -> bool:
    return interval.low <= value <= interval.high


def crossed_bootstrap(z: Matrix, rng: np.random.Generator, resamples: int = 300) -> Interval:
    """Percentiles of the mean over seeds and images that are both drawn with replacement: weights times the matrix."""
    n, images = z.shape
    seeds = rng.multinomial(n, np.full(n, 1 / n), resamples) / n
    weights = rng.multinomial(images, np.full(images, 1 / images), resamples) / images
    low, high = np.quantile(np.sum((seeds @ z) * weights, axis=1), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(low=float(low), high=float(high))


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("n", [3, 5, 10])
@counted(100, 2_000)
def test_for_other_images_the_interval_of_both_covers_at_its_level_and_little_more(
    name: str, n: int, many: int
) -> None:
    covered = share([covers(two_way_interval(d.z), d.everywhere) for d in cells(name, n, many)])
    assert likely(LEVEL, many)[0] <= covered <= likely(0.98, many)[1]


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("n", [3, 5, 10])
@counted(100, 2_000)
def test_for_these_images_the_interval_over_seeds_alone_covers_at_its_level(name: str, n: int, many: int) -> None:
    covered = share([covers(t_interval(d.z.mean(axis=1)), d.here) for d in cells(name, n, many)])
    low, high = likely(LEVEL, many)
    assert low - 0.01 <= covered <= high + 0.01  # few images make the means of the seeds discrete


@pytest.mark.slow
def test_neither_the_seeds_alone_nor_the_crossed_bootstrap_do_that() -> None:
    """Seeds alone are too short for other images; the bootstrap so if few seeds matter, and too long if images do."""
    images, seeds = cells("images differ", 10, 400), cells("seeds differ", 3, 400)
    assert share([covers(t_interval(d.z.mean(axis=1)), d.everywhere) for d in images]) < 0.93
    rng = np.random.default_rng(0)
    assert share([covers(crossed_bootstrap(d.z, rng), d.everywhere) for d in seeds]) < 0.93
    assert share([covers(crossed_bootstrap(d.z, rng), d.everywhere) for d in images]) > 0.955
