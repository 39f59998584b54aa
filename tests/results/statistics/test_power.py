"""bench.results.statistics.power against tables, statsmodels and simulation, and the table of `bench power`."""

from __future__ import annotations

import csv
import io
import json
import math
from typing import Any

import numpy as np
import pytest
from rendered import power as render
from scipy.stats import f, ncf
from statsmodels.stats.power import TTestPower
from trial_frames import frame, small, trial

from bench import names
from bench.results.statistics import multiplicity, power, stats
from bench.results.statistics.power import Aim
from bench.results.tables.power_table import FORMATS

KNOWN = TTestPower()


@pytest.mark.parametrize(("effect", "n"), [(1.0, 10), (0.5, 34), (0.2, 199), (2.0, 5)])
def test_pairs_needed_by_the_tables(effect: float, n: int) -> None:
    """Cohen (1988): two-sided, level 0.05, power 0.8; one pair fewer is too few."""
    assert power.pairs_needed(effect, 0.05, 0.8) == n
    assert power.power(n - 1, effect, 0.05) < 0.8 <= power.power(n, effect, 0.05)
    assert n - 1 < KNOWN.solve_power(effect_size=effect, alpha=0.05, power=0.8) <= n


@pytest.mark.parametrize("alpha", [0.05, 0.05 / 15])
@pytest.mark.parametrize("n", [3, 5, 10, 100])
def test_power_and_smallest_effect_agree_with_statsmodels(n: int, alpha: float) -> None:
    assert power.power(n, 0.3, alpha) == pytest.approx(KNOWN.power(0.3, n, alpha))
    assert power.power(n, -0.3, alpha) == power.power(n, 0.3, alpha)
    # Its own solver stops at 10 and less where an effect of 173 is needed.
    assert KNOWN.power(power.smallest_effect(n, alpha, 0.8), n, alpha) == pytest.approx(0.8)


@pytest.mark.parametrize("n", [2, 5, 100])
@pytest.mark.parametrize("effect", [0.1, 1.0, 20.0])
def test_power_is_that_of_the_square_which_is_noncentral_f(n: int, effect: float) -> None:
    critical = f.ppf(0.95, 1, n - 1)
    assert power.power(n, effect, 0.05) == pytest.approx(ncf.sf(critical, 1, n - 1, n * effect**2))


def test_without_a_difference_the_power_is_the_level() -> None:
    assert power.power(5, 0.0, 0.05) == pytest.approx(0.05)


def test_power_is_a_number_however_large_the_effect() -> None:
    assert [power.power(n, 10.0**k, 0.05) for n in (2, 10, 10_000) for k in (2, 4, 6)] == pytest.approx([1.0] * 9)
    assert power.pairs_needed(1e6, 0.05, 0.8) == 2


def test_more_pairs_than_most_are_not_counted() -> None:
    assert power.pairs_needed(0.0281, 0.05, 0.8) == 9_943
    assert power.pairs_needed(0.0280, 0.05, 0.8) is None
    assert math.isnan(power.smallest_effect(1, 0.05, 0.8))


def test_what_is_marked_half_the_time_is_found_half_the_time() -> None:
    """The effect that the report says must be exceeded is found with a power near one half."""
    at = multiplicity.smallest_effect(10, 15, 0.05)
    assert power.power(10, at, 0.05 / 15) == pytest.approx(0.5, abs=0.05)


def test_the_t_test_has_the_power_it_is_said_to_have() -> None:
    n, effect, many = 6, 1.2, 2_000
    sample = np.random.default_rng(6).normal(effect, 1, (many, n))
    expected = power.power(n, effect, 0.05)
    found = np.mean([stats.p_t(d) <= 0.05 for d in sample])
    assert abs(found - expected) < 3 * math.sqrt(expected * (1 - expected) / many)


