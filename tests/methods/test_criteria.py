"""Scores against closed forms, finite differences and explicit Hessians."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_networks import ConvNorm, Linear2, Mlp, batches, square_batches
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import cross_entropy, mse_loss

from bench.methods.criteria import grasp, magnitude, resolve, scale_free_magnitude, snip
from bench.methods.maskable import maskable

GENERATOR = np.random.RandomState(0)


def half_square(out: Tensor, y: Tensor) -> Tensor:
    return mse_loss(out.squeeze(1), y) / 2


def test_snip_and_grasp_by_hand() -> None:
    # L = mean of (w·x - y)²/2 over x = (1, 2), y = 0 and x = (3, -1), y = 1, at w = (2, 1):
    # residuals 4 and 4, g = ((4 + 12) / 2, (8 - 4) / 2) = (8, 2), H = [[5, -0.5], [-0.5, 2.5]], Hg = (39, 1).
    x = torch.tensor([[1.0, 2.0], [3.0, -1.0]], dtype=torch.float64)
    y = torch.tensor([0.0, 1.0], dtype=torch.float64)
    model = Linear2((2.0, 1.0))
    data = [(x[:1], y[:1]), (x[1:], y[1:])]
    assert snip(model, data, half_square, GENERATOR)["layer.weight"].tolist() == [[16.0, 2.0]]
    score = grasp(model, data, half_square, GENERATOR, temperature=1.0)["layer.weight"]
    assert score.tolist() == [[78.0, 1.0]]


def test_grasp_keeps_what_its_removal_would_cost() -> None:
    # To first order, removing weight j changes ||g||² by -2 score_j: the highest score is the costliest to lose.
    torch.manual_seed(0)
    model, data = Mlp().double(), batches((12,))
    scores = grasp(model, data, cross_entropy, GENERATOR, temperature=1.0)["fc1.weight"].view(-1)
    weights = {n: w.detach().clone() for n, w in maskable(model).items()}

    def flow(values: dict[str, Tensor]) -> float:
        leaves = {n: v.clone().requires_grad_() for n, v in values.items()}
        rest = {n: p.detach() for n, p in model.named_parameters() if n not in leaves}
        loss = cross_entropy(functional_call(model, {**rest, **leaves}, (data[0][0],)), data[0][1])
        return float(sum(g.square().sum() for g in torch.autograd.grad(loss, list(leaves.values()))))

    for j in (0, 17, 60, 119):
        shrunk = {n: w.clone() for n, w in weights.items()}
        shrunk["fc1.weight"].view(-1)[j] *= 1 - 1e-6
        assert (flow(shrunk) - flow(weights)) / 1e-6 == pytest.approx(-2 * float(scores[j]), rel=1e-3, abs=1e-8)


@pytest.mark.parametrize("make", [Mlp, ConvNorm])
def test_snip_is_the_derivative_with_respect_to_the_mask(make: type[nn.Module]) -> None:
    torch.manual_seed(0)
    model = make().double().eval()
    data = batches((12,)) if make is Mlp else square_batches((12,))
    scores = snip(model, data, cross_entropy, GENERATOR)
    name = next(iter(scores))
    weight = maskable(model)[name]
    x, y = data[0]
    for j in (0, 5, 11):
        losses = []
        for c in (1 + 1e-6, 1 - 1e-6):
            scaled = weight.detach().clone()
            scaled.view(-1)[j] *= c
            losses.append(float(cross_entropy(functional_call(model, {name: scaled}, (x,)), y).detach()))
        assert abs(losses[0] - losses[1]) / 2e-6 == pytest.approx(float(scores[name].view(-1)[j]), rel=1e-5, abs=1e-8)


def test_signed_gradients_are_averaged_before_the_absolute_value() -> None:
    torch.manual_seed(0)
    model = Mlp().double()
    whole, parts = batches((12,)), None
    x, y = whole[0]
    parts = [(x[:5], y[:5]), (x[5:], y[5:])]
    for criterion in (snip, grasp):
        a, b = criterion(model, whole, cross_entropy, GENERATOR), criterion(model, parts, cross_entropy, GENERATOR)
        assert all(torch.allclose(a[n], b[n], rtol=1e-9, atol=1e-15) for n in a)


def test_grasp_equals_the_explicit_hessian() -> None:
    torch.manual_seed(0)
    model, (x, y) = Mlp().double(), batches((12,))[0]
    weights = maskable(model)
    sizes = [w.numel() for w in weights.values()]
    flat = torch.cat([w.detach().reshape(-1) for w in weights.values()])

    def loss(v: Tensor) -> Tensor:
        parts = {n: p.view_as(w) for (n, w), p in zip(weights.items(), torch.split(v, sizes), strict=True)}
        return cross_entropy(functional_call(model, parts, (x,)) / 200, y)

    product = torch.autograd.functional.hessian(loss, flat) @ torch.autograd.functional.jacobian(loss, flat)
    scores = grasp(model, [(x, y)], cross_entropy, GENERATOR)
    assert torch.allclose(flat * product, torch.cat([s.reshape(-1) for s in scores.values()]), rtol=1e-8, atol=1e-20)


def test_magnitude_is_the_absolute_weight() -> None:
    model = Linear2((-3.0, 2.0))
    assert magnitude(model, [], cross_entropy, GENERATOR)["layer.weight"].tolist() == [[3.0, 2.0]]


def test_scale_free_magnitude_by_hand() -> None:
    # About their mean -0.5 the weights deviate by 2.5, so that is their standard deviation.
    model = Linear2((-3.0, 2.0))
    assert scale_free_magnitude(model, [], cross_entropy, GENERATOR)["layer.weight"].tolist() == [[1.2, 0.8]]
    torch.manual_seed(0)
    model = Mlp().double()
    before = scale_free_magnitude(model, [], cross_entropy, GENERATOR)
    model.fc1.weight.data *= 64
    after = scale_free_magnitude(model, [], cross_entropy, GENERATOR)
    assert all(torch.equal(before[n], after[n]) for n in before)


def test_only_weights_of_conv_and_linear_are_maskable() -> None:
    assert list(maskable(ConvNorm())) == ["conv.weight", "fc.weight"]


def test_a_shared_weight_is_counted_once() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 3))
    model[2].weight = model[0].weight
    assert list(maskable(model)) == ["0.weight"]


def test_errors_name_the_value_and_what_it_must_be() -> None:
    with pytest.raises(ValueError, match="criterion 'hessian': must be one of snip, grasp"):
        resolve("hessian")
    with pytest.raises(ValueError, match="criterion sample of 0 images"):
        snip(Mlp(), [], cross_entropy, GENERATOR)
