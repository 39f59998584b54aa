"""Filters trained to budgets: the choice, the costs and one step, by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import nn

from bench import models
from bench.channels.budgets import Budget
from bench.channels.counts import Counts
from bench.channels.filters import check_filters, costs_of, total_of, trained
from bench.methods.budgets.filter_gate import FilterGate
from bench.methods.budgets.movements import Movements, Pressed
from bench.methods.maskable import maskable
from bench.models.channels.filters import filters_of

COSTS = [Counts(4, 40), Counts(2, 0), Counts(3, 10), Counts(1, 30)]


@pytest.mark.parametrize(
    ("live", "parameters", "macs", "after"),
    [
        ([1, 1, 1, 1], 10, 80, [1, 1, 1, 1]),
        ([1, 1, 1, 1], 9, 80, [1, 1, 1, 0]),
        ([1, 1, 1, 1], 6, 80, [1, 1, 0, 0]),
        ([1, 1, 1, 1], 7, 80, [1, 1, 0, 1]),  # after 3 and 2 are closed, 3 fits again
        ([1, 1, 1, 1], 10, 39, [0, 1, 1, 0]),  # 1 costs none of what is exceeded
        ([1, 0, 0, 0], 10, 80, [1, 1, 1, 1]),  # what fits is trained
        ([0, 0, 0, 0], 3, 80, [0, 1, 0, 1]),
        ([1, 1, 1, 1], 0, 80, [0, 0, 0, 0]),
    ],
)
def test_which_filters_are_trained(live: Sequence[int], parameters: int, macs: int, after: Sequence[int]) -> None:
    flags = trained(COSTS, [bool(is_live) for is_live in live], Budget(parameters=parameters, macs=macs))
    assert flags == [bool(is_live) for is_live in after]


@pytest.mark.parametrize(
    ("name", "shape", "macs"),
    [
        ("conv-bn", (1, 28, 28), 3_726_208),
        ("resnet20", (3, 32, 32), 40_551_040),
        ("lenet-5-caffe", (1, 28, 28), 2_293_000),
    ],
)
def test_the_costs_of_all_filters_are_those_of_the_network(name: str, shape: tuple[int, ...], macs: int) -> None:
    model = models.build(name, 10)
    filters = filters_of(model, shape)
    assert [*filters] == [*maskable(model)]
    assert total_of(costs_of(filters, False)) == Counts(sum(w.numel() for w in maskable(model).values()), macs)
    assert total_of(costs_of(filters, True)).parameters == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize(
    ("parameters", "macs", "message"),
    [
        (
            1,
            9,
            "a budget of 9 multiply-accumulates of the weights' gradient: must be at least 10 of the ",
        ),
        (0, 80, "a budget of 0 trained parameters: must be at least 1 of the network's 10, "),
        (
            1,
            29,
            "budgets of 1 trained parameters and 29 multiply-accumulates of the weights' gradient: one of",
        ),
    ],
)
def test_budgets_that_no_filter_is_within_are_refused(parameters: int, macs: int, message: str) -> None:
    with pytest.raises(ValueError) as error:
        check_filters(COSTS, Budget(parameters=parameters, macs=macs))
    assert str(error.value).startswith(message)
    check_filters(COSTS, Budget(parameters=1, macs=30))


def test_what_belongs_to_a_filter() -> None:
    filters = filters_of(models.build("resnet20", 10), (3, 32, 32))
    assert filters["layer1.0.conv2.weight"].others == ("layer1.0.bn2.weight", "layer1.0.bn2.bias")
    assert filters["fc.weight"].others == ("fc.bias",)
    first = filters["conv1.weight"]
    assert (first.rows, first.weights, first.macs) == (16, 27, 27 * 1024)


def pressed(background: Any = "freeze") -> tuple[nn.Linear, dict[str, torch.Tensor], Pressed]:
    """Two filters of norm 5 at the start: (3, 4) and (0, 5); the first has moved by (0, 1), the second by (2, 0)."""
    model = nn.Linear(2, 2, bias=False).double()
    initial = {"weight": torch.tensor([[3.0, 4.0], [0.0, 5.0]], dtype=torch.float64)}
    with torch.no_grad():
        model.weight.copy_(initial["weight"] + torch.tensor([[0.0, 1.0], [2.0, 0.0]]))
    movements = Movements(model, initial, background)
    return model, initial, Pressed(movements, [Counts(2, 10), Counts(2, 30)], model.weight)


def test_the_movements_of_a_step_by_hand() -> None:
    """s = 0.2 and 0.4, their mean 0.3; of parameters full pressure, at equal costs: κ = 0.3 / 3 of each."""
    model, initial, press = pressed()
    state: dict[str, Any] = {}
    press.shrink(state, Counts(2.0, 40.0), 3.0)
    assert torch.allclose(model.weight - initial["weight"], torch.tensor([[0.0, 0.5], [1.5, 0.0]]).double())
    assert state["moved"] == [2, 4, 40]
    press.shrink(state, Counts(4.0, 20.0), 1.0)  # of the second: s = 0.1 and 0.3, κ = 0.2 · (0.5, 1.5) = 0.1 and 0.3
    assert torch.allclose(model.weight, initial["weight"], atol=1e-12)


def test_what_is_back_at_its_start_is_so_bit_for_bit_and_counts_no_more() -> None:
    model, initial, press = pressed()
    state: dict[str, Any] = {}
    press.shrink(state, Counts(2.0, 40.0), 1.2)  # κ = 0.25
    assert torch.equal(model.weight[0], initial["weight"][0]) and not torch.equal(model.weight[1], initial["weight"][1])
    assert state["moved"] == [1, 2, 30]
    before = model.weight.detach().clone()
    press.shrink(state, Counts(2.0, 40.0), 1.2)  # no target is exceeded any more
    assert torch.equal(model.weight, before)


def test_pruned_the_movement_is_that_from_0() -> None:
    model, _, press = pressed("prune")
    before = model.weight.detach().clone()
    press.shrink({}, Counts(2.0, 40.0), 10.0)
    lengths = before.norm(dim=1)
    amount = (lengths / 5).mean() / 10
    assert torch.allclose(model.weight, before * (1 - amount * 5 / lengths).view(2, 1))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"backward": 0}, "backward 0.0: must be 0 < backward <= 1"),
        ({"norm": "none"}, "norm 'none': must be trained or frozen"),
        ({"step": "gradient"}, "step 'gradient': must be proximal or none"),
        ({"scope": "global"}, "scope 'global' of FilterGate: must be 'filter'"),
        ({"reach": float("nan")}, "reach nan: must be a finite number"),
    ],
)
def test_fields(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        FilterGate(**fields)
    assert str(FilterGate(backward=1).record()) == str(FilterGate().record())
