"""Gates on channels, closed while training under the pressure of two budgets. Imports no torch at the top."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from bench.channels.commit import Plan, committed
from bench.channels.counts import Counts
from bench.channels.selection import all_but
from bench.methods.budgets.fields import check_positive
from bench.methods.budgets.to_budget import ToBudget, groups_of
from bench.methods.types import Criterion, Masks

if TYPE_CHECKING:
    from torch import Tensor

    from bench.methods.budgets.gates import Gates
    from bench.methods.changing.revision import Revision
    from bench.methods.changing.shaping import ShapedNetwork


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
    threshold: float = 1e-3  # a tenth of the scale with which a channel is opened again

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, "reach", "ramp", "threshold")

    def shape(self, at: ShapedNetwork, done: int, lr: float) -> None:
        """What is closed stays so; the pressure of one step; and the channels that it closes."""
        gates = self._gates(at)
        gates.hold()
        steps = at.steps * self.moments(at.epochs)[0] // at.epochs  # of the phase
        targets = self._targets(at, gates, min(1.0, float(Fraction(done, steps)) / self.ramp))
        gates.press(targets, self.reach * steps)
        gates.close(targets, self.threshold)

    def _gates(self, at: ShapedNetwork) -> Gates:
        from bench.methods.budgets.gates import Gates

        if "gates" not in at.scratch:
            at.scratch["gates"] = Gates(at.model, groups_of(at), at.state.setdefault("closed", []), self.least)
        gates: Gates = at.scratch["gates"]
        return gates

    def _targets(self, at: ShapedNetwork, gates: Gates, fallen: float) -> Counts:
        """The counts that are aimed at, once the targets have fallen by this share of their way."""
        full, budget = gates.full, self.budget(gates.channels, at.rate)
        return Counts(
            full.parameters - (full.parameters - budget.parameters) * fallen,
            full.macs - (full.macs - budget.macs) * fallen,
        )

    def _plan(self, at: Revision) -> Plan:
        """Closed channels rank below the open ones, that which was closed last above the others."""
        from bench.methods.budgets.norm_scales import scales_of

        channels, closed = groups_of(at), at.state.get("closed", [])
        scores = scales_of(at.model, channels)
        for order, (name, index) in enumerate(closed):
            scores[name][index] = float(order - len(closed))
        return committed(
            channels,
            scores,
            self.budget(channels, at.rate),
            least=self.least,
            before=all_but(channels, closed),
        )

    def reset(self, at: Revision, masks: Masks) -> Mapping[str, Tensor]:
        """See `Method.reset`: the scale and shift of channels that are opened again."""
        channels, reopened = groups_of(at), self._plan(at).reopened
        parameters = {name: p.detach().clone() for name, p in at.model.named_parameters()}
        values: dict[str, Tensor] = {}
        for name, index in reopened:
            for norm in channels.groups[name].norms:
                for leaf, value in (("weight", 10 * self.threshold), ("bias", 0.0)):
                    tensor = values.setdefault(f"{norm}.{leaf}", parameters[f"{norm}.{leaf}"])
                    tensor[index] = value
        return values

    def restarted(self, at: Revision, masks: Masks) -> Masks:
        """See `Method.restarted`: all of the channels that are opened again."""
        without = at.masks_with(all_but(groups_of(at), self._plan(at).reopened))
        return {name: ~mask for name, mask in without.items() if not bool(mask.all())}
