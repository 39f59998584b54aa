"""What methods share that close channels, whenever they do: their budget. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from bench.channels.budgets import Budget, budget_of
from bench.channels.filters import Filters
from bench.channels.groups import Channels
from bench.channels.selection import Selection
from bench.methods.base import Method, check_fixed
from bench.methods.budgets.fields import check_least, check_shares, check_types
from bench.methods.changing.schedule import share
from bench.methods.types import Background, Masks


@dataclass(frozen=True, kw_only=True)
class ClosesChannels(Method):
    """A method whose networks have fewer channels in the end, within a budget of parameters, 1 - rate of the network's,
    and of multiply-accumulates.
    """

    background: Background = "prune"
    macs: float = 1.0  # the most multiply-accumulates of a forward pass, as a fraction of the network's
    stream: bool = False  # whether channels of residual streams are closed too
    least: int = 1  # channels that every group keeps
    closes_channels: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_types(self)
        super().__post_init__()
        check_fixed(self, "criterion", "scope", "background", "control")
        check_shares(self, "macs")
        check_least(self)

    def budget(self, channels: Channels, rate: Fraction) -> Budget:
        """1 - rate of the network's parameters, and `macs` of its multiply-accumulates."""
        return budget_of(channels, rate, share(self.macs))

    def slack(self, rate: Fraction, masks: Masks, selection: Selection | None, filters: Callable[[], Filters]) -> str:
        """See `Method.slack`: of its open channels."""
        return "" if selection is None else self.budget(selection.channels, rate).slack(selection.counts)
