"""The gates of a network's channels: which are closed, and what the open ones cost."""

from __future__ import annotations

from math import floor
from typing import Any

import torch
from torch import Tensor, nn

from bench.channels.budgets import Budget
from bench.channels.channel_state import ChannelState
from bench.channels.counts import Counts, counts, marginal_costs
from bench.channels.groups import Channels
from bench.channels.selection import all_but
from bench.methods.budgets.norm_scales import NormScales

SLACK = 0.05  # of a target: that far above it the pressure is full


class Gates:
    """The gates of a network's channels while it is trained.

    What the counts say is kept as numbers and worked out again only if a channel closes, so that a step waits for the
    device once at most.

    Args: closed: group and index of the closed channels, in the order in which they were closed; grows in place.
          least: channels that each group keeps.
    """

    def __init__(self, model: nn.Module, channels: Channels, closed: list[list[Any]], least: int) -> None:
        self.channels, self.closed = channels, closed
        self.full = counts(channels, channels.widths)
        self.scales = NormScales(model, channels)
        self._state = ChannelState(channels, all_but(channels, closed), least)
        self._each = [(name, index) for name, size in channels.widths.items() for index in range(size)]
        self._sizes = torch.tensor([*channels.widths.values()])
        self._take_in()

    def hold(self) -> None:
        """Keep scale and shift of closed channels at 0, whatever the optimizer did to them."""
        self.scales.zero(self._flags)

    def press(self, targets: Counts, steps: float) -> None:
        """Shrink scales by the cost of each channel, under full pressure a mean one by 1 in so many steps."""
        pressures = (
            pressure(self._state.counts.parameters, targets.parameters),
            pressure(self._state.counts.macs, targets.macs),
        )
        if any(pressures):
            self.scales.shrink(sum(v / steps * cost for v, cost in zip(pressures, self._costs, strict=True) if v))

    def close(self, targets: Counts, threshold: float) -> None:
        """Close channels whose scale is at most the threshold, the smallest first, while a target is exceeded."""
        budget = Budget(parameters=floor(targets.parameters), macs=floor(targets.macs))
        if budget.allows(self._state.counts):
            return
        before = len(self.closed)
        for position in self._small(threshold):
            if budget.allows(self._state.counts):
                break
            if self._state.close(self._each[position], budget):
                self.closed.append([*self._each[position]])
        if len(self.closed) > before:
            self._take_in()
            self.hold()

    def _small(self, threshold: float) -> list[int]:
        """The open channels of so small a scale, the smallest first, of equal ones the earlier."""
        scales = self.scales.largest()
        small = (self._open & (scales <= threshold)).nonzero().view(-1)
        if not len(small):
            return []
        order: list[int] = small[scales[small].argsort(stable=True)].tolist()
        return order

    def _take_in(self) -> None:
        """Work out what follows from the open channels."""
        state, like = self._state, self.scales.scales[0]
        marginal = marginal_costs(self.channels, state.widths)
        each = [[cost.parameters for cost in marginal.values()], [cost.macs for cost in marginal.values()]]
        free = [state.widths[name] > state.least[name] for name in self.channels.groups]
        widths = [*state.widths.values()]
        self._costs = [self._of_channels(_relative(costs, widths, free)).to(like) for costs in each]
        self._open = torch.tensor([state.flags[name][index] for name, index in self._each], device=like.device)
        flags = [None if all(of_group) else ~torch.tensor(of_group) for of_group in state.flags.values()]
        self._flags = [None if of_group is None else of_group.to(like.device) for of_group in flags]

    def _of_channels(self, of_groups: list[float]) -> Tensor:
        return torch.tensor(of_groups, dtype=torch.float64).repeat_interleave(self._sizes)


def pressure(count: int, target: float) -> float:
    """0 up to the target, rising to 1 at SLACK above it."""
    return min(1.0, max(0.0, (count / target - 1) / SLACK))


def _relative(costs: list[int], widths: list[int], free: list[bool]) -> list[float]:
    """What a channel of each group costs, over the mean of all open ones; 0 of groups that cannot spare one."""
    mean = sum(width * cost for width, cost in zip(widths, costs, strict=True)) / sum(widths)
    return [cost / mean if is_free else 0.0 for cost, is_free in zip(costs, free, strict=True)]
