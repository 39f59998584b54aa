"""The baseline of budgets: every width of the network scaled alike. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from bench.channels.budgets import uniform_widths
from bench.channels.groups import Channels
from bench.channels.selection import first_open
from bench.methods.budgets.closing import ClosesChannels
from bench.methods.types import Criterion

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, kw_only=True)
class SmallFromTheStart(ClosesChannels):
    """A network that has fewer channels before it is trained."""

    criterion: str | Criterion = "small"


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
