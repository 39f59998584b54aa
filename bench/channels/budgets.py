"""Budgets of parameters and of multiply-accumulates. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import floor

from bench.channels.counts import Counts, counts
from bench.channels.groups import LOGITS, Channels
from bench.messages import counted

FILLED = 0.99  # of a budget: a network that has less of both leaves slack


@dataclass(frozen=True, kw_only=True)
class Budget:
    """The most that a network may store and compute."""

    parameters: int
    macs: int

    def slack(self, network: Counts) -> str:
        """What a network within the budget leaves of it, in words; "" if it fills one of both to FILLED."""
        shares = (network.parameters / self.parameters, network.macs / self.macs)
        if max(shares) >= FILLED:
            return ""
        return (
            f"{1 - max(shares):.4f}: {shares[0]:.2%} of {self.parameters:,} parameters and {shares[1]:.2%} of "
            f"{self.macs:,} multiply-accumulates"
        )

    def allows(self, network: Counts) -> bool:
        """Whether a network is within both."""
        return bool(network.parameters <= self.parameters and network.macs <= self.macs)


def targets(full: Counts, budget: Budget, fallen: float) -> Counts:
    """What is aimed at once the targets have fallen, from the whole network to the budget, by this share of the way."""
    return Counts(
        full.parameters - (full.parameters - budget.parameters) * fallen,
        full.macs - (full.macs - budget.macs) * fallen,
    )


def budget_of(channels: Channels, rate: Fraction, macs: Fraction = Fraction(1)) -> Budget:
    """P* = (1 - rate) · P of the dense network, and M* = macs · M, both rounded down."""
    full = counts(channels, channels.widths)
    return Budget(parameters=floor((1 - rate) * full.parameters), macs=floor(macs * full.macs))


def floor_of(channels: Channels, least: int = 1) -> Counts:
    """The counts with every group at its fewest channels."""
    return counts(channels, {name: min(least, group.size) for name, group in channels.groups.items()})


def check_budget(channels: Channels, budget: Budget, least: int = 1) -> None:
    """Raise ValueError, which names the floor, if no widths are within the budget."""
    lowest, full = floor_of(channels, least), counts(channels, channels.widths)
    each = "1 channel" if least == 1 else f"{least} channels"
    for noun, given, low, all_of in (
        ("parameters", budget.parameters, lowest.parameters, full.parameters),
        ("multiply-accumulates", budget.macs, lowest.macs, full.macs),
    ):
        if given < low:
            raise ValueError(
                f"a budget of {given:,} {noun}: must be at least {low:,} of the network's {all_of:,}, "
                f"its floor with {each} in each of its {len(channels.groups)} groups{_fixed_words(channels)}"
            )


def _fixed_words(channels: Channels) -> str:
    """The first layer that has no group, with the reason; "" if only the last has none."""
    fixed = [(layer, reason) for layer, reason in channels.fixed.items() if reason != LOGITS]
    if not fixed:
        return ""
    (layer, reason), others = fixed[0], len(fixed) - 1
    first = f"; layer {layer} ({reason})"
    return f"{first} and {counted(others, 'other')} have none" if others else f"{first} has none"


def uniform_widths(channels: Channels, budget: Budget, least: int = 1) -> dict[str, int]:
    """Every width scaled by the same share, rounded down but to no less than `least`: the largest within the budget.

    Raises: ValueError if not even the floor is within it.
    """
    check_budget(channels, budget, least)
    sizes = channels.widths.values()
    shares = sorted({Fraction(open_, size) for size in set(sizes) for open_ in range(1, size + 1)} | {Fraction(0)})
    low, high = 0, len(shares)  # the widths of shares[low] are within the budget, those of shares[high] are not
    while high - low > 1:
        middle = (low + high) // 2
        within = budget.allows(counts(channels, scaled(channels, shares[middle], least)))
        low, high = (middle, high) if within else (low, middle)
    return scaled(channels, shares[low], least)


def scaled(channels: Channels, share: Fraction, least: int = 1) -> dict[str, int]:
    """Every width times the share, rounded down, but not below `least`."""
    return {name: max(floor(share * size), min(least, size)) for name, size in channels.widths.items()}
