"""Channels at random, to a budget. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from bench.channels.commit import committed
from bench.channels.groups import Channels
from bench.methods.budgets.uniform_width import SmallFromTheStart
from bench.methods.types import Criterion

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, kw_only=True)
class RandomChannels(SmallFromTheStart):
    """A smaller network trained from scratch: channels drawn at random over all groups together are closed until both
    budgets are kept, so that wide groups lose more of them.
    """

    criterion: str | Criterion = "random-channels"

    def open_channels(
        self, channels: Channels, rate: Fraction, generator: np.random.RandomState
    ) -> dict[str, list[bool]]:
        """Those of the highest random score. Raises ValueError, which names the floor, if there are no such widths."""
        scores = {name: generator.random_sample(size).tolist() for name, size in channels.widths.items()}
        return committed(channels, scores, self.budget(channels, rate), least=self.least).open
