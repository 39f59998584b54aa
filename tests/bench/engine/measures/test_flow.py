"""Gradient flow as evidence: hand-solved changes, paths counted one by one, and a model left as it was."""

from __future__ import annotations

from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_trials import images, spec
from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from bench import metrics, names
from bench.engine.measures.connectivity import disconnected
from bench.engine.measures.flow import flow_change
from bench.engine.measures.gradients import gradient_figures
from bench.engine.setup.background import apply_background
from bench.engine.setup.prepare import prepare
from bench.engine.train import train
from bench.methods.maskable import maskable
from bench.models.initialise import checksum

DATA = images()


class Product(nn.Module):
    """Logits (v·u·x, 0): a chain of two weights, K = 2."""

    def __init__(self, u: float, v: float) -> None:
        super().__init__()
        self.u, self.v = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
        with torch.no_grad():
            self.u.weight.fill_(u)
            self.v.weight.fill_(v)

    def forward(self, x: Tensor) -> Tensor:
        out = self.v(self.u(x.flatten(1)))
        return torch.cat([out, torch.zeros_like(out)], 1)


def test_the_change_of_flow_by_hand() -> None:
    """L(z) = log(1 + e^-z), z = v·u·x, x = 1, u = 2, v = 1; p = σ(-z). ∂L/∂u = -p·v, ∂L/∂v = -p·u.

    With v dead: z = 0, p = 1/2, so the flow is u²/4. H by hand, with q = p(1 - p): H_uu = q·v², H_vv = q·u²,
    H_uv = q·u·v - p.
    """
    u, v = 2.0, 1.0
    model = Product(u, v).double()
    masks = {"u.weight": torch.ones(1, 1, dtype=torch.bool), "v.weight": torch.zeros(1, 1, dtype=torch.bool)}
    flow = flow_change(model, masks, torch.ones(1, 1, 1, 1, dtype=torch.float64), torch.tensor([0]))
    p = 1 / (1 + np.exp(u * v))
    q = p * (1 - p)
    g = np.array([-p * v, -p * u])
    hessian = np.array([[q * v * v, q * u * v - p], [q * u * v - p, q * u * u]])
    assert flow[names.FLOW_CHANGE] == pytest.approx(u * u / 4 - g @ g, rel=1e-12)
    assert flow[names.FLOW_CHANGE_PREDICTED] == pytest.approx(2 * np.array([0, -v]) @ hessian @ g, rel=1e-12)


def test_the_prediction_is_the_slope_of_the_flow() -> None:
    """Finite differences along δ: (F(w0 + h·δ) - F(w0 - h·δ)) / 2h, F = gᵀg."""
    one = prepare(spec("random-prune", "0.5", precision="float64"), DATA, "cpu")
    flow = flow_change(one.model, one.masks, *one.probe)
    flows = []
    for h in (1e-6, -1e-6):
        moved = prepare(spec("random-prune", "0.5", precision="float64"), DATA, "cpu").model
        with torch.no_grad():
            for name, weight in maskable(moved).items():
                weight -= h * weight * ~one.masks[name]
        everything = {name: torch.ones_like(mask) for name, mask in one.masks.items()}
        flows.append(gradient_figures(moved, everything, *one.probe)[0][names.GRAD_NORM_ALL] ** 2)
    assert flow[names.FLOW_CHANGE_PREDICTED] == pytest.approx((flows[0] - flows[1]) / 2e-6, rel=1e-5)
    pruned = prepare(spec("random-prune", "0.5", precision="float64"), DATA, "cpu")
    apply_background(pruned.model, pruned.masks, spec("random-prune"))
    before = gradient_figures(one.model, one.masks, *one.probe)[0][names.GRAD_NORM_ALL]
    after = gradient_figures(pruned.model, pruned.masks, *pruned.probe)[0][names.GRAD_NORM_ALL]
    assert flow[names.FLOW_CHANGE] == pytest.approx(after**2 - before**2, rel=1e-9)


def test_a_dense_network_loses_no_flow() -> None:
    one = prepare(spec("dense"), DATA, "cpu")
    assert set(flow_change(one.model, one.masks, *one.probe).values()) == {0.0}


