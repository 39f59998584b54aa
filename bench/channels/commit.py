"""Which channels stay open: the ones of highest score that both budgets allow. Deterministic; imports no torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from bench.channels.budgets import Budget, check_budget
from bench.channels.counts import Counts, counts
from bench.channels.groups import Channels
from bench.channels.selection import Open, widths_of

Channel = tuple[str, int]  # group, index


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a commit decides."""

    open: dict[str, list[bool]]
    counts: Counts
    reopened: tuple[Channel, ...]  # closed before, open now; from the highest score down


def committed(
    channels: Channels,
    scores: Mapping[str, Sequence[float]],
    budget: Budget,
    *,
    least: int = 1,
    before: Open | None = None,
) -> Plan:
    """Close channels from the lowest score up until both budgets are kept; then open those, from the highest score
    down, that both budgets still allow.

    All channels have one ranking by score; of equal scores the group that runs earlier is first, then the lower index.
    If only multiply-accumulates are over their budget, channels that cost none stay open.

    Args:   scores: group -> a score of each channel, higher = open.
            least: channels that each group keeps.
            before: which channels are open before; by default all.
    Raises: ValueError if no widths are within the budget, or a score is missing or not finite.
    """
    check_budget(channels, budget, least)
    ranked = _ranked(channels, scores)
    given = {name: [True] * size for name, size in channels.widths.items()} if before is None else before
    state = _State(channels, {name: list(map(bool, given[name])) for name in channels.groups}, least)
    state.fill_up(ranked)
    for channel in reversed(ranked):
        if budget.allows(state.counts):
            break
        state.close(channel, budget)
    for channel in ranked:
        state.open_if(channel, budget)
    reopened = tuple((n, i) for n, i in ranked if state.flags[n][i] and not given[n][i])
    return Plan(open=state.flags, counts=state.counts, reopened=reopened)


class _State:
    """The channels that are open now, and what they cost."""

    def __init__(self, channels: Channels, flags: dict[str, list[bool]], least: int) -> None:
        self.channels, self.flags, self.widths = channels, flags, widths_of(flags)
        self.least = {name: min(least, size) for name, size in channels.widths.items()}
        self.counts = counts(channels, self.widths)

    def with_(self, name: str, change: int) -> Counts:
        """The counts with that many more channels of a group."""
        return counts(self.channels, {**self.widths, name: self.widths[name] + change})

    def set(self, channel: Channel, is_open: bool, after: Counts) -> None:
        name, index = channel
        self.flags[name][index] = is_open
        self.widths[name] += 1 if is_open else -1
        self.counts = after

    def fill_up(self, ranked: Sequence[Channel]) -> None:
        """Open the best channels of groups that have fewer than `least`."""
        for name, index in ranked:
            if not self.flags[name][index] and self.widths[name] < self.least[name]:
                self.set((name, index), True, self.with_(name, 1))

    def close(self, channel: Channel, budget: Budget) -> None:
        name, index = channel
        if not self.flags[name][index] or self.widths[name] <= self.least[name]:
            return
        after = self.with_(name, -1)
        if self.counts.parameters > budget.parameters or after.macs < self.counts.macs:
            self.set(channel, False, after)

    def open_if(self, channel: Channel, budget: Budget) -> None:
        """Open a closed channel if both budgets allow it; what is refused once never fits later, since costs grow."""
        name, index = channel
        if not self.flags[name][index] and budget.allows(after := self.with_(name, 1)):
            self.set(channel, True, after)


def _ranked(channels: Channels, scores: Mapping[str, Sequence[float]]) -> list[Channel]:
    return [channel for _, channel in sorted(_scored(channels, scores), key=_by_score)]


def _by_score(scored: tuple[float, Channel]) -> float:
    return -scored[0]


def _scored(channels: Channels, scores: Mapping[str, Sequence[float]]) -> Iterator[tuple[float, Channel]]:
    for name, group in channels.groups.items():
        if (given := len(scores.get(name, ()))) != group.size:
            raise ValueError(f"scores of group {name}: {given}; must be one for each of its {group.size} channels")
        if bad := [float(score) for score in scores[name] if not isfinite(score)]:
            raise ValueError(f"scores of group {name}: {bad[0]}; must be finite")
        yield from ((float(score), (name, index)) for index, score in enumerate(scores[name]))
