"""The channels that are open now, and what they cost: closed and opened one by one. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.channels.budgets import Budget
from bench.channels.counts import Counts, counts
from bench.channels.groups import Channels
from bench.channels.selection import Open, widths_of

Channel = tuple[str, int]  # group, index


class ChannelState:
    """The channels that are open now, and what they cost.

    Args: is_open: group -> a flag of each channel. least: channels that each group keeps.
    """

    def __init__(self, channels: Channels, is_open: Open, least: int) -> None:
        self.channels = channels
        self.flags = {name: list(map(bool, is_open[name])) for name in channels.groups}
        self.widths = widths_of(self.flags)
        self.least: Mapping[str, int] = {name: min(least, size) for name, size in channels.widths.items()}
        self.counts = counts(channels, self.widths)

    def fill_up(self, ranked: Sequence[Channel]) -> None:
        """Open the best channels of groups that have fewer than `least`."""
        for name, index in ranked:
            if not self.flags[name][index] and self.widths[name] < self.least[name]:
                self._set((name, index), True, self._with(name, 1))

    def close(self, channel: Channel, budget: Budget) -> bool:
        """Close an open channel that its group can spare; returns whether it did.

        If only multiply-accumulates are over the budget, one that costs none stays open.
        """
        name, index = channel
        if not self.flags[name][index] or self.widths[name] <= self.least[name]:
            return False
        after = self._with(name, -1)
        if self.counts.parameters <= budget.parameters and after.macs >= self.counts.macs:
            return False
        self._set(channel, False, after)
        return True

    def open_if(self, channel: Channel, budget: Budget) -> None:
        """Open a closed channel if both budgets allow it; what is refused once never fits later, since costs grow."""
        name, index = channel
        if not self.flags[name][index] and budget.allows(after := self._with(name, 1)):
            self._set(channel, True, after)

    def _with(self, name: str, change: int) -> Counts:
        """The counts with that many more channels of a group."""
        return counts(self.channels, {**self.widths, name: self.widths[name] + change})

    def _set(self, channel: Channel, is_open: bool, after: Counts) -> None:
        name, index = channel
        self.flags[name][index] = is_open
        self.widths[name] += 1 if is_open else -1
        self.counts = after
