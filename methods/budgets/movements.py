"""How far filters are from their start, and this distance shrunk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from bench.channels.counts import Counts
from bench.methods.budgets.gates import pressure
from bench.methods.maskable import maskable
from bench.methods.types import Background

MOVED = 1e-6  # of the norm at the start: a filter nearer to it has not moved


class Movements:
    """The movements s of a network's filters F, in the order of the network: the distance from their background over
    their norm at the start; if that is 0, the distance.
    """

    def __init__(self, model: nn.Module, initial: Mapping[str, Tensor], background: Background) -> None:
        self._weights = {name: weight.detach() for name, weight in maskable(model).items()}
        zeros = {name: torch.zeros_like(weight[:1]) for name, weight in self._weights.items()}
        self._bases = initial if background == "freeze" else zeros
        norms = [_norms(initial[name]) for name in self._weights]
        self._starts = [torch.where(norm == 0, torch.ones_like(norm), norm) for norm in norms]

    def values(self) -> Tensor:
        """Of every filter [F]."""
        away = [_norms(weight - self._bases[name]) for name, weight in self._weights.items()]
        return torch.cat([norm / start for norm, start in zip(away, self._starts, strict=True)])

    def scale(self, kept: Tensor) -> None:
        """Leave this share [F] of the movement of each filter, in place; of none, the background bit for bit."""
        shares = kept.split([len(weight) for weight in self._weights.values()])  # type: ignore[no-untyped-call]
        for (name, weight), share in zip(self._weights.items(), shares, strict=True):
            of_rows = share.to(weight).view(-1, *(1 for _ in weight.shape[1:]))
            weight.copy_(torch.lerp(self._bases[name].expand_as(weight), weight, of_rows))


def _norms(weight: Tensor) -> Tensor:
    """The norm of each row."""
    norms: Tensor = torch.linalg.vector_norm(weight.flatten(1), dim=1)
    return norms


class Pressed:
    """Movements under the pressure of two budgets, and what training each filter costs."""

    def __init__(self, movements: Movements, costs: Sequence[Counts], like: Tensor) -> None:
        each = [[cost.parameters for cost in costs], [cost.macs for cost in costs]]
        self._movements, self._costs = movements, torch.tensor(each, dtype=torch.float64).to(like.device)  # [2, F]
        self._all = [len(costs), sum(each[0]), sum(each[1])]

    def shrink(self, state: dict[str, Any], targets: Counts, steps: float) -> None:
        """Bring filters nearer to their background by their cost, under full pressure a mean one by the mean movement
        in so many steps; counted are those that the last step left moved, at first all. In place.
        """
        count, *totals = state.get("moved", self._all)
        pairs = zip(totals, (targets.parameters, targets.macs), strict=True)
        pressures = [pressure(total, target) for total, target in pairs]
        moved = self._movements.values().double()
        if any(pressures):
            units = [v * count / total if v else 0.0 for v, total in zip(pressures, totals, strict=True)]
            kept = self._kept(moved, units, steps)
            self._movements.scale(kept)
            moved = moved * kept
        live = (moved > MOVED).double()
        counted = torch.cat([live.sum().view(1), self._costs @ live])  # the one wait for the device
        state["moved"] = [int(number) for number in counted.tolist()]

    def _kept(self, moved: Tensor, units: Sequence[float], steps: float) -> Tensor:
        """The share of each movement that is left."""
        away = moved > MOVED
        mean = (moved * away).sum() / away.sum().clamp_min(1)
        amount = mean / steps * (units[0] * self._costs[0] + units[1] * self._costs[1])
        return torch.where(away, (1 - amount / moved).clamp_min(0), torch.zeros_like(moved))