@pytest.mark.parametrize("model", ["lenet-300-100", "lenet-5-caffe"])
def test_measuring_leaves_the_model_as_it_was(model: str) -> None:
    one = prepare(spec("snip", "0.9", model=model), DATA, "cpu")
    one.model.eval()
    before, state = checksum(one.model), torch.get_rng_state()
    flow_change(one.model, one.masks, *one.probe)
    disconnected(one.model, one.masks, (1, 28, 28))
    assert checksum(one.model) == before and torch.equal(torch.get_rng_state(), state)
    assert not one.model.training and all(p.grad is None for p in one.model.parameters())


def test_freeze_and_prune_at_one_mask_share_what_describes_the_mask() -> None:
    frozen, pruned = train([spec("freeze", "0.99"), spec("snip", "0.99")], DATA, "cpu")
    for name in (names.FLOW_CHANGE, names.FLOW_CHANGE_PREDICTED, names.DISCONNECTED):
        assert frozen.metrics[name] == pruned.metrics[name] != 0
    assert frozen.metrics[names.initial(names.GRAD_NORM_ALL)] != pruned.metrics[names.initial(names.GRAD_NORM_ALL)]
    change = frozen.metrics[names.FLOW_CHANGE]
    squares = [r.metrics[names.initial(names.GRAD_NORM_ALL)] ** 2 for r in (pruned, frozen)]
    assert change == pytest.approx(squares[0] - squares[1], rel=1e-5)


def test_the_figures_over_the_epochs() -> None:
    (result,) = train([spec("freeze", "0.9", epochs=3, lr=0.05)], DATA, "cpu")
    for figure in (row.name for row in metrics.GRADIENTS):
        values = [epoch[figure] for epoch in result.epochs]
        assert result.metrics[names.initial(figure)] == values[0]
        assert result.metrics[names.mean(figure)] == pytest.approx(sum(values[1:]) / 3, rel=1e-12)
    live = result.epochs[0][names.GRAD_NORM_LIVE]
    assert result.metrics[names.PREDICTED_DECREASE] == pytest.approx(0.05 * live**2, rel=1e-12)


def test_the_predicted_decrease_is_that_of_sgd() -> None:
    """Nesterov's first step is (1 + momentum) times as long; Adam's has another direction."""
    fields = {"epochs": 1, "lr": 0.05}
    plain, ahead, adam = train(
        [spec("freeze", **fields), spec("freeze", nesterov=True, **fields), spec("freeze", optimizer="adam", **fields)],
        DATA,
        "cpu",
    )
    first = plain.metrics[names.PREDICTED_DECREASE]
    assert ahead.metrics[names.PREDICTED_DECREASE] == pytest.approx(1.9 * first, rel=1e-12)
    assert names.PREDICTED_DECREASE not in adam.metrics and names.FLOW_CHANGE in adam.metrics


