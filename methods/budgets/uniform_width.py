"""The baseline of budgets: every width of the network scaled alike. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar

from bench.channels.budgets import Budget, budget_of, uniform_widths
from bench.channels.filters import Filters
from bench.channels.groups import Channels
from bench.channels.selection import Selection, first_open
from bench.methods.base import Method, check_fixed
from bench.methods.budgets.fields import check_least, check_shares, check_types
from bench.methods.types import Background, Criterion, Masks

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, kw_only=True)
class SmallFromTheStart(Method):
    """A network that has fewer channels before it is trained, within a budget of parameters, 1 - rate of the network's,
    and of multiply-accumulates."""

    criterion: str | Criterion = "small"
    background: Background = "prune"
    macs: float = 1.0  # the most multiply-accumulates of a forward pass, as a fraction of the network's
    stream: bool = False  # whether the channels of residual streams are fewer too
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
        return budget_of(channels, rate, Fraction(str(self.macs)))

    def slack(self, rate: Fraction, masks: Masks, selection: Selection | None, filters: Callable[[], Filters]) -> str:
        """See `Method.slack`: of its open channels."""
        return "" if selection is None else self.budget(selection.channels, rate).slack(selection.counts)


@dataclass(frozen=True, kw_only=True)
class UniformWidth(SmallFromTheStart):
    """A narrow network trained from scratch: every group of channels scaled by the same share, the largest within both
    budgets (the baseline of Liu et al., ICLR 2019, arXiv:1810.05270).

    Departs from the paper: exact budgets; the epochs are those of every other trial.
    """

    criterion: str | Criterion = "uniform-width"

    def open_channels(
        self, channels: Channels, rate: Fraction, generator: np.random.RandomState
    ) -> dict[str, list[bool]]:
        """The first channels of every group. Raises ValueError, which names the floor, if there are no such widths."""
        return first_open(channels, uniform_widths(channels, self.budget(channels, rate), self.least))