def test_the_interval_of_a_standard_deviation_by_hand() -> None:
    # chi-square with 2 degrees of freedom has the quantile -2·ln(1 - p): sd² · 2/q = -sd²/ln(1 - p)
    found = power.spread_interval(3.0, 3)
    assert found.low == pytest.approx(3 / math.sqrt(-math.log(0.05)))
    assert found.high == pytest.approx(3 / math.sqrt(-math.log(0.95)))
    assert math.isnan(power.spread_interval(math.nan, 1).low)


def test_the_interval_of_a_standard_deviation_covers_it() -> None:
    many = 4_000
    sds = np.random.default_rng(1).normal(size=(many, 5)).std(axis=1, ddof=1)
    intervals = [power.spread_interval(float(sd), 5) for sd in sds]
    assert np.mean([i.low <= 1 <= i.high for i in intervals]) == pytest.approx(0.9, abs=3 * math.sqrt(0.09 / many))


@pytest.mark.parametrize(
    ("aim", "said"),
    [
        ({"difference": 0.0}, "difference 0: must be above 0 and finite"),
        ({"difference": math.nan}, "difference nan: must be"),
        ({"difference": math.inf}, "difference inf: must be"),
        ({"alpha": 1.0}, "alpha 1.0: must be above 0 and below 1"),
        ({"power": 1.0}, "power 1: must be above alpha, 0.05, and below 1"),
        ({"power": 0.05}, "power 0.05: must be above alpha, 0.05, and below 1"),
    ],
)
def test_an_aim_that_is_none(aim: dict[str, float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Aim(**{"difference": 0.5, **aim})


def paired(d: list[float], rate: str = "0.9", method: str = "freeze") -> list[dict[str, Any]]:
    """Trials whose differences to snip are d points."""
    rows = [trial("snip", rate, seed, 0.9) for seed in range(len(d))]
    return rows + [trial(method, rate, seed, 0.9 + value / 100) for seed, value in enumerate(d)]


def rows(made: str) -> list[list[str]]:
    return [[entry.strip() for entry in line.strip("|").split("|")] for line in made.splitlines() if line[:1] == "|"]


def test_a_row_by_hand() -> None:
    """Differences of -1, 0 and 1 points: sd 1, so a point needs 10 seeds; one comparison has nothing to correct."""
    made = render(frame(paired([-1.0, 0.0, 1.0])), Aim(difference=1.0))
    header, _, row = rows(made)
    assert header == [
        "frozen", "pruned", "rate", "n now", "sd of differences", "seeds, α = 0.05", "seeds, α = 0.05/1",
        "detects, α = 0.05", "detects, α = 0.05/1",
    ]  # fmt: skip
    assert row == ["freeze", "snip", "0.9", "3", "1.00 [0.58, 4.42]", "10 [5, 155]", "10 [5, 155]", "3.26", "3.26"]
    assert "a mean difference of 1.00 points to the pruned method that chooses the same weights needs" in made
    assert "from n = 3 its interval reaches from 0.58 to 4.42 times the estimate" in made


def test_the_correction_is_for_the_family_of_the_store_whatever_is_shown() -> None:
    everything, some = (
        rows(render(frame(small()), Aim(difference=0.5), **shown)) for shown in ({}, {"methods": ["grasp"]})
    )
    assert "seeds, α = 0.05/2" in everything[0] and "seeds, α = 0.05/4" in some[0]
    assert [row for row in everything if row[0] == "grasp"] == some[2:]
    (record,) = json.loads(render(frame(small()), Aim(difference=0.5), format="json", methods=["grasp"], rates=["0.9"]))
    effect = 0.005 / record["sd"]
    assert record["family"] == 4 and record["pairs"] == 4
    assert (record["seeds"], record["seeds_holm"]) == tuple(
        power.pairs_needed(effect, alpha, 0.8) for alpha in (0.05, 0.0125)
    )


def test_freeze_or_prune_is_a_family_of_its_own_where_other_methods_are() -> None:
    plain = {"criterion": "grasp", "scope": "global", "background": "freeze", "select": "one-shot"}
    several = [*small(), *(trial("grasp-freeze", "0.9", s, 0.92 + 0.003 * s, record=plain) for s in range(4))]
    made = json.loads(render(frame(several), Aim(difference=0.5), format="json"))
    families = {(row["label"], row["reference"], row["rate"]): row["family"] for row in made}
    assert families == {
        ("freeze", "snip", "0.9"): 3, ("freeze", "snip", "0.99"): 3, ("grasp-freeze", "grasp", "0.9"): 3,
        ("grasp", "snip", "0.9"): 5, ("grasp", "snip", "0.99"): 5, ("grasp-freeze", "snip", "0.9"): 5,
    }  # fmt: skip
    assert len(made) == 6
    text = render(frame(several), Aim(difference=0.5))
    assert "to the pruned method that chooses the same weights needs" in text
    assert [row[:3] for row in rows(text) if row[1] in ("snip", "grasp")] == [
        ["grasp-freeze", "grasp", "0.9"], ["freeze", "snip", "0.9"], ["freeze", "snip", "0.99"],
    ]  # fmt: skip
    assert [row[:2] for row in rows(text)[-3:]] == [["grasp", "0.9"], ["grasp", "0.99"], ["grasp-freeze", "0.9"]]


def test_no_spread_no_answer() -> None:
    both = [*paired([1.0, 1.0, 1.0]), *paired([1.0], rate="0.99")]
    found = rows(render(frame(both), Aim(difference=0.5)))[2:]
    assert found == [
        ["freeze", "snip", "0.9", "3", "0.00 [0.00, 0.00]", "–", "–", "–", "–"],
        ["freeze", "snip", "0.99", "1", "–", "–", "–", "–", "–"],
    ]
    made = render(frame(paired([1.0, 1.0])), Aim(difference=0.5))
    assert "No comparison has two pairs whose differences vary" in made


def test_seeds_beyond_most_are_said_to_be() -> None:
    (_, _, row) = rows(render(frame(paired([-30.0, 0.0, 5.0])), Aim(difference=0.01)))
    assert row[5] == "> 10,000 [> 10,000, > 10,000]"


def test_collapsed_pairs_are_marked() -> None:
    made = render(frame(small()), Aim(difference=0.5))
    assert "| 5 †2 " in made and "†k: in k pairs" in made and "far from normal" in made
    assert "†" not in render(frame(paired([0.0, 1.0])), Aim(difference=0.5))


def test_another_figure_has_its_own_unit() -> None:
    made = [row | {names.TRAIN_LOSS: 1.0 + 0.1 * k} for k, row in enumerate(paired([0.0, 1.0, 5.0]))]
    made[4] |= {names.TRAIN_LOSS: 1.7}
    text = render(frame(made), Aim(difference=0.1), metric=names.TRAIN_LOSS)
    assert "a mean difference of 0.1 to the pruned method" in text and "points" not in text


def test_what_is_not_compared_is_said() -> None:
    assert "the section has freeze" in render(frame([trial("freeze", "0.9", 0, 0.9)]), Aim(difference=0.5))
    alone = render(frame([trial("snip", "0.9", 0, 0.9)]), Aim(difference=0.5))
    assert "No comparison with snip to show." in alone
    assert "No comparison to show." in render(frame([]), Aim(difference=0.5))


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_has_every_comparison(format: str) -> None:
    made = render(frame(small()), Aim(difference=0.5), format=format)
    assert made.count("grasp") == 2 and "nan" not in made.lower()
    if format == "csv":
        header, *found = csv.reader(io.StringIO(made))
        assert len(found) == 4 and header == list(
            json.loads(render(frame(small()), Aim(difference=0.5), format="json"))[0]
        )
    with pytest.raises(ValueError, match="unknown format 'pdf'"):
        render(frame(small()), Aim(difference=0.5), format="pdf")
