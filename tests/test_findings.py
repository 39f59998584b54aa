"""What README says was found follows from the committed trials, computed anew with scipy and statsmodels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from pages import README, ROOT
from scipy import stats
from statsmodels.stats.multitest import multipletests

REPORTS = ROOT / "results" / "reports"
MARGIN = 0.5  # points
LEVEL = 0.05
NAMED = {"freeze": "snip"}  # frozen -> pruned, where the names do not tell
WORDS = {2: "two", 5: "five", 8: "eight", 10: "ten", 12: "twelve", 14: "fourteen"}


@dataclass(frozen=True)
class Pair:
    """Freeze − prune of one way to choose, in points over the seeds; p values as the family corrects them."""

    pruned: str
    rate: str
    difference: float
    marked: bool
    equivalent: bool


def pruned_twin(frozen: str) -> str:
    """The pruned method that chooses the same weights."""
    name, _, fields = frozen.partition(":")
    stem = NAMED.get(name) or name.removesuffix("-freeze")
    return f"{stem}:{fields}" if fields else stem


def holm(p_values: list[float]) -> list[bool]:
    return [bool(rejected) for rejected in multipletests(p_values, alpha=LEVEL, method="holm")[0]]


def pairs(file: str) -> list[Pair]:
    """All pairs of a study, as one family; paired t test, and two one-sided ones against the margin."""
    trials = pd.read_csv(REPORTS / file, dtype={"rate": str})
    trials = trials[~trials["method"].str.contains("control=") & (trials["rate"] != "0")]
    accuracy = trials.pivot_table(index="seed", columns=["method", "rate"], values="test_accuracy")
    methods = sorted(set(trials["method"]))
    found, tests, bounds = [], [], []
    for frozen in methods:
        twin = next((t for t in (pruned_twin(frozen), f"{pruned_twin(frozen)}-prune") if t in methods), None)
        if twin is None or twin == frozen:
            continue
        for rate in sorted(set(trials["rate"])):
            d = 100 * (accuracy[frozen][rate] - accuracy[twin][rate]).to_numpy()
            mean, error, freedom = d.mean(), d.std(ddof=1) / np.sqrt(len(d)), len(d) - 1
            tests.append(2 * stats.t.sf(abs(mean) / error, freedom))
            bounds.append(
                max(stats.t.sf((mean + MARGIN) / error, freedom), stats.t.cdf((mean - MARGIN) / error, freedom))
            )
            found.append((twin, rate, mean))
    marks = zip(found, holm(tests), holm(bounds), strict=True)
    return [Pair(twin, rate, mean, marked, equal) for (twin, rate, mean), marked, equal in marks]


def at(found: list[Pair], rate: str) -> list[Pair]:
    return [pair for pair in found if pair.rate == rate]


@pytest.fixture(scope="module")
def text() -> str:
    return README.read_text("utf-8")


def test_sixteen_ways_to_choose(text: str) -> None:
    found = pairs("mnist-study-lenet-300-100.csv")
    assert len({pair.pruned for pair in found}) == 16 and len(found) == 16 * 5
    low = [[pair for pair in at(found, rate) if pair.difference < 0] for rate in ("0.9", "0.95")]
    lower, marked = [len(pairs) for pairs in low], [sum(pair.marked for pair in pairs) for pairs in low]
    least = -min(pair.difference for pairs in low for pair in pairs)
    row = f"| 90 %, 95 % | lower for {lower[0]}, for {lower[1]} of 16, by at most {least:.2f} points | "
    assert f"{row}{WORDS[marked[0]]}, {WORDS[marked[1]]} of these |" in text
    equal = sum(pair.equivalent for pair in at(found, "0.98"))
    assert f"| 98 % | equivalent within half a point for {equal} of 16 | |" in text
    high = [*at(found, "0.99"), *at(found, "0.995")]
    assert all(pair.difference > 0 for pair in high)
    ends = min(pair.difference for pair in high), max(pair.difference for pair in high)
    marks = [sum(pair.marked for pair in at(found, rate)) for rate in ("0.99", "0.995")]
    row = f"| 99 %, 99.5 % | higher for all 16, by {ends[0]:.1f} to {ends[1]:.0f} points, "
    row += "the more the worse the choice | "
    assert f"{row}{WORDS[marks[0]]}, {WORDS[marks[1]]}; SNIP's not at 99 % |" in text
    assert [pair.rate for pair in found if pair.pruned == "snip" and pair.marked] == ["0.95", "0.995"]


def test_six_tuned(text: str) -> None:
    found = pairs("mnist-study-tuned.csv")
    assert len(found) == 6 * 3
    lower = sum(pair.difference < 0 for pair in at(found, "0.9"))
    equal = sum(pair.equivalent for pair in at(found, "0.98"))
    assert all(pair.difference > 0 and pair.marked for pair in at(found, "0.995"))
    said = " ".join(text.split())
    assert (
        f"freezing is lower for {WORDS[lower]} of six at 90 %, equivalent for {WORDS[equal]} at 98 %, "
        "and higher for all six at 99.5 %." in said
    )
