"""What a network within a budget leaves of it."""

from __future__ import annotations

import pytest

from bench.channels.budgets import Budget
from bench.channels.counts import Counts


@pytest.mark.parametrize(
    ("parameters", "macs", "said"),
    [
        (990, 10, ""),
        (10, 198_000, ""),
        (1000, 200_000, ""),
        (989, 100_000, "0.0110: 98.90% of 1,000 parameters and 50.00% of 200,000 multiply-accumulates"),
        (500, 197_000, "0.0150: 50.00% of 1,000 parameters and 98.50% of 200,000 multiply-accumulates"),
    ],
)
def test_slack_is_what_is_left_of_the_budget_that_is_fuller(parameters: int, macs: int, said: str) -> None:
    assert Budget(parameters=1000, macs=200_000).slack(Counts(parameters, macs)) == said
