"""What `plan` is asked: what `run` is asked of its trials, and how they are to be judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from bench.cli.options import option
from bench.cli.requests.store import MARGIN, TEST, Test
from bench.cli.requests.sweep import TUNED, StartedRequest
from bench.cli.shell.values import CommaList, OneOf

Spending = Literal["obrien-fleming", "pocock"]


@dataclass(frozen=True, kw_only=True)
class PlanRequest(StartedRequest):
    """Trials that are to be trained, and how they are to be judged."""

    tuned: str | None = TUNED()
    looks: str | None = option(
        "--looks",
        "Look at the results at these numbers of seeds, a comma list; the last is all.  [default: at all only]",
        group="statistics",
        type=CommaList(),
    )
    spending: Spending = option(
        "--spending",
        "Spend the level over the looks so: little before the end, or about as much at each.",
        group="statistics",
        type=OneOf(get_args(Spending)),
        default="obrien-fleming",
    )
    alpha: float = option(
        "--alpha", "Test at this level, over all looks.", group="statistics", type=float, default=0.05
    )
    test: Test = TEST()
    margin: str = MARGIN()
