"""What methods share that close channels in the middle of the training. Imports no torch at the top."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar

from bench.channels.budgets import Budget, budget_of, check_budget
from bench.channels.commit import Plan, committed
from bench.channels.groups import Channels, Group
from bench.methods.base import Method, check_fixed
from bench.methods.changing.schedule import epoch_at, share
from bench.methods.types import Background, Batches, Criterion, Loss, Masks

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn

    from bench.methods.changing.revision import Revision


@dataclass(frozen=True, kw_only=True)
class ToBudget(Method):
    """A method that trains the whole network up to its commit, closes channels there by BatchNorm's scale, and trains
    what is left with fixed masks.

    At the commit the channels of smallest |scale| are closed until both budgets are kept, and those of largest |scale|
    that still fit are open: P <= P* and M <= M* exactly. One that was closed before and is open then begins with a
    scale of 10 · `threshold` and no shift: with its former shift the function would jump, and with a scale of 0 no
    gradient passes the ReLU behind it.
    """

    criterion: str | Criterion = "to-budget"
    background: Background = "prune"
    macs: float = 1.0  # the most multiply-accumulates of a forward pass, as a fraction of the network's
    stream: bool = False  # whether channels of residual streams are closed too
    least: int = 1  # channels that every group keeps
    commit: float = 0.5  # of the training: after it the masks stay
    threshold: float = 1e-3  # a tenth of the scale with which a channel is opened again
    closes_channels: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_fixed(self, "criterion", "scope", "background", "control")
        for name in ("macs", "commit"):  # 1 and 1.0 are one method
            object.__setattr__(self, name, float(getattr(self, name)))
            if not 0 < getattr(self, name) <= 1:
                raise ValueError(f"{name} {getattr(self, name)}: must be 0 < {name} <= 1")
        if self.least < 1:
            raise ValueError(f"least {self.least}: must be a whole number >= 1")
        if not self.threshold > 0:
            raise ValueError(f"threshold {self.threshold}: must be above 0")

    def moments(self, epochs: int) -> tuple[int, ...]:
        """The commit alone."""
        return (epoch_at(share(self.commit), epochs),)

    def start_rate(self, rate: Fraction) -> Fraction:
        """All channels are open up to the commit."""
        return Fraction(0)

    def select(
        self, model: nn.Module, batches: Batches, loss: Loss, rate: Fraction, generator: np.random.RandomState
    ) -> Masks:
        """All weights live. Raises ValueError at any rate but 0."""
        from bench.methods.papers import Dense

        return Dense().select(model, batches, loss, rate, generator)

    def open_channels(
        self, channels: Channels, rate: Fraction, generator: np.random.RandomState
    ) -> dict[str, list[bool]]:
        """All of them, up to the commit.

        Raises: ValueError if the budget is below the network's floor, or a group has no BatchNorm.
        """
        check_budget(channels, self._budget(channels, rate), self.least)
        without = [name for name, group in channels.groups.items() if not group.norms]
        if without:
            raise ValueError(f"layer {without[0]}: must have a BatchNorm behind it, by whose scale channels are closed")
        return {name: [True] * size for name, size in channels.widths.items()}

    def revise(self, at: Revision) -> Masks:
        """See `Method.revise`: what writes, scales, shifts or reads a closed channel is dead."""
        return at.masks_with(self._plan(at).open)

    def reset(self, at: Revision, masks: Masks) -> Mapping[str, Tensor]:
        """See `Method.reset`: the scale and shift of channels that are opened again."""
        channels, reopened = _channels(at), self._plan(at).reopened
        parameters = {name: p.detach().clone() for name, p in at.model.named_parameters()}
        values: dict[str, Tensor] = {}
        for name, index in reopened:
            for norm in channels.groups[name].norms:
                for leaf, value in (("weight", 10 * self.threshold), ("bias", 0.0)):
                    tensor = values.setdefault(f"{norm}.{leaf}", parameters[f"{norm}.{leaf}"])
                    tensor[index] = value
        return values

    def _budget(self, channels: Channels, rate: Fraction) -> Budget:
        return budget_of(channels, rate, share(self.macs))

    def _plan(self, at: Revision) -> Plan:
        channels, closed = _channels(at), at.state.get("closed", {})
        return committed(
            channels,
            {name: scales(at.model, group).tolist() for name, group in channels.groups.items()},
            self._budget(channels, at.rate),
            least=self.least,
            before={name: (~flags).tolist() for name, flags in closed.items()} or None,
        )


def _channels(at: Revision) -> Channels:
    assert at.channels is not None, "the engine gives them to a method that closes channels"
    return at.channels


def scales(model: nn.Module, group: Group) -> Tensor:
    """|scale| of each channel; of one that several BatchNorms have, the largest."""
    import torch

    return torch.stack([weight_of(model, norm).detach().abs() for norm in group.norms]).amax(0)


def weight_of(model: nn.Module, layer: str) -> Tensor:
    """The weight of a layer: of a BatchNorm, its scale."""
    return model.get_parameter(f"{layer}.weight")


def shrink(model: nn.Module, group: Group, amount: float) -> None:
    """Bring the scales of a group's channels nearer to 0, each by that amount and none beyond 0, in place."""
    import torch

    with torch.no_grad():
        for norm in group.norms:
            scale = weight_of(model, norm)
            scale.copy_(scale.sign() * (scale.abs() - amount).clamp_min(0))
