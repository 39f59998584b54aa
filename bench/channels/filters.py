"""The filters of a network as numbers: what training each costs. Imports no torch.

A filter is a row of a weight with all that belongs to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.channels.budgets import Budget
from bench.channels.counts import Counts


@dataclass(frozen=True, kw_only=True)
class LayerFilters:
    """The filters of one weight."""

    rows: int
    weights: int  # of each
    macs: int  # of each: multiply-accumulates of its weights' gradient, for one image
    others: tuple[str, ...] = ()  # its bias, and BatchNorm's scale and shift: parameters with an entry for each row

    def cost(self, with_others: bool) -> Counts:
        """What training one of them costs, by itself or with its bias and BatchNorm."""
        return Counts(self.weights + (len(self.others) if with_others else 0), self.macs)


Filters = Mapping[str, LayerFilters]  # by the name of the weight, in the model's order


def costs_of(filters: Filters, with_others: bool) -> list[Counts]:
    """What training each filter costs, over all weights."""
    return [layer.cost(with_others) for layer in filters.values() for _ in range(layer.rows)]


def trained(costs: Sequence[Counts], live: Sequence[bool], budget: Budget) -> list[bool]:
    """Which filters are trained, of these in the order of their rank, the best first: of the live ones from the last
    up those are closed that it takes to keep both budgets, then from the first down those opened that still fit.

    If only multiply-accumulates are over their budget, filters that cost none stay live.
    """
    flags, total = list(live), _total(cost for cost, is_live in zip(costs, live, strict=True) if is_live)
    for place in reversed(range(len(costs))):
        if budget.allows(total):
            break
        if flags[place] and (total.parameters > budget.parameters or costs[place].macs):
            flags[place], total = False, _plus(total, costs[place], -1)
    for place, cost in enumerate(costs):
        if not flags[place] and budget.allows(after := _plus(total, cost, 1)):
            flags[place], total = True, after
    return flags


def total_of(costs: Sequence[Counts]) -> Counts:
    """The costs of all of them."""
    return _total(iter(costs))


def check_filters(costs: Sequence[Counts], budget: Budget) -> None:
    """Raise ValueError, which names the floor, if not one filter is within the budget."""
    for noun, given, each in (
        ("trained parameters", budget.parameters, [cost.parameters for cost in costs]),
        ("multiply-accumulates of the weights' gradient", budget.macs, [cost.macs for cost in costs]),
    ):
        floor = min(filter(None, each), default=0)
        if given < floor:
            raise ValueError(
                f"a budget of {given:,} {noun}: must be at least {floor:,} of the network's {sum(each):,}, its floor: "
                "that of the cheapest filter"
            )
    if not any(map(budget.allows, costs)):
        raise ValueError(
            f"budgets of {budget.parameters:,} trained parameters and {budget.macs:,} multiply-accumulates of the "
            "weights' gradient: one of them must be larger, or no filter is within both"
        )


def _total(costs: Iterator[Counts]) -> Counts:
    total = Counts(0, 0)
    for cost in costs:
        total = _plus(total, cost, 1)
    return total


def _plus(total: Counts, cost: Counts, sign: int) -> Counts:
    return Counts(total.parameters + sign * cost.parameters, total.macs + sign * cost.macs)
