"""Channels that are seen to be open or closed together, and whose channels an activation has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(eq=False)
class ChannelSet:
    """Channels that are seen to be open or closed together; `root` is the set that it has become a part of."""

    size: int
    writers: list[str] = field(default_factory=list)
    depthwise: list[str] = field(default_factory=list)  # of the writers, those that read these channels too
    norms: list[tuple[str, int]] = field(default_factory=list)  # each with its inputs for a channel
    readers: list[tuple[str, int]] = field(default_factory=list)  # likewise
    fixed: str = ""  # why they cannot be closed
    summed: bool = (
        False  # whether they are of a residual stream: added to others, or what both parts of a sum begin with
    )
    joined: ChannelSet | None = None

    def sort(self, ran: Mapping[str, int]) -> None:
        """Put all in the order in which they ran."""
        self.writers.sort(key=ran.__getitem__)
        for layers in (self.norms, self.readers):
            layers.sort(key=lambda layer: ran[layer[0]])

    @property
    def root(self) -> ChannelSet:
        root, channels = self, self
        while root.joined is not None:
            root = root.joined
        while channels.joined is not None and channels.joined is not root:
            channels.joined, channels = root, channels.joined
        return root

    def fix(self, reason: str) -> None:
        self.root.fixed = self.root.fixed or reason

    def join(self, other: ChannelSet) -> None:
        """Make one set of both."""
        one, two = self.root, other.root
        if one is two:
            return
        if one.size != two.size:
            for channels in (one, two):
                channels.fix("meets another number of channels")
            return
        for mine, theirs in ((one.writers, two.writers), (one.depthwise, two.depthwise)):
            mine.extend(theirs)
        one.norms.extend(two.norms)
        one.readers.extend(two.readers)
        one.fixed, one.summed = one.fixed or two.fixed, one.summed or two.summed
        two.joined = one


@dataclass(frozen=True)
class Axis:
    """The second dimension of an activation: the channels of a set, each with `repeat` entries side by side."""

    channels: ChannelSet
    repeat: int = 1


@dataclass(kw_only=True)
class LayerPass:
    """A layer with a weight in the pass."""

    reads: Axis | None
    writes: ChannelSet
    depthwise: bool
    positions: int

    @property
    def sets(self) -> list[ChannelSet]:
        """All that it reads and writes."""
        return [channels for channels in (self.reads and self.reads.channels, self.writes) if channels]