def test_effective_gradient_flow_by_hand() -> None:
    """Layers with live gradients (3, 4) of k = 2, and (12) of k = 1, and a layer without a live weight."""

    class Three(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(3, 1, bias=False)
            self.second = nn.Linear(1, 1, bias=False)
            self.third = nn.Linear(2, 1, bias=False)
            with torch.no_grad():
                for parameter in self.parameters():
                    parameter.zero_()

        def forward(self, x: Tensor) -> Tensor:
            out = self.first(x[:, :3]) + self.second(x[:, 3:4]) + self.third(x[:, 4:])
            return torch.cat([out, -out], 1)

    # The slope of the cross-entropy at logits (0, 0), label 1, is 1 for x in the first logit less the second.
    x = torch.tensor([[3.0, 4.0, 9.0, 12.0, 7.0, 7.0]])
    masks = {"first.weight": torch.tensor([[True, True, False]]), "second.weight": torch.tensor([[True]])}
    masks["third.weight"] = torch.tensor([[False, False]])
    figures, layers = gradient_figures(Three(), masks, x, torch.tensor([1]))
    assert figures[names.FLOW_1] == pytest.approx((7 / 2 + 12) / 2)
    assert figures[names.FLOW_2] == pytest.approx((5 / 2 + 12) / 2)
    assert figures[names.FLOW_SUM] == pytest.approx(5 + 12)
    assert figures[names.GRAD_NORM_LIVE] == pytest.approx(13)
    assert layers["third.weight"][names.GRAD_ABS_LIVE] == 0 and set(layers["first.weight"]) == set(names.PER_LAYER)


# Paths.


class Perceptron(nn.Module):
    def __init__(self, *sizes: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(inputs, outputs) for inputs, outputs in pairwise(sizes))

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        for layer in self.layers:
            x = layer(x).relu()
        return x


def by_search(masks: list[Any]) -> int:
    """Live weights on no path, by walking every path of a perceptron."""
    used = [np.zeros_like(mask) for mask in masks]
    for path in product(range(masks[0].shape[1]), *(range(mask.shape[0]) for mask in masks)):
        steps = list(zip(path[1:], path, strict=False))
        if all(mask[step] for mask, step in zip(masks, steps, strict=True)):
            for use, step in zip(used, steps, strict=True):
                use[step] = True
    return int(sum((mask & ~use).sum() for mask, use in zip(masks, used, strict=True)))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_paths_of_a_perceptron(data: Any) -> None:
    sizes = data.draw(st.lists(st.integers(1, 4), min_size=3, max_size=5))
    draws = np.random.RandomState(data.draw(st.integers(0, 10_000)))
    density = data.draw(st.sampled_from([0.2, 0.4, 0.7, 1.0]))
    masks = [draws.random_sample((outputs, inputs)) < density for inputs, outputs in pairwise(sizes)]
    given_ = {f"layers.{i}.weight": torch.from_numpy(mask) for i, mask in enumerate(masks)}
    assert disconnected(Perceptron(*sizes), given_, (1, 1, sizes[0])) == by_search(masks)


def test_a_layer_without_a_live_weight_disconnects_all() -> None:
    masks = {f"layers.{i}.weight": torch.ones(3, 3, dtype=torch.bool) for i in range(3)}
    masks["layers.1.weight"].zero_()
    assert disconnected(Perceptron(3, 3, 3, 3), masks, (1, 1, 3)) == 18


class Branches(nn.Module):
    """A convolution, max pooling, a residual branch of two convolutions with BatchNorm, a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 2, 3, padding=1)
        self.one, self.norm = nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2)
        self.two, self.pool = nn.Conv2d(2, 2, 1), nn.MaxPool2d(2)
        self.fc = nn.Linear(2, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = max_pool2d(self.stem(x).relu(), 2)
        x = x + self.two(self.norm(self.one(x)).relu())
        out: Tensor = self.fc(self.pool(x).mean((2, 3)))
        return out


def whole(model: nn.Module) -> dict[str, Tensor]:
    return {name: torch.ones_like(w, dtype=torch.bool) for name, w in maskable(model).items()}


def test_paths_round_a_dead_branch_and_through_pooling() -> None:
    """Channel 1 of the stem is dead; so is the way out of the branch: its first layer feeds nothing."""
    model = Branches()
    assert disconnected(model, whole(model), (1, 8, 8)) == 0
    masks = whole(model)
    masks["two.weight"].zero_()
    assert disconnected(model, masks, (1, 8, 8)) == 4  # those of `one`; the shortcut carries the rest
    masks = whole(model)
    masks["stem.weight"][1] = False
    assert (
        disconnected(model, masks, (1, 8, 8)) == 2
    )  # `one` from channel 1; the branch still reaches channel 1 of `fc`
    masks["two.weight"][1] = False
    assert disconnected(model, masks, (1, 8, 8)) == 2 + 3  # now column 1 of `fc` as well


def test_depth_does_not_underflow() -> None:
    """60 layers of 256: a single path, one weight wide, is found; each layer's densest unit has 256 inputs."""
    model = Perceptron(*[256] * 61)
    masks = {name: torch.zeros_like(w, dtype=torch.bool) for name, w in maskable(model).items()}
    for mask in masks.values():
        mask[0, 0] = True
        mask[1, :] = True
    count = disconnected(model, masks, (1, 16, 16))
    # Row 1 takes from unit 0 and 1 alone but for the first layer, where every input is there: 254 have no path behind.
    assert count == 59 * 254
