"""What the intervals over seeds and test images are, in words, and where there is none."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from bench.metrics import NONE
from bench.results.statistics.comparisons import Comparison
from bench.results.statistics.stats import Interval

HEADER = "seeds × images"
WHAT = "the 95 % interval for other seeds and other test images of their kind"
LACKING = (
    "a seed of either side has not kept which test images it gets right (trials of earlier versions have not), or "
    "there are fewer than two seeds, or they all agree"
)


def exists(interval: Interval) -> bool:
    """Whether there is such an interval."""
    return not math.isnan(interval.low)


def of_comparisons(comparisons: Sequence[Comparison]) -> str:
    """What their column is, and before another clause what the t interval then is; empty if none has one."""
    words = _said((c.two_way for c in comparisons), f"{HEADER}: {WHAT}", f"; {NONE}: {LACKING}")
    return f"{words}; the others are over seeds alone, on these very images; " if words else ""


def of_shares(intervals: Sequence[Interval]) -> str:
    """What the second interval of a percentage is, behind another sentence; empty if none has one."""
    words = _said(intervals, f"×: {HEADER}, {WHAT}", f"; without one, {LACKING}")
    return f" {words}; the first is over seeds alone, on these very images." if words else ""


def _said(intervals: Iterable[Interval], what: str, lacking: str) -> str:
    has = [exists(interval) for interval in intervals]
    return f"{what}{'' if all(has) else lacking}" if any(has) else ""
