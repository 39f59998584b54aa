"""The largest rate within a margin of dense, on curves of which the answer can be worked out by hand."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from started_trials import BASE, Losses, curve, dense
from trial_frames import METHODS, frame, trial

from bench import names
from bench.results.statistics.analysis import analyses
from bench.results.statistics.largest_rate import (
    RESAMPLES,
    Bounds,
    Curve,
    Gain,
    LargestRate,
    bounds,
    gains,
    largest_rates,
    resamples,
)
from bench.results.statistics.view import View

SCRATCH, PRETRAINED = "scratch", "pretrained on mnist"


def rated(rows: list[dict[str, Any]], **options: Any) -> dict[tuple[str, str], LargestRate]:
    (analysis, *_) = analyses(frame(rows), View(**options))
    return {(one.cell.label, one.start): one for one in largest_rates(analysis)}


def alone(losses: Losses, **options: Any) -> LargestRate:
    (one,) = rated([*dense(None), *curve("snip", None, losses)], **options).values()
    return one


def gained(losses: Losses, from_scratch: Losses) -> Gain:
    rows = [*dense(None), *dense(BASE), *curve("snip", None, from_scratch), *curve("snip", BASE, losses)]
    (gain,) = gains(list(rated(rows).values()), 0.01)
    return gain


def test_between_two_rates_the_loss_is_linear_in_the_logarithm_of_the_density() -> None:
    """Half-way from a loss of 0.5 points at 0.9 to one of 1.5 at 0.99: density sqrt(0.1·0.01)."""
    one = alone({"0.9": 0.005, "0.99": 0.015})
    assert one.rate == Bounds(low=pytest.approx(1 - 10**-1.5), high=pytest.approx(1 - 10**-1.5)) and one.rate.known
    assert alone({"0.9": 0.005, "0.99": 0.015}, within=0.0075).rate.low == pytest.approx(1 - 10**-1.25)


def test_exactly_at_the_margin_is_within_it() -> None:
    assert alone({"0.9": 0.01, "0.99": 0.03}).rate.low == pytest.approx(0.9)


def test_always_and_never_within_are_known_by_the_ends_of_the_grid() -> None:
    assert alone({"0.5": 0.0, "0.995": 0.004}).rate == Bounds(low=0.995, high=1.0)
    assert alone({"0.5": 0.02, "0.995": 0.4}).rate == Bounds(low=0.0, high=0.5)
    assert alone({"0.9": 0.0}).rate == Bounds(low=0.9, high=1.0)


def test_a_curve_that_comes_back_ends_at_its_first_crossing() -> None:
    one = alone({"0.5": 0.0, "0.8": 0.02, "0.9": 0.0, "0.99": 0.03})
    assert one.rate.low == pytest.approx(1 - math.sqrt(0.5 * 0.2)) and one.returns == (Decimal("0.9"),)
    assert alone({"0.5": 0.0, "0.8": 0.02, "0.9": 0.03}).returns == ()
    assert alone({"0.5": 0.02, "0.8": 0.0}).rate == Bounds(low=0.0, high=0.5)


def test_seeds_that_agree_have_an_interval_of_no_width_and_one_seed_has_none() -> None:
    one = alone({"0.9": 0.005, "0.99": 0.015})
    assert (one.interval.low, one.interval.high) == pytest.approx((one.rate.low, one.rate.high))
    above = alone({"0.9": 0.0, "0.99": 0.0})
    assert above.interval == above.rate == Bounds(low=0.99, high=1.0)
    rows = [*dense(None, 1), *curve("snip", None, {"0.9": 0.005, "0.99": 0.015}, 1)]
    (single,) = rated(rows).values()
    assert single.rate.known and math.isnan(single.interval.low) and single.curve.seeds == (0,)


def test_the_interval_holds_the_percentiles_of_resampled_seeds() -> None:
    """A bootstrap of the same resamples, written seed by seed."""
    at, beyond = (0.002, 0.004, 0.006, 0.0), (0.012, 0.02, 0.016, 0.011)
    one = alone({"0.9": at, "0.99": beyond})
    every = []
    for counts in resamples(4):
        low, high = (float(np.average(losses, weights=counts)) for losses in (at, beyond))
        every.append(1 - 0.1 * 0.1 ** ((0.01 - low) / (high - low)))
    ends = [sorted(every)[round(share * RESAMPLES) - 1] for share in (0.025, 0.975)]
    assert (one.interval.low, one.interval.high) == pytest.approx(ends) and ends[0] < one.rate.low < ends[1]


def test_an_interval_goes_beyond_the_grid_if_resamples_do() -> None:
    one = alone({"0.5": (0.0, 0.0, 0.0, 0.032), "0.9": (0.0, 0.0, 0.0, 0.05)})
    assert one.rate.known and one.interval == Bounds(low=0.0, high=1.0)


def test_the_difference_from_scratch_and_the_factor_of_the_densities() -> None:
    gain = gained({"0.9": 0.0, "0.98": 0.01, "0.99": 0.02}, {"0.9": 0.01, "0.98": 0.02, "0.99": 0.03})
    assert gain.start == PRETRAINED and gain.seeds == (0, 1, 2, 3)
    assert (gain.difference.low, gain.difference.high) == pytest.approx((0.08, 0.08))
    assert (gain.factor.low, gain.factor.high) == pytest.approx((5, 5))
    assert (gain.interval.low, gain.interval.high) == pytest.approx((0.08, 0.08))


def test_a_difference_with_an_end_beyond_the_grid_is_known_by_its_ends() -> None:
    above = gained({"0.9": 0.0, "0.99": 0.0}, {"0.9": 0.01, "0.99": 0.02})
    assert (above.difference.low, above.difference.high) == pytest.approx((0.09, 0.1))
    assert above.factor.low == pytest.approx(10) and above.factor.high == math.inf
    below = gained({"0.9": 0.01, "0.99": 0.02}, {"0.9": 0.02, "0.99": 0.03})  # 0.9, and less than that
    assert (below.difference.low, below.difference.high) == pytest.approx((0.0, 0.9))
    assert (below.factor.low, below.factor.high) == pytest.approx((1, 10))
    both = gained({"0.9": 0.0, "0.99": 0.0}, {"0.9": 0.0, "0.99": 0.0})
    assert (both.difference.low, both.difference.high) == pytest.approx((-0.01, 0.01))


def test_seeds_are_resampled_together_over_the_starts() -> None:
    """Both starts lose the same at each seed: whatever is resampled, they differ in nothing."""
    losses = {"0.9": (0.002, 0.004, 0.006, 0.0), "0.99": (0.012, 0.02, 0.016, 0.011)}
    gain = gained(losses, losses)
    assert (gain.interval.low, gain.interval.high) == pytest.approx((0, 0), abs=1e-12)
    assert (gain.factor_interval.low, gain.factor_interval.high) == pytest.approx((1, 1))


def test_frozen_and_pruned_methods_of_both_starts_and_no_control() -> None:
    losses: Losses = {"0.9": 0.005, "0.99": 0.015}
    rows = [row for start in (None, BASE) for m in ("snip", "freeze") for row in curve(m, start, losses)]
    control = [
        trial("snip:control=shuffle", q, s, 0.5, record={**METHODS["snip"], "control": "shuffle"})
        for q in losses
        for s in range(4)
    ]
    both = [*dense(None), *dense(BASE)]
    found = rated([*rows, *control, *both])
    assert list(found) == [(m, start) for m in ("freeze", "snip") for start in (SCRATCH, PRETRAINED)]
    assert list(rated([*rows, *both], methods=["snip"])) == [("snip", start) for start in (SCRATCH, PRETRAINED)]
    assert list(rated([*rows, *dense(BASE)])) == [("freeze", PRETRAINED), ("snip", PRETRAINED)]


def test_a_diverged_seed_counts_as_chance_and_a_lost_one_is_left_out() -> None:
    kept = curve("snip", None, {"0.9": 0.0})
    diverged = trial("snip", "0.99", 3, None, outcome=names.DIVERGED)
    failed = trial("snip", "0.99", 3, None, outcome=names.FAILED)
    rest = curve("snip", None, {"0.99": 0.0})[:3]
    rows = [*dense(None), *kept, *rest]
    (one,) = rated([*rows, diverged], classes={"digits": 10}).values()
    assert one.curve.losses[3] == pytest.approx([0.0, 0.93 - 0.1]) and one.rate.known
    (other,) = rated([*rows, failed]).values()
    assert other.curve.seeds == (0, 1, 2) and other.rate == Bounds(low=0.99, high=1.0)


def test_weights_of_seeds_are_means_over_them() -> None:
    line = Curve(seeds=(0, 1), rates=(Decimal("0.9"), Decimal("0.99")), losses=np.array([[0.0, 0.01], [0.02, 0.03]]))
    low, high = bounds(line, np.array([[2.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), 0.01)
    assert low == pytest.approx([0.99, 0.0, 0.9]) and high == pytest.approx([1.0, 0.9, 0.9])
