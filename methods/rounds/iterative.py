"""What the methods in rounds share: how many weights are live after each. Imports no torch at the top."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import floor
from typing import TYPE_CHECKING

from bench.methods.base import Method, check_fixed
from bench.methods.counts import live_count
from bench.methods.types import Background

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Iterative(Method):
    """A method in rounds: round t of n keeps round-half-up(N · d^(t/n)) weights, d = 1 - rate, and the last exactly
    `live_count`. While selecting, removed weights are 0 whatever the background, as in the papers."""

    background: Background = "prune"
    rounds: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rounds < 1:
            raise ValueError(f"rounds {self.rounds}: must be a whole number >= 1")
        check_fixed(self, "criterion", "scope")

    def live_after(self, weights: Mapping[str, Tensor], rate: Fraction) -> list[int]:
        """Live weights after each round."""
        return schedule(rate, sum(w.numel() for w in weights.values()), self.rounds)


def schedule(rate: Fraction, total: int, rounds: int) -> list[int]:
    """Live weights after each round: geometric in the density, the last exact.

    >>> schedule(Fraction("0.99"), 10_000, 2)
    [1000, 100]
    """
    counts = [floor(total * float(1 - rate) ** (t / rounds) + 0.5) for t in range(1, rounds)]
    return [*counts, live_count(rate, total)]


def released_schedule(rate: Fraction, total: int, rounds: int) -> list[int]:
    """As `schedule`, but the number removed is truncated, as in SynFlow's released code; the last exact.

    >>> released_schedule(Fraction("0.9"), 1_001, 2), schedule(Fraction("0.9"), 1_001, 2)
    ([317, 100], [317, 100])
    """
    counts = [total - int((1.0 - float(1 - rate) ** (t / rounds)) * total) for t in range(1, rounds)]
    return [*counts, live_count(rate, total)]
