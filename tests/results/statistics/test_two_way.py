"""Intervals over seeds and test images, by hand and by their properties."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import special
from trial_frames import frame, trial

from bench import names
from bench.results.frame.sections import sections
from bench.results.statistics import two_way
from bench.results.statistics.cells import Cell, cells
from bench.results.statistics.stats import NO_INTERVAL, Interval, t_interval
from bench.test_right import decoded, encoded

ODDS = {"dense": 0.97, "freeze": 0.93, "snip": 0.9}


def t(df: int) -> float:
    return float(special.stdtrit(df, 0.975))


def test_by_hand() -> None:
    """Means of seeds 1/3 and 2/3, of images 1, 0, 1/2; the rest ±1/6, ±1/6, ±1/3: A = 1/36, B = 1/12 - 1/36."""
    found = two_way.two_way_interval(np.array([[1.0, 0.0, 0.0], [1.0, 0.0, 1.0]]))
    reach = math.sqrt(t(1) ** 2 / 36 + t(2) ** 2 / 18)
    assert (found.low, found.high) == pytest.approx((0.5 - reach, 0.5 + reach), rel=1e-12)


def test_images_that_add_nothing_leave_the_t_interval() -> None:
    """The images' means vary by 1/16 a quarter of the rest: as much as chance alone gives."""
    z = np.array([[1.0, 0.0], [0.0, 0.0]])
    found, expected = two_way.two_way_interval(z), t_interval(z.mean(axis=1))
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-12)


@pytest.mark.parametrize("shape", [(2, 9), (5, 40), (12, 300)])
def test_it_is_never_shorter_than_that_over_seeds(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(shape)
    for _ in range(20):
        z = rng.integers(-1, 2, shape).astype(float)
        if (seeds := t_interval(z.mean(axis=1))) != NO_INTERVAL:
            found = two_way.two_way_interval(z)
            assert found.low <= seeds.low + 1e-12 and found.high >= seeds.high - 1e-12


@pytest.mark.parametrize("z", [np.zeros((1, 5)), np.eye(3)[:, :1], np.eye(3), np.ones((3, 4))])
def test_there_is_none_without_a_second_seed_or_image_or_spread(z: np.ndarray) -> None:
    assert math.isnan(two_way.two_way_interval(z).low)


def kept(seeds: int = 4, images: int = 50) -> list[dict[str, Any]]:
    """Dense, frozen and pruned networks at 0.9 that have kept which test images they get right."""
    rng, rows = np.random.default_rng(3), []
    for method, odds in ODDS.items():
        for seed in range(seeds):
            right = rng.random(images) < odds
            row = trial(method, "0" if method == "dense" else "0.9", seed, float(right.mean()))
            rows.append(row | {"test_right": encoded(right)})
    return rows


def of(rows: list[dict[str, Any]], metric: str = names.TEST_ACCURACY) -> dict[str, Cell]:
    (section,) = sections(frame(rows))
    return {cell.method: cell for cell in cells(section, metric)}


def matrix(rows: list[dict[str, Any]], method: str) -> np.ndarray:
    return np.array([decoded(row["test_right"]) for row in rows if row["method"] == method], dtype=float)


def exists(interval: Interval) -> bool:
    return not math.isnan(interval.low)


def test_of_a_difference() -> None:
    rows = kept()
    by_method = of(rows)
    found = two_way.of_difference(by_method["freeze"], by_method["snip"], range(4))
    assert exists(found) and found == two_way.two_way_interval(matrix(rows, "freeze") - matrix(rows, "snip"))
    fewer = two_way.of_difference(by_method["freeze"], by_method["snip"], [0, 2])
    assert fewer == two_way.two_way_interval((matrix(rows, "freeze") - matrix(rows, "snip"))[[0, 2]])


def test_of_a_percentage_it_lies_about_the_mean_of_the_ratios_and_follows_the_images() -> None:
    """A ratio's slope in the weight of an image, by differences: the matrix has them exactly."""
    rows = kept()
    by_method = of(rows)
    found = two_way.of_percent_of_dense(by_method["snip"], by_method["dense"])
    snip, dense = matrix(rows, "snip"), matrix(rows, "dense")
    assert (found.low + found.high) / 2 == pytest.approx(float(np.mean(100 * snip.mean(1) / dense.mean(1))), rel=1e-12)
    step, weights = 1e-6, np.ones(50)
    weights[7] += step
    moved = 100 * (snip @ weights) / (dense @ weights) - 100 * snip.mean(1) / dense.mean(1)
    slope = 100 * (snip[:, 7] - snip.mean(1) / dense.mean(1) * dense[:, 7]) / dense.mean(1)
    assert 50 * moved / step == pytest.approx(slope, rel=1e-4, abs=1e-4)
    ratio = 100 * snip.mean(1, keepdims=True) / dense.mean(1, keepdims=True)
    z = ratio + (100 * snip - ratio * dense) / dense.mean(1, keepdims=True)
    assert (found.low, found.high) == pytest.approx(
        (two_way.two_way_interval(z).low, two_way.two_way_interval(z).high), rel=1e-12
    )


@pytest.mark.parametrize("damage", ["", "nonsense", encoded(np.ones(49, dtype=np.bool_)), encoded(np.arange(50) < 3)])
def test_there_is_none_if_one_seed_has_not_kept_its_images(damage: str) -> None:
    """Nothing, no bits, those of other images, or those of another accuracy."""
    rows = kept()
    rows[5]["test_right"] = damage
    by_method = of(rows)
    assert (rows[5]["method"], rows[5]["seed"]) == ("freeze", 1)
    assert not exists(two_way.of_difference(by_method["freeze"], by_method["snip"], range(4)))
    assert not exists(two_way.of_percent_of_dense(by_method["freeze"], by_method["dense"]))
    assert exists(two_way.of_difference(by_method["freeze"], by_method["snip"], [0, 2, 3]))
    assert exists(two_way.of_percent_of_dense(by_method["snip"], by_method["dense"]))


def test_there_is_none_for_other_numbers_of_images_or_of_another_metric() -> None:
    rows = kept()
    others = [row for row in kept(images=40) if row["method"] == "snip"]
    by_method = of([row for row in rows if row["method"] != "snip"] + others)
    assert not exists(two_way.of_difference(by_method["freeze"], by_method["snip"], range(4)))
    assert of(rows, names.STORED_BYTES)["freeze"].right == {}
