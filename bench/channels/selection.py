"""Which channels of a network are open. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.channels.counts import Counts, counts
from bench.channels.groups import Channels

Open = Mapping[str, Sequence[bool]]  # group -> for each channel whether it is open


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The open channels of every group."""

    channels: Channels
    open: Open

    @property
    def widths(self) -> dict[str, int]:
        """Group -> its number of open channels."""
        return widths_of(self.open)

    @property
    def counts(self) -> Counts:
        """Of the network with these channels alone."""
        return counts(self.channels, self.widths)


def widths_of(open_channels: Open) -> dict[str, int]:
    """Group -> its number of open channels."""
    return {name: sum(map(bool, flags)) for name, flags in open_channels.items()}


def first_open(channels: Channels, widths: Mapping[str, int]) -> dict[str, list[bool]]:
    """Of every group the first so many channels open."""
    return {name: [i < widths[name] for i in range(size)] for name, size in channels.widths.items()}


def all_but(channels: Channels, closed: Iterable[Sequence[Any]]) -> dict[str, list[bool]]:
    """All channels open but these, each a group and an index."""
    flags = {name: [True] * size for name, size in channels.widths.items()}
    for name, index in closed:
        flags[name][index] = False
    return flags
