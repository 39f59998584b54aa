"""What methods share that close channels in the middle of the training. Imports no torch at the top."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from bench.channels.budgets import check_budget
from bench.channels.commit import Plan, committed
from bench.channels.groups import Channels
from bench.methods.budgets.closing import ClosesChannels
from bench.methods.budgets.fields import check_shares
from bench.methods.changing.dense_at_first import DenseAtFirst
from bench.methods.changing.schedule import epoch_at, share
from bench.methods.types import Criterion, Masks

if TYPE_CHECKING:
    import numpy as np

    from bench.methods.changing.revision import Revision
    from bench.methods.changing.shaping import ShapedNetwork


@dataclass(frozen=True, kw_only=True)
class ToBudget(ClosesChannels, DenseAtFirst):
    """A method that trains the whole network up to its commit, closes channels there by BatchNorm's scale, and trains
    what is left with fixed masks.

    At the commit the channels of smallest |scale| are closed until both budgets are kept, and those of largest |scale|
    that still fit are open: P <= P* and M <= M* exactly.
    """

    criterion: str | Criterion = "to-budget"
    commit: float = 0.5  # of the training: after it the masks stay

    def __post_init__(self) -> None:
        super().__post_init__()
        check_shares(self, "commit")

    def moments(self, epochs: int) -> tuple[int, ...]:
        """The commit alone."""
        return (epoch_at(share(self.commit), epochs),)

    def open_channels(
        self, channels: Channels, rate: Fraction, generator: np.random.RandomState
    ) -> dict[str, list[bool]]:
        """All of them, up to the commit.

        Raises: ValueError if the budget is below the network's floor, or a group has no BatchNorm.
        """
        check_budget(channels, self.budget(channels, rate), self.least)
        without = [name for name, group in channels.groups.items() if not group.norms]
        if without:
            raise ValueError(f"layer {without[0]}: must have a BatchNorm behind it, by whose scale channels are closed")
        return {name: [True] * size for name, size in channels.widths.items()}

    def revise(self, at: Revision) -> Masks:
        """See `Method.revise`: what writes, scales, shifts or reads a closed channel is dead."""
        return at.masks_with(self._plan(at).open)

    def _plan(self, at: Revision) -> Plan:
        from bench.methods.budgets.norm_scales import scales_of

        channels = groups_of(at)
        return committed(channels, scales_of(at.model, channels), self.budget(channels, at.rate), least=self.least)


def groups_of(at: Revision | ShapedNetwork) -> Channels:
    """The network's groups."""
    assert at.channels is not None, "the engine gives them to a method that closes channels"
    return at.channels
