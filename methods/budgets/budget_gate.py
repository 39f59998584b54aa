"""Gates on channels, closed while training under the pressure of two budgets. Imports no torch at the top."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from bench.channels.budgets import targets
from bench.channels.commit import Plan, committed
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
    scales, and while a target is exceeded channels are closed whose scale is at most `threshold`, the smallest first.

    With s the share of the phase up to the commit that is done, a target is 1 - (1 - r*) · min(1, s / ramp) of the
    network. With A_G open channels of group G, v_b = clip((count_b / target_b - 1) / 0.05, 0, 1) for b in {P, M}, and
    c_G = Σ_b v_b · (∂count_b/∂A_G) / its mean over open channels, every step brings |scale| nearer to 0 by
    c_G / (reach · steps of the phase): under full pressure a channel of mean cost loses a scale of 1 in that share of
    the phase. What is closed stays closed up to the commit; its whole output, scale and shift, is 0. Open channels that
    were closed, or whose scale is at most the threshold, begin with a scale of 10 · threshold at the commit.

    Departs from the paper: its gates, loss and schedule are not known; this is the project's own.
    """

    criterion: str | Criterion = "budget-gate"
    reach: float = 0.3
    ramp: float = 0.8
    threshold: float = 1e-3  # a tenth of the scale with which a channel begins anew

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self, "reach", "ramp", "threshold")

    def shape(self, at: ShapedNetwork, done: int, lr: float) -> None:
        """What is closed stays so; the pressure of one step; and the channels that it closes."""
        gates = self._gates(at)
        gates.hold()
        steps = at.steps * self.moments(at.epochs)[0] // at.epochs  # of the phase
        fallen = min(1.0, float(Fraction(done, steps)) / self.ramp)
        aim = targets(gates.full, self.budget(gates.channels, at.rate), fallen)
        gates.press(aim, self.reach * steps)
        gates.close(aim, self.threshold)

    def _gates(self, at: ShapedNetwork) -> Gates:
        from bench.methods.budgets.gates import Gates

        if "gates" not in at.scratch:
            at.scratch["gates"] = Gates(at.model, groups_of(at), at.state.setdefault("closed", []), self.least)
        gates: Gates = at.scratch["gates"]
        return gates

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
        """See `Method.reset`: scale and shift of what was closed, or is as small: the gradient must pass the ReLU."""
        channels = groups_of(at)
        values: dict[str, Tensor] = {}
        for name, index in self._anew(at):
            for norm in channels.groups[name].norms:
                for leaf in (f"{norm}.weight", f"{norm}.bias"):
                    if leaf not in values:
                        values[leaf] = at.model.get_parameter(leaf).detach().clone()
                values[f"{norm}.weight"][index] = 10 * self.threshold
                values[f"{norm}.bias"][index].clamp_(min=0)
        return values

    def restarted(self, at: Revision, masks: Masks) -> Masks:
        """See `Method.restarted`: all of the channels that are opened again."""
        without = at.masks_with(all_but(groups_of(at), self._plan(at).reopened))
        return {name: ~mask for name, mask in without.items() if not bool(mask.all())}

    def _anew(self, at: Revision) -> list[tuple[str, int]]:
        """The open channels that were closed, or whose scale is so small; none of a network that is left whole."""
        from bench.methods.budgets.norm_scales import scales_of

        plan = self._plan(at)
        if all(map(all, plan.open.values())):
            return []
        small = scales_of(at.model, groups_of(at))
        reopened = set(plan.reopened)
        return [
            (name, index)
            for name, flags in plan.open.items()
            for index, is_open in enumerate(flags)
            if is_open and ((name, index) in reopened or small[name][index] <= self.threshold)
        ]
