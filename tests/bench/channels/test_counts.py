"""Counts of any widths against the formulas written out layer by layer, and what one channel costs."""

from __future__ import annotations

from fractions import Fraction
from functools import cache

import pytest
import torch
from torch import nn

from bench.channels.budgets import Budget, budget_of, check_budget, floor_of, scaled, uniform_widths
from bench.channels.counts import Counts, counts, marginal_costs
from bench.channels.groups import Channels
from bench.models import MODELS, build
from bench.models.channels.finding import channels_of


@cache
def channels(name: str, stream: bool = False) -> Channels:
    return channels_of(build(name, 10), MODELS[name].image_shape, stream=stream)


DENSE = {
    "vgg16-bn": (14_728_266, 313_201_664),
    "resnet20": (269_722, 40_551_040),
    "resnet32": (464_154, 68_862_592),
    "resnet56": (853_018, 125_485_696),
    "resnet110": (1_727_962, 252_887_680),
}
SCALED = [
    ("vgg16-bn", "1/2", 3_686_954, 78_744_064),
    ("vgg16-bn", "1/4", 924_186, 19_907_840),
    ("resnet20", "1/2", 135_754, 20_497_024),
    ("resnet56", "1/2", 428_074, 62_964_352),
]
MARGINAL_PARAMETERS = [606, 1731, 1731, 3459, 3459, 4611, 6915, 6915, 9219, 9219, 9219, 9219, 4621]
MARGINAL_MACS = [
    617_472, 884_736, 442_368, 442_368, 221_184, 294_912, 221_184, 110_592, 147_456, 92_160, 36_864, 36_864, 18_442,
]  # fmt: skip


@pytest.mark.parametrize("name", DENSE)
def test_dense(name: str) -> None:
    found = channels(name)
    assert counts(found, found.widths) == Counts(*DENSE[name])


@pytest.mark.parametrize(("name", "share", "parameters", "macs"), SCALED)
def test_every_width_scaled(name: str, share: str, parameters: int, macs: int) -> None:
    found = channels(name)
    assert counts(found, scaled(found, Fraction(share))) == Counts(parameters, macs)


def test_the_floor() -> None:
    assert floor_of(channels("resnet20")) == Counts(7_420, 1_936_000)


def test_marginal_costs_of_vgg16() -> None:
    found = channels("vgg16-bn")
    costs = marginal_costs(found, found.widths)
    assert [cost.parameters for cost in costs.values()] == MARGINAL_PARAMETERS
    assert [cost.macs for cost in costs.values()] == MARGINAL_MACS


@pytest.mark.parametrize("name", MODELS)
def test_the_groups_and_the_fixed_layers_have_every_parameter_and_product(name: str) -> None:
    """What no layer has is BatchNorms whose channels are fixed."""
    found, model = channels(name), build(name, 10)
    of_groups = {norm for group in found.groups.values() for norm in group.norms}
    norms = {n: m for n, m in model.named_modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)}
    assert found.other_macs == 0
    assert found.other_parameters == sum(2 * m.num_features for n, m in norms.items() if n not in of_groups)
    assert counts(found, found.widths).parameters == MODELS[name].parameters(10)
    assert sum(layer.name in found.fixed for layer in found.layers) + sum(
        len(group.writers) for group in found.groups.values()
    ) == len(found.layers)


@pytest.mark.parametrize(("name", "stream"), [("vgg16-d", False), ("lenet-5-caffe", False), ("resnet18", True),
                                              ("wrn-16-8", True), ("mobilenet-v1", False)])  # fmt: skip
def test_autograd_of_the_relaxed_counts_is_the_closed_form(name: str, stream: bool) -> None:
    found, generator = channels(name, stream), torch.Generator().manual_seed(0)
    widths = {
        n: (size * torch.rand((), generator=generator, dtype=torch.float64)).requires_grad_()
        for n, size in found.widths.items()
    }
    relaxed, closed = counts(found, widths), marginal_costs(found, {n: w.item() for n, w in widths.items()})
    for noun in ("parameters", "macs"):
        gradients = torch.autograd.grad(getattr(relaxed, noun), list(widths.values()), retain_graph=True)
        for gradient, cost in zip(gradients, closed.values(), strict=True):
            assert float(gradient) == pytest.approx(getattr(cost, noun), rel=1e-12)


def test_closing_a_channel_saves_its_marginal_cost() -> None:
    found = channels("resnet18", True)
    full = counts(found, found.widths)
    for name, cost in marginal_costs(found, found.widths).items():
        less = counts(found, {**found.widths, name: found.widths[name] - 1})
        assert full.parameters - less.parameters == cost.parameters and full.macs - less.macs == cost.macs


def test_a_budget_is_rounded_down_and_below_the_floor_refused() -> None:
    found = channels("resnet20")
    assert budget_of(found, Fraction(7, 10), Fraction(1, 3)) == Budget(parameters=80_916, macs=13_517_013)
    with pytest.raises(ValueError, match=r"^a budget of 7,419 parameters: must be at least 7,420 of the network's "
                       "269,722, its floor with 1 channel in each of its 9 groups; layer "
                       r"conv1 \(enters padding of channels\) and 9 others have none$"):  # fmt: skip
        check_budget(found, Budget(parameters=7_419, macs=40_551_040))
    with pytest.raises(ValueError, match=r"^a budget of 1,935,999 multiply-accumulates: must be at least 1,936,000"):
        check_budget(found, Budget(parameters=269_722, macs=1_935_999))
    check_budget(found, Budget(parameters=7_420, macs=1_936_000))


@pytest.mark.parametrize("rate", ["0.5", "0.9", "0.97"])
@pytest.mark.parametrize("macs", ["1", "0.3"])
def test_uniform_widths_are_the_largest_within_the_budget(rate: str, macs: str) -> None:
    found = channels("resnet20")
    budget = budget_of(found, Fraction(rate), Fraction(macs))
    widths = uniform_widths(found, budget)
    assert budget.allows(counts(found, widths))
    share = min(Fraction(width + 1, size) for width, size in zip(widths.values(), found.widths.values(), strict=True))
    larger = scaled(found, share)  # the next share at which a width changes
    assert larger != widths and not budget.allows(counts(found, larger))


def test_uniform_widths_of_the_whole_budget_are_all() -> None:
    found = channels("vgg16-bn")
    assert uniform_widths(found, budget_of(found, Fraction(0))) == found.widths
