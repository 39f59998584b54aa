"""Gates on channels, step by step, by hand."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from bench import models
from bench.channels.budgets import Budget, budget_of
from bench.channels.counts import Counts, counts, marginal_costs
from bench.methods.budgets.budget_gate import BudgetGate
from bench.methods.budgets.gates import Gates
from bench.methods.budgets.norm_scales import NormScales, scales_of
from bench.methods.budgets.slimming import NetworkSlimming
from bench.methods.changing.shaping import ShapedNetwork
from bench.models.channels.finding import channels_of

SHAPE = (1, 28, 28)
CHANNELS = channels_of(models.build("conv-bn", 10), SHAPE)  # 16, 32, 64, 64
NAMES = [*CHANNELS.groups]
FULL = counts(CHANNELS, CHANNELS.widths)


def shaped(rate: str = "0.5", steps: int = 100, epochs: int = 10) -> ShapedNetwork:
    model = models.build("conv-bn", 10)
    return ShapedNetwork(
        model=model, channels=CHANNELS, state={}, initial={}, generator=np.random.RandomState(0), rate=Fraction(rate),
        epochs=epochs, steps=steps,
    )  # fmt: skip


def scale(at: ShapedNetwork, group: int, leaf: str = "weight") -> torch.Tensor:
    return at.model.get_parameter(f"norms.{group}.{leaf}").detach()


def test_the_pressure_of_a_step_by_hand() -> None:
    """Whole network, parameters alone, target half of them at the end: one step at half of the ramp."""
    at, method = shaped(), BudgetGate(ramp=1.0)
    method.shape(at, 25, 0.1)  # of the 50 steps of the phase
    each = marginal_costs(CHANNELS, CHANNELS.widths)
    target = FULL.parameters - (FULL.parameters - FULL.parameters // 2) * 0.5
    assert FULL.parameters / target - 1 > 0.05  # full pressure
    mean = sum(CHANNELS.widths[name] * each[name].parameters for name in each) / sum(CHANNELS.widths.values())
    for group, name in enumerate(NAMES):
        expected = 1 - each[name].parameters / mean / (0.3 * 50)
        assert torch.allclose(scale(at, group), torch.full((CHANNELS.widths[name],), expected), atol=1e-6)


def test_the_pressure_of_both_budgets_with_closed_channels_and_one_that_cannot_be_spared() -> None:
    at, method = shaped(), BudgetGate(macs=0.6)
    closed = {0: 3, 1: 5, 2: 20, 3: 63}
    at.state["closed"] = [[NAMES[group], index] for group, count in closed.items() for index in range(count)]
    widths = [13, 27, 44, 1]
    method.shape(at, 45, 0.1)  # beyond the ramp: the targets are the budgets
    amounts = [0.0] * 4
    budget, each = budget_of(CHANNELS, Fraction(1, 2), Fraction(3, 5)), by_hand(widths)
    for count, target, costs in zip(sizes(widths), (budget.parameters, budget.macs), each, strict=True):
        pressure = min(1.0, max(0.0, (count / target - 1) / 0.05))
        mean = sum(width * cost for width, cost in zip(widths, costs, strict=True)) / sum(widths)
        amounts = [amount + pressure * cost / mean for amount, cost in zip(amounts, costs, strict=True)]
    amounts[3] = 0.0  # of its 64 channels one is left
    for group, (width, amount) in enumerate(zip(widths, amounts, strict=True)):
        values = scale(at, group)
        assert not values[:-width].any()
        assert torch.allclose(values[-width:], torch.full((width,), 1 - amount / (0.3 * 50)), atol=1e-6)


def sizes(widths: list[int]) -> tuple[int, int]:
    """Parameters and multiply-accumulates of the network, written out."""
    a, b, c, d = widths
    parameters = 9 * a + 2 * a + 9 * a * b + 2 * b + 9 * b * c + 2 * c + 9 * c * d + 2 * d + 10 * d + 10
    return parameters, 9 * a * 784 + 9 * a * b * 196 + 9 * b * c * 49 + 9 * c * d * 49 + 10 * d


def by_hand(widths: list[int]) -> tuple[list[int], list[int]]:
    """Their derivatives by each width: both are linear in each."""
    more = [sizes([width + (i == group) for i, width in enumerate(widths)]) for group in range(4)]
    (parameters, macs) = sizes(widths)
    return [of[0] - parameters for of in more], [of[1] - macs for of in more]


def test_without_pressure_nothing_moves_and_nothing_closes() -> None:
    at = shaped(rate="0")
    scale(at, 0)[2] = 5e-4  # below the threshold
    before = {name: p.detach().clone() for name, p in at.model.named_parameters()}
    for done in (1, 25, 50):
        BudgetGate().shape(at, done, 0.1)
    assert at.state["closed"] == []
    assert all(torch.equal(before[name], p) for name, p in at.model.named_parameters())


def gates_of(scales: list[list[float]], least: int = 1, closed: list[list[Any]] | None = None) -> Gates:
    at = shaped()
    for group, values in enumerate(scales):
        scale(at, group)[: len(values)] = torch.tensor(values)
    return Gates(at.model, CHANNELS, [] if closed is None else closed, least)


def target_of(widths: list[int]) -> Counts:
    parameters, macs = sizes(widths)
    return Counts(float(parameters), float(macs))


@pytest.mark.parametrize(
    ("scales", "widths", "closed"),
    [
        ([[0.5, 1e-3, 2e-3, 0.0]], [1, 1, 1, 1], [[0, 3], [0, 1]]),  # all that are small, the smallest first
        ([[0.0] * 16], [15, 32, 64, 64], [[0, 0]]),  # no more than need be
        ([[0.0] * 16], [14, 32, 64, 64], [[0, 0], [0, 1]]),
        ([[0.0] * 16], [16, 32, 64, 64], []),  # nothing need be
        ([[], [], [], [0.0] * 64], [16, 32, 64, 1], [[3, i] for i in range(63)]),  # one is left
        ([[1e-4], [1e-4], [0.0]], [14, 30, 62, 64], [[2, 0], [0, 0], [1, 0]]),  # one ranking; of equal ones the earlier
    ],
)
def test_what_a_step_closes(scales: list[list[float]], widths: list[int], closed: list[list[int]]) -> None:
    gates = gates_of(scales)
    gates.close(target_of(widths), 1e-3)
    assert gates.closed == [[NAMES[group], index] for group, index in closed]


def test_a_group_keeps_its_least_and_what_is_closed_is_kept_in_order() -> None:
    before: list[list[Any]] = [[NAMES[0], 7]]
    gates = gates_of([[0.0] * 16], least=12, closed=before)
    gates.close(target_of([1, 1, 1, 1]), 1e-3)
    assert before == [[NAMES[0], 7], *([NAMES[0], i] for i in range(3))]  # 12 of 16 are left


def test_a_closed_channel_is_0_whatever_the_optimizer_does() -> None:
    at, method = shaped(), BudgetGate()
    scale(at, 0)[3] = 0.0
    scale(at, 0, "bias")[3] = 0.7
    method.shape(at, 50, 0.1)
    assert at.state["closed"] == [[NAMES[0], 3]]
    for _ in range(2):
        assert (scale(at, 0)[3].item(), scale(at, 0, "bias")[3].item()) == (0.0, 0.0)
        assert not at.model.get_submodule("norms.0")(torch.randn(2, 16, 3, 3))[:, 3].any()
        scale(at, 0)[3], scale(at, 0, "bias")[3] = -2.0, 3.0  # a step under momentum
        method.shape(at, 50, 0.1)


class TwoNorms(nn.Module):
    """A group with two BatchNorms and one with a single."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 3, 3), nn.Conv2d(3, 2, 3)
        self.one, self.two, self.three = nn.BatchNorm2d(3), nn.BatchNorm2d(3), nn.BatchNorm2d(2)
        self.head = nn.Linear(2, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.second(self.two(self.one(self.first(x)).relu()).relu())
        out: torch.Tensor = self.head(self.three(x).relu().mean((2, 3)))
        return out


def test_of_several_batchnorms_the_largest_scale_counts_and_all_shrink() -> None:
    model = TwoNorms()
    channels = channels_of(model, (1, 8, 8))
    with torch.no_grad():
        model.one.weight.copy_(torch.tensor([0.1, -0.5, 0.2]))
        model.two.weight.copy_(torch.tensor([0.3, 0.4, -0.05]))
        model.three.weight.copy_(torch.tensor([-1.0, 0.01]))
    largest = [*scales_of(model, channels).values()]
    assert [pytest.approx(of_group) for of_group in ([0.3, 0.5, 0.2], [1.0, 0.01])] == largest
    scales = NormScales(model, channels)
    scales.shrink(torch.tensor([0.1, 0.1, 0.1, 0.2, 0.2]))
    assert model.one.weight.tolist() == pytest.approx([0.0, -0.4, 0.1])
    assert model.two.weight.tolist() == pytest.approx([0.2, 0.3, 0.0])
    assert model.three.weight.tolist() == pytest.approx([-0.8, 0.0])
    scales.zero([torch.tensor([False, True, False]), None])
    assert (model.one.weight[1].item(), model.two.weight[1].item()) == (0.0, 0.0)
    assert model.three.weight[0].item() == pytest.approx(-0.8)


def test_slimming_takes_the_proximal_step_of_its_penalty() -> None:
    at, method = shaped(), NetworkSlimming(strength=0.5)
    scale(at, 0)[:3] = torch.tensor([-1.0, 0.02, -0.02])
    method.shape(at, 1, 0.1)
    assert scale(at, 0)[:4].tolist() == pytest.approx([-0.95, 0.0, 0.0, 0.95])


def test_a_budget_of_whole_numbers_is_exceeded_as_its_target_is() -> None:
    """A count is above a target if it is above the whole number below it."""
    exact = Budget(parameters=FULL.parameters - 1, macs=FULL.macs)
    assert not exact.allows(FULL)
    gates = gates_of([[0.0]])
    gates.close(Counts(FULL.parameters - 0.25, float(FULL.macs)), 1e-3)
    assert gates.closed == [[NAMES[0], 0]]
