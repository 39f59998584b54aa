"""Scores of channels: the gate behind BatchNorm, and which BatchNorm is behind which layer."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import cross_entropy, relu

from bench.engine.setup.modes import by_batch
from bench.methods.criteria import channel_snip, snip
from bench.methods.derivatives import gradient, leaves
from bench.methods.maskable import maskable
from bench.models import build
from bench.models.initialise import initialise
from bench.trial.streams import stream

GENERATOR = np.random.RandomState(0)


class Crossed(nn.Module):
    """Two convolutions whose BatchNorms are named, and defined, the other way round."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.BatchNorm2d(4), nn.BatchNorm2d(3)
        self.conv1, self.conv2 = nn.Conv2d(1, 3, 3, bias=False), nn.Conv2d(3, 4, 3)
        self.fc = nn.Linear(4 * 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.tanh(self.norm2(self.conv1(x)))
        out: Tensor = self.fc(torch.tanh(self.norm1(self.conv2(x))).flatten(1))
        return out


def sample(size: int = 6) -> list[tuple[Tensor, Tensor]]:
    g = torch.Generator().manual_seed(3)
    return [
        (torch.randn(n, 1, size, size, generator=g).double(), torch.randint(0, 3, (n,), generator=g)) for n in (9, 7)
    ]


def crossed() -> nn.Module:
    """In batch mode, with scales and shifts that are not 1 and 0."""
    torch.manual_seed(0)
    model = Crossed().double()
    for norm in (model.norm1, model.norm2):
        nn.init.uniform_(norm.weight, 0.5, 2)
        nn.init.uniform_(norm.bias, -1, 1)
    by_batch(model)
    return model


def gated(model: nn.Module, data: list[tuple[Tensor, Tensor]], gates: dict[str, Tensor]) -> Tensor:
    """The mean loss with each of these modules' outputs times a gate for each channel."""
    modules = dict(model.named_modules())
    handles = [
        modules[name].register_forward_hook(lambda _, __, out, c=c: out * c.view(1, -1, *[1] * (out.dim() - 2)))
        for name, c in gates.items()
    ]
    total = sum(len(y) for _, y in data)
    loss = sum((len(y) / total * cross_entropy(model(x), y) for x, y in data), torch.zeros(()))
    for handle in handles:
        handle.remove()
    return loss


def test_the_score_is_the_derivative_by_a_gate_behind_each_norm() -> None:
    model, data = crossed(), sample()
    behind = {"norm2": "conv1.weight", "norm1": "conv2.weight", "fc": "fc.weight"}
    sizes = {"norm2": 3, "norm1": 4, "fc": 3}
    gates = {name: torch.ones(size, dtype=torch.float64, requires_grad=True) for name, size in sizes.items()}
    slopes = torch.autograd.grad(gated(model, data, gates), list(gates.values()))
    scores = channel_snip(model, data, cross_entropy, GENERATOR)
    for name, slope in zip(gates, slopes, strict=True):
        score = scores[behind[name]].flatten(1)
        assert bool((score == score[:, :1]).all())
        assert torch.allclose(score[:, 0], slope.abs(), rtol=1e-9, atol=1e-14)


def test_before_a_norm_a_signed_sum_over_a_filter_is_noise() -> None:
    """With the statistics of the batch and no eps no output depends on a filter's scale: Σ w · ∂L/∂w = 0 (Euler)."""
    model, data = crossed(), sample()
    model.norm1.eps = model.norm2.eps = 1e-300  # 0 beside any variance
    weights = leaves(model)
    slopes = gradient(model, weights, data, cross_entropy)
    for name in ("conv1.weight", "conv2.weight"):
        products = (weights[name].detach() * slopes[name]).flatten(1)
        assert bool((products.sum(1).abs() <= 1e-10 * products.abs().sum(1)).all())
        assert bool((products.abs().sum(1) > 1e-4).all())
    scores, single = channel_snip(model, data, cross_entropy, GENERATOR), snip(model, data, cross_entropy, GENERATOR)
    assert all(bool((scores[name].flatten(1)[:, 0] > 1e-6).all()) for name in scores)
    assert scores.keys() == single.keys()


@pytest.mark.parametrize("name", ["vgg11-bn", "resnet20", "mobilenet-v1"])
def test_every_layer_of_these_networks_has_its_norm(name: str) -> None:
    model = build(name, 10)
    initialise(model, "he-normal", lambda parameter: stream(0, "init", parameter))
    by_batch(model)
    x, y = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0)), torch.arange(4)
    scores = channel_snip(model, [(x, y)], cross_entropy, GENERATOR)
    assert list(scores) == list(maskable(model))
    for score in scores.values():
        assert bool((score.flatten(1) == score.flatten(1)[:, :1]).all()) and bool(score.isfinite().all())


class Behind(nn.Module):
    """A convolution, something between, a BatchNorm, a classifier."""

    def __init__(self, between: nn.Module, norm: nn.Module | None = None) -> None:
        super().__init__()
        self.conv, self.between, self.norm = nn.Conv2d(1, 3, 3), between, norm or nn.BatchNorm2d(3)
        self.fc = nn.Linear(3 * 16, 3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc(self.norm(self.between(self.conv(x))).flatten(1))
        return out


class Twice(Behind):
    """Its convolution runs twice, once with a BatchNorm behind it."""

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc((self.norm(self.conv(x)) + self.conv(x)).flatten(1))
        return out


class Tail(Behind):
    """What it puts out is not the last layer's output."""

    def forward(self, x: Tensor) -> Tensor:
        return relu(super().forward(x))


class Transposed(Behind):
    def __init__(self) -> None:
        super().__init__(nn.Identity())
        self.conv = nn.ConvTranspose2d(1, 3, 3)
        self.fc = nn.Linear(3 * 64, 3)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (Behind(nn.ReLU()), "layer conv (Conv2d): has no BatchNorm directly behind it"),
        (Behind(nn.ReLU(inplace=True)), "layer conv (Conv2d): has no BatchNorm directly behind it"),
        (Behind(nn.Identity(), nn.BatchNorm2d(3, affine=False)), "layer conv (Conv2d): the BatchNorm behind it has no"),
        (Twice(nn.Identity()), "layer conv (Conv2d): its weight is used 2 times in a pass"),
        (Tail(nn.Identity()), "layer fc (Linear): has no BatchNorm directly behind it"),
        (Transposed(), "layer conv (ConvTranspose2d): its filters read channels and write none of their own"),
    ],
)
def test_a_layer_without_a_gate_is_named(model: nn.Module, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        channel_snip(model.double(), sample(), cross_entropy, GENERATOR)


def test_a_layer_between_that_changes_nothing_is_none() -> None:
    assert channel_snip(Behind(nn.Identity()).double(), sample(), cross_entropy, GENERATOR).keys() == {
        "conv.weight",
        "fc.weight",
    }


def test_a_biased_classifier_has_its_bias_behind_the_gate() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(36, 3)).double()
    data = [(x, y) for x, y in sample()]
    c = torch.ones(3, dtype=torch.float64, requires_grad=True)
    parameters = dict(model.named_parameters())

    def loss() -> Tensor:
        total = sum(len(y) for _, y in data)
        outs = [(functional_call(model, parameters, (x,)) * c, y) for x, y in data]
        return sum((len(y) / total * cross_entropy(out, y) for out, y in outs), torch.zeros(()))

    (slope,) = torch.autograd.grad(loss(), c)
    score = channel_snip(model, data, cross_entropy, GENERATOR)["1.weight"][:, 0]
    assert torch.allclose(score, slope.abs(), rtol=1e-12, atol=0)
