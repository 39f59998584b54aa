"""Network slimming, to exact budgets. Imports no torch at the top."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.methods.budgets.to_budget import ToBudget, groups_of
from bench.methods.types import Criterion

if TYPE_CHECKING:
    from bench.methods.changing.shaping import ShapedNetwork


@dataclass(frozen=True, kw_only=True)
class NetworkSlimming(ToBudget):
    """Network slimming (Liu et al., ICCV 2017, arXiv:1708.06519): BatchNorm's scales are trained with an L1 penalty,
    and the channels of smallest |scale| are closed, over all groups together.

    Departs from the paper: the penalty acts as its proximal step, |scale| - lr · strength and not below 0, after every
    step of the optimizer; one round, in the middle of one training; exact budgets of parameters and of
    multiply-accumulates, where the paper prunes a share of the channels.
    """

    criterion: str | Criterion = "network-slimming"
    strength: float = 1e-4  # of the penalty

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.strength < 0:
            raise ValueError(f"strength {self.strength}: must be at least 0")

    def shape(self, at: ShapedNetwork, done: int, lr: float) -> None:
        """The penalty's step."""
        from bench.methods.budgets.norm_scales import NormScales

        if "scales" not in at.scratch:
            at.scratch["scales"] = NormScales(at.model, groups_of(at))
        at.scratch["scales"].shrink(lr * self.strength)
