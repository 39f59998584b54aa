"""Gates on channels, closed while training under the pressure of two budgets. Imports no torch at the top."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from bench.channels.budgets import budget_of
from bench.channels.counts import counts, marginal_costs
from bench.channels.groups import Channels
from bench.methods.budgets.to_budget import ToBudget, scales, shrink
from bench.methods.changing.schedule import share
from bench.methods.types import Criterion

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.utils.hooks import RemovableHandle

    from bench.methods.changing.shaping import ShapedNetwork

SLACK = 0.05  # of a target: that far above it the pressure is full


@dataclass(frozen=True, kw_only=True)
class BudgetGate(ToBudget):
    """Budget gates (in the style of Holistic Filter Pruning, Enderich, Timm & Burgard, WACV 2021, arXiv:2009.08169, of
    which only the abstract was at hand): after every step the size of the network is counted in parameters and in
    multiply-accumulates and compared with targets that fall to the budgets; what is above them shrinks BatchNorm's
    scales, and a channel whose scale is at most `threshold` is closed.

    With s the share of the phase up to the commit that is done, a target is 1 - (1 - r*) · min(1, s / ramp) of the
    network. With A_G open channels of group G, v_b = clip((count_b / target_b - 1) / 0.05, 0, 1) for b in {P, M}, and
    c_G = Σ_b v_b · (∂count_b/∂A_G) / its mean over open channels, every step brings |scale| nearer to 0 by
    c_G / (reach · steps of the phase): under full pressure a channel of mean cost loses a scale of 1 in that share of
    the phase. What is closed stays closed up to the commit; its whole output, scale and shift, is 0.

    Departs from the paper: its gates, loss and schedule are not known; this is the project's own.
    """

    criterion: str | Criterion = "budget-gate"
    reach: float = 0.3
    ramp: float = 0.8

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("reach", "ramp"):
            object.__setattr__(self, name, float(getattr(self, name)))
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} {getattr(self, name)}: must be above 0")

    def attach(self, at: ShapedNetwork) -> Sequence[RemovableHandle]:
        """The gates: what a BatchNorm gives is 0 in closed channels."""
        import torch

        groups, device = _channels(at).groups, next(at.model.parameters()).device
        none = {name: torch.zeros(group.size, dtype=torch.bool, device=device) for name, group in groups.items()}
        closed = {name: at.state.get("closed", none)[name].to(device) for name in groups}
        at.state["closed"] = closed
        return [
            at.model.get_submodule(norm).register_forward_hook(_gate(closed[name]))
            for name, group in groups.items()
            for norm in group.norms
        ]

    def shape(self, at: ShapedNetwork, done: int, lr: float) -> None:
        """The pressure of one step, and the channels that it closes."""
        channels, closed = _channels(at), at.state["closed"]
        widths = {name: group.size - int(closed[name].sum()) for name, group in channels.groups.items()}
        steps = at.steps * self.moments(at.epochs)[0] // at.epochs  # of the phase
        for name, cost in self._costs(channels, widths, Fraction(done, steps), at.rate).items():
            if cost and widths[name] > self.least:
                shrink(at.model, channels.groups[name], cost / (self.reach * steps))
        for name, group in channels.groups.items():
            _close(closed[name], scales(at.model, group), self.threshold, self.least)

    def _costs(self, channels: Channels, widths: dict[str, int], done: Fraction, rate: Fraction) -> dict[str, float]:
        """c_G of every group, at this share of the phase."""
        now, budget = counts(channels, widths), budget_of(channels, rate, share(self.macs))
        full, marginal = counts(channels, channels.widths), marginal_costs(channels, widths)
        fallen = min(1.0, float(done) / self.ramp)
        total = dict.fromkeys(widths, 0.0)
        for noun in ("parameters", "macs"):
            of_full, each = getattr(full, noun), {name: getattr(cost, noun) for name, cost in marginal.items()}
            target = of_full - (of_full - getattr(budget, noun)) * fallen
            pressure = min(1.0, max(0.0, (getattr(now, noun) / target - 1) / SLACK))
            mean = sum(widths[name] * cost for name, cost in each.items()) / sum(widths.values())
            for name, cost in each.items():
                total[name] += pressure * cost / mean
        return total


def _channels(at: ShapedNetwork) -> Channels:
    assert at.channels is not None, "the engine gives them to a method that closes channels"
    return at.channels


def _gate(closed: Tensor) -> Callable[[nn.Module, object, Tensor], Tensor]:
    """A forward hook that sets closed channels [N, C, ...] to 0."""

    def gated(module: nn.Module, given: object, output: Tensor) -> Tensor:
        return output.masked_fill(closed.view(1, -1, *(1 for _ in output.shape[2:])), 0.0)

    return gated


def _close(closed: Tensor, scale: Tensor, threshold: float, least: int) -> None:
    """Close channels whose scale is at most the threshold, the smallest first; `least` stay open. In place."""
    small = ((scale <= threshold) & ~closed).nonzero().view(-1)
    allowed = max(0, int((~closed).sum()) - least)
    order = scale[small].argsort(stable=True)
    closed[small[order[:allowed]]] = True
