"""The grid of a sweep, as a list of trials and in a line."""

from __future__ import annotations

from decimal import Decimal

import pytest

from bench.sweep import Sweep
from methods import METHODS

PROTOCOL = {
    "dataset": "digits",
    "data_hash": "0",
    "model": "lenet-300-100",
    "step": "auto",
    "pack": "auto",
    "precision": "float32",
}


@pytest.mark.parametrize(
    ("methods", "rates", "seeds", "dense", "line"),
    [
        ("freeze snip", "0.9 0.99", 5, True, "2 methods × 2 rates × 5 seeds + dense × 5 seeds = 25 trials"),
        ("freeze", "0.9", 1, False, "1 method × 1 rate × 1 seed = 1 trial"),
        ("freeze snip", "0 0.9", 2, False, "2 methods × 1 rate × 2 seeds + dense × 2 seeds = 6 trials"),
        ("dense", "0.9", 3, False, "dense × 3 seeds = 3 trials"),
        ("freeze snip", "0", 3, True, "dense × 3 seeds = 3 trials"),
        ("freeze snip-freeze", "0.9", 2, True, "1 method × 1 rate × 2 seeds + dense × 2 seeds = 4 trials"),
    ],
)
def test_the_grid_in_a_line(methods: str, rates: str, seeds: int, dense: bool, line: str) -> None:
    sweep = Sweep(
        methods={name: METHODS[name] for name in methods.split()},
        rates=[Decimal(rate) for rate in rates.split()],
        seeds=range(seeds),
        dense=dense,
        protocol=PROTOCOL,
    )
    assert sweep.grid() == f"grid: {line}"
