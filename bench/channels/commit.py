"""Which channels stay open: the ones of highest score that both budgets allow. Deterministic; imports no torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from bench.channels.budgets import Budget, check_budget
from bench.channels.channel_state import Channel, ChannelState
from bench.channels.counts import Counts
from bench.channels.groups import Channels
from bench.channels.selection import Open


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
    state = ChannelState(channels, given, least)
    state.fill_up(ranked)
    for channel in reversed(ranked):
        if budget.allows(state.counts):
            break
        state.close(channel, budget)
    for channel in ranked:
        state.open_if(channel, budget)
    reopened = tuple((n, i) for n, i in ranked if state.flags[n][i] and not given[n][i])
    return Plan(open=state.flags, counts=state.counts, reopened=reopened)


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
