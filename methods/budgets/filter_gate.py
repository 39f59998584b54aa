"""Filters that are trained, within budgets: the freezing twin of the gates. Imports no torch at the top."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor
from typing import TYPE_CHECKING, ClassVar, Literal, get_args

from bench.channels.budgets import Budget, targets
from bench.channels.counts import Counts
from bench.channels.filters import Filters, check_filters, costs_of, total_of, trained
from bench.channels.selection import Selection
from bench.methods.base import check_fixed
from bench.methods.budgets.fields import check_positive, check_shares, check_types
from bench.methods.changing.dense_at_first import DenseAtFirst
from bench.methods.changing.schedule import epoch_at, share
from bench.methods.types import Background, Criterion, Masks, Scope

if TYPE_CHECKING:
    from bench.methods.changing.revision import Revision
    from bench.methods.changing.shaping import ShapedNetwork

BEGIN = Fraction(1, 10)  # of the phase: from there on movement is shrunk
Norm = Literal["trained", "frozen"]
Step = Literal["proximal", "none"]


@dataclass(frozen=True, kw_only=True)
class FilterGate(DenseAtFirst):
    """Filters are trained that moved farthest from their start, as many as budgets of trained parameters and of
    multiply-accumulates of the weights' gradient allow: the freezing twin of budget gates (the project's own).

    A filter c is a row of a weight, d_c = w_c - w_c at the start its movement, and s_c = ‖d_c‖ / ‖w_c at the start‖.
    Every filter is trained up to the commit. From a tenth of that phase on every step shrinks movements by
    d_c · max(0, 1 - κ_c / s_c), κ_c = s̄ · c_c / (reach · steps of the phase), s̄ the mean of s, c_c the cost of the
    filter under the pressure of both budgets as in `BudgetGate`; counted are the filters that the last step left
    moved. At the commit filters are ranked by s: closed from the last up while a budget is exceeded, then opened from
    the first down if they fit. What is closed goes back to its start.

    Pruned, the movement is that from 0, and 0 is what closed filters hold.
    """

    criterion: str | Criterion = "filter-gate"
    scope: Scope = "filter"
    background: Background = "freeze"
    backward: float = 1.0  # the most multiply-accumulates of the weights' gradient, as a fraction of the network's
    commit: float = 0.5  # of the training: after it the masks stay
    reach: float = 0.3
    ramp: float = 0.8
    norm: Norm = "trained"  # frozen: bias and BatchNorm of a closed filter are at their start too, and cost
    step: Step = "proximal"  # none: ranked by movement alone
    ends_at_budget: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_types(self)
        super().__post_init__()
        check_fixed(self, "criterion", "scope", "control")
        check_shares(self, "backward", "commit")
        check_positive(self, "reach", "ramp")
        for name, known in (("norm", get_args(Norm)), ("step", get_args(Step))):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} {getattr(self, name)!r}: must be {' or '.join(known)}")

    def moments(self, epochs: int) -> tuple[int, ...]:
        """The commit alone."""
        return (epoch_at(share(self.commit), epochs),)

    def shape(self, at: ShapedNetwork, done: int, lr: float) -> None:
        """The movements of one step shrunk, under the pressure of both budgets."""
        from bench.methods.budgets.movements import Movements, Pressed

        steps = at.steps * self.moments(at.epochs)[0] // at.epochs  # of the phase
        if self.step == "none" or done < BEGIN * steps:
            return
        if "pressed" not in at.scratch:
            costs, like = costs_of(at.filters(), self.norm == "frozen"), next(at.model.parameters())
            at.scratch["pressed"] = Pressed(Movements(at.model, at.initial, self.background), costs, like)
            at.scratch["full"] = total_of(costs)
        full: Counts = at.scratch["full"]
        fallen = min(1.0, float(Fraction(done, steps)) / self.ramp)
        aim = targets(full, self._budget(full, at.rate), fallen)
        at.scratch["pressed"].shrink(at.state, aim, self.reach * steps)

    def _budget(self, full: Counts, rate: Fraction) -> Budget:
        return Budget(parameters=floor((1 - rate) * full.parameters), macs=floor(share(self.backward) * full.macs))

    def revise(self, at: Revision) -> Masks:
        """See `Method.revise`: of closed filters the weights are dead, and with norm=frozen all that is theirs."""
        import torch

        filters = at.filters()
        flags = torch.split(torch.tensor(self._open(at, filters)), [layer.rows for layer in filters.values()])
        masks: Masks = {}
        for (name, layer), rows in zip(filters.items(), flags, strict=True):
            mask = at.masks[name]
            masks[name] = rows.view(-1, *(1 for _ in mask.shape[1:])).expand(mask.shape).clone()
            if self.norm == "frozen" and not bool(rows.all()):
                masks |= {other: rows.clone() for other in layer.others}
        return masks

    def slack(self, rate: Fraction, masks: Masks, selection: Selection | None, filters: Callable[[], Filters]) -> str:
        """See `Method.slack`: of its trained filters."""
        layers = filters()
        costs = costs_of(layers, self.norm == "frozen")
        live = [bool(row.any()) for name in layers for row in masks[name]]
        used = total_of([cost for cost, is_live in zip(costs, live, strict=True) if is_live])
        return self._budget(total_of(costs), rate).slack(used)

    def check_budget(self, rate: Fraction, filters: Callable[[], Filters]) -> None:
        """Raise ValueError, which names the floor, if not one filter is within the budgets."""
        costs = costs_of(filters(), self.norm == "frozen")
        check_filters(costs, self._budget(total_of(costs), rate))

    def _open(self, at: Revision, filters: Filters) -> Sequence[bool]:
        """Which filters are trained, in the order of the network."""
        from bench.methods.budgets.movements import MOVED, Movements

        costs = costs_of(filters, self.norm == "frozen")
        moved = Movements(at.model, at.initial, self.background).values().tolist()
        order = sorted(range(len(moved)), key=lambda place: (-moved[place], place))
        ranked = trained(
            [costs[place] for place in order],
            [moved[place] > MOVED for place in order],
            self._budget(total_of(costs), at.rate),
        )
        flags = dict(zip(order, ranked, strict=True))
        return [flags[place] for place in range(len(moved))]
