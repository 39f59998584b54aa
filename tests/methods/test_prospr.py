"""ProsPr's meta-gradient against finite differences of a real training, and against autograd through all steps."""

from __future__ import annotations

import copy
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from tiny_networks import ConvNorm, Mlp, batches, square_batches
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from bench.methods import ProsPr
from bench.methods.criteria import snip
from bench.methods.maskable import maskable
from bench.methods.prospr import prospr

GENERATOR = np.random.RandomState(0)
SETTINGS = [(1, 0.1, 0.0), (3, 0.1, 0.0), (3, 0.5, 0.9)]
Data = list[tuple[Tensor, Tensor]]


def network(make: type[nn.Module]) -> tuple[nn.Module, Data]:
    torch.manual_seed(0)
    model = make().double()
    if isinstance(model, ConvNorm):
        model.drop.eval()
    return model, batches((12,)) if make is Mlp else square_batches((12,))


def trained(model: nn.Module, data: Data, settings: tuple[int, float, float]) -> tuple[nn.Module, Tensor]:
    """A copy after so many steps of torch's own SGD, and its loss."""
    (steps, lr, momentum), ((x, y),) = settings, data
    model = copy.deepcopy(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=momentum)
    for _ in range(steps):
        optimizer.zero_grad()
        cross_entropy(model(x), y).backward()
        optimizer.step()
    optimizer.zero_grad()
    return model, cross_entropy(model(x), y)


def scores_of(model: nn.Module, data: Data, settings: tuple[int, float, float], **more: Any) -> dict[str, Tensor]:
    steps, lr, momentum = settings
    return prospr(
        model, data, cross_entropy, GENERATOR, inner_steps=steps, inner_lr=lr, inner_momentum=momentum, **more
    )


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("make", [Mlp, ConvNorm])
def test_it_is_the_derivative_of_the_trained_loss_by_the_mask(
    make: type[nn.Module], settings: tuple[int, float, float]
) -> None:
    model, data = network(make)
    scores = scores_of(model, data, settings)
    assert list(scores) == list(maskable(model))
    for name in scores:
        for j in (0, 7, 19):
            losses = []
            for c in (1 + 1e-5, 1 - 1e-5):
                masked = copy.deepcopy(model)
                with torch.no_grad():
                    maskable(masked)[name].view(-1)[j] *= c
                losses.append(float(trained(masked, data, settings)[1].detach()))
            slope = abs(losses[0] - losses[1]) / 2e-5
            assert scores[name].view(-1)[j].item() == pytest.approx(slope, rel=1e-4, abs=1e-9)


@pytest.mark.parametrize("settings", SETTINGS)
def test_it_equals_autograd_through_the_unrolled_steps(settings: tuple[int, float, float]) -> None:
    model, data = network(Mlp)
    (steps, lr, momentum), ((x, y),) = settings, data
    masks = {n: torch.ones_like(w).requires_grad_() for n, w in maskable(model).items()}
    point = {n: p.detach() * masks[n] if n in masks else p.detach().clone() for n, p in model.named_parameters()}
    point = {n: p if p.requires_grad else p.requires_grad_() for n, p in point.items()}
    speed = {n: torch.zeros_like(p) for n, p in point.items()}
    for _ in range(steps):
        loss = cross_entropy(functional_call(model, point, (x,)), y)
        slopes = torch.autograd.grad(loss, list(point.values()), create_graph=True)
        speed = {n: momentum * speed[n] + g for n, g in zip(point, slopes, strict=True)}
        point = {n: p - lr * speed[n] for n, p in point.items()}
    final = cross_entropy(functional_call(model, point, (x,)), y)
    expected = torch.autograd.grad(final, list(masks.values()))
    scores = scores_of(model, data, settings)
    for s, e in zip(scores.values(), expected, strict=True):
        torch.testing.assert_close(s, e.abs(), rtol=1e-9, atol=1e-14)


def test_first_order_is_the_initial_weight_times_the_trained_gradient() -> None:
    model, data = network(Mlp)
    after, loss = trained(model, data, SETTINGS[2])
    loss.backward()
    scores = scores_of(model, data, SETTINGS[2], first_order=True)
    for name, weight in maskable(model).items():
        gradient = maskable(after)[name].grad
        assert gradient is not None
        torch.testing.assert_close(scores[name], (weight.detach() * gradient).abs(), rtol=1e-9, atol=1e-14)
    full = scores_of(model, data, SETTINGS[2])
    assert all(not torch.allclose(full[n], scores[n], rtol=1e-2) for n in full)


def test_without_a_step_in_effect_it_is_snip() -> None:
    model, data = network(Mlp)
    scores, plain = scores_of(model, data, (3, 1e-12, 0.0)), snip(model, data, cross_entropy, GENERATOR)
    assert all(torch.allclose(scores[n], plain[n], rtol=1e-9, atol=1e-15) for n in plain)


def test_the_division_into_batches_does_not_matter() -> None:
    model, data = network(Mlp)
    (x, y) = data[0]
    whole, parts = (scores_of(model, d, SETTINGS[1]) for d in (data, [(x[:5], y[:5]), (x[5:], y[5:])]))
    assert all(torch.allclose(whole[n], parts[n], rtol=1e-9, atol=1e-15) for n in whole)


def test_steps_that_diverge_are_an_error_and_no_mask() -> None:
    model, data = network(Mlp)
    with pytest.raises(ValueError, match=r"scores of fc1\.weight: 120 of 120 are NaN or infinite"):
        ProsPr(inner_lr=1e200).select(model, data, cross_entropy, Fraction("0.5"), GENERATOR)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"inner_steps": 0}, "inner_steps 0: must be a whole number >= 1"),
        ({"inner_lr": 0}, "inner_lr 0.0: must be inner_lr > 0"),
        ({"inner_lr": float("nan")}, "inner_lr nan: must be inner_lr > 0"),
        ({"inner_momentum": 1}, "inner_momentum 1.0: must be 0 <= inner_momentum < 1"),
    ],
)
def test_fields_have_ranges(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ProsPr(**fields)
