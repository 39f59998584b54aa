"""SynFlow: scores and rounds by hand, the conservation law, and no layer lost that others lose."""

from __future__ import annotations

import copy
from fractions import Fraction
from itertools import product
from math import floor
from typing import Any

import numpy as np
import pytest
import torch
from tiny_networks import ConvNorm, square_batches
from torch import Tensor, nn

from bench.methods import METHODS, Masks, SynFlow, SynFlowL2
from bench.methods.maskable import maskable
from bench.methods.rounds.loop import above
from bench.methods.rounds.synflow import positive, synaptic_flow
from bench.models import build
from bench.models.initialise import initialise

GENERATOR = np.random.RandomState(0)


def no_loss(logits: Tensor, labels: Tensor) -> Tensor:
    raise AssertionError("SynFlow needs no labels")


def two_layers(first: list[list[float]], second: list[list[float]]) -> nn.Module:
    """ReLU network without biases, in float64."""
    layers = [nn.Linear(len(w[0]), len(w), bias=False, dtype=torch.float64) for w in (first, second)]
    for layer, weight in zip(layers, (first, second), strict=True):
        layer.weight.data = torch.tensor(weight, dtype=torch.float64)
    return nn.Sequential(layers[0], nn.ReLU(), layers[1])


def live(model: nn.Module, rate: str, shape: tuple[int, ...], **fields: Any) -> Masks:
    data = [(torch.full((1, *shape), torch.nan), torch.zeros(1, dtype=torch.int64))]  # only the shape is looked at
    return SynFlow(**fields).select(model, data, no_loss, Fraction(rate), GENERATOR)


def test_scores_by_hand() -> None:
    # |W1| = (1 2; 3 0.5), |W2| = (1 2): hidden (3, 3.5), R = 3 + 7. Each layer's scores sum to R.
    model = positive(two_layers([[1.0, -2.0], [3.0, 0.5]], [[-1.0, 2.0]]))
    weights = {n: w.clone().requires_grad_() for n, w in maskable(model).items()}
    scores = synaptic_flow(model, weights, torch.ones(1, 2, dtype=torch.float64))
    assert scores["0.weight"].tolist() == [[1.0, 2.0], [6.0, 1.0]]
    assert scores["2.weight"].tolist() == [[3.0, 7.0]]


def test_rounds_by_hand() -> None:
    # Scores (1 1.1 1.2; 1.5 1.6 1.7) and (3.3, 4.8). In one shot the two highest are both of the second layer. Three
    # rounds keep 5, 3 and 2: first 4.8, 3.3 and the second unit's inputs; without inputs the first unit scores 0, and
    # the second layer's other weight goes with the lowest input; at last the path of 1.7 is left.
    model = two_layers([[1.0, -1.1, 1.2], [-1.5, 1.6, 1.7]], [[1.0, -1.0]])
    once, thrice = (live(model, "0.75", (3,), rounds=n) for n in (1, 3))
    assert not once["0.weight"].any() and once["2.weight"].tolist() == [[True, True]]
    assert thrice["0.weight"].tolist() == [[False] * 3, [False, False, True]]
    assert thrice["2.weight"].tolist() == [[False, True]]


def test_by_the_released_rule_equals_fall_together_until_the_last_round() -> None:
    # Scores (1 1 1; 2 2 2) and (3, 6): of 8 weights the first of two rounds removes 4. Exactly: the unit of ones and
    # the last 2, whose unit is left with 4; released: every 2, since the fourth lowest is one. Then all scores are 0.
    model = two_layers([[1.0] * 3, [2.0] * 3], [[1.0, 1.0]])
    exact, released = (live(model, "0.75", (3,), rounds=2, counts=rule) for rule in ("exact", "released"))
    assert exact["0.weight"].tolist() == [[False] * 3, [True, False, False]]
    assert exact["2.weight"].tolist() == [[False, True]]
    assert not released["0.weight"].any() and released["2.weight"].tolist() == [[True, True]]


def test_the_released_rule_drops_the_fraction_of_what_is_removed() -> None:
    weights = {"w": torch.zeros(1_003)}
    assert SynFlow(rounds=3).live_after(weights, Fraction("0.9")) == [466, 216, 100]  # 465.5…, 216.09…
    assert SynFlow(rounds=3, counts="released").live_after(weights, Fraction("0.9")) == [466, 217, 100]


def test_equals_at_the_threshold_fall_together() -> None:
    masks = {"a": torch.tensor([True, True, True]), "b": torch.tensor([True, False, True])}
    scores = {"a": torch.tensor([1.0, 2.0, 2.0]), "b": torch.tensor([3.0, 9.0, 2.0])}
    kept = {count: [m.tolist() for m in above(masks, scores, count).values()] for count in (6, 5, 4, 3)}
    assert kept[6] == kept[5] == [[True, True, True], [True, False, True]]  # the lowest is removed already: it has 0
    assert kept[4] == [[False, True, True], [True, False, True]]
    assert kept[3] == [[False, False, False], [True, False, False]]


def test_the_rule_is_in_the_record_if_it_is_not_the_exact_one() -> None:
    assert "counts" not in SynFlow().record() and METHODS["synflow"].record() == SynFlow(counts="exact").record()
    assert SynFlow(counts="released").record()["counts"] == "released"
    with pytest.raises(ValueError, match="counts 'truncated' of SynFlow: must be exact or released"):
        SynFlow(counts="truncated")


def test_squared_scores_are_the_squared_paths_through_a_weight() -> None:
    """Of every path the product of its squared weights, added up over the paths through each weight."""
    torch.manual_seed(0)
    first, second, third = ((torch.randn(*shape) * 2).tolist() for shape in ((3, 2), (4, 3), (2, 4)))
    layers = [nn.Linear(len(w[0]), len(w), bias=False, dtype=torch.float64) for w in (first, second, third)]
    for layer, weight in zip(layers, (first, second, third), strict=True):
        layer.weight.data = torch.tensor(weight, dtype=torch.float64)
    model = nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2])
    paths = [torch.zeros(3, 2), torch.zeros(4, 3), torch.zeros(2, 4)]
    for i, h, g, o in product(range(2), range(3), range(4), range(2)):
        value = (first[h][i] * second[g][h] * third[o][g]) ** 2
        for total, index in zip(paths, ((h, i), (g, h), (o, g)), strict=True):
            total[index] += value
    flowing = positive(model, 2)
    weights = {n: w.clone().requires_grad_() for n, w in maskable(flowing).items()}
    scores = synaptic_flow(flowing, weights, torch.ones(1, 2, dtype=torch.float64))
    for score, total in zip(scores.values(), paths, strict=True):
        assert score.flatten().tolist() == pytest.approx(total.flatten().tolist(), rel=1e-5)


def test_squares_choose_other_weights() -> None:
    # Absolute: scores 3 = 1 + 1 + 1 and 2; squares: 3 and 4. The unit of many small weights loses to one large weight.
    model = two_layers([[1.0, 1.0, 1.0], [2.0, 0.0, 0.0]], [[1.0, 1.0]])
    data = [(torch.ones(1, 3), torch.zeros(1, dtype=torch.int64))]
    rate = Fraction(7, 8)  # one weight of eight
    absolute, squared = (m(rounds=1).select(model, data, no_loss, rate, GENERATOR) for m in (SynFlow, SynFlowL2))
    assert absolute["2.weight"].tolist() == [[True, False]]
    assert not squared["2.weight"].any() and squared["0.weight"].tolist() == [[False] * 3, [True, False, False]]


def test_the_fields_of_synflow_are_as_before() -> None:
    assert METHODS["synflow"].record() == {
        "background": "prune", "criterion": "synflow", "rounds": 100, "scope": "global", "select": "SynFlow",
    }  # fmt: skip
    assert METHODS["synflow-l2"].record() == {**METHODS["synflow"].record(), "criterion": "synflow-l2"}
    with pytest.raises(ValueError, match="criterion 'synflow' of SynFlowL2: must be 'synflow-l2'"):
        SynFlowL2(criterion="synflow")


@pytest.mark.parametrize("density", [1.0, 0.5])
def test_flow_is_conserved_from_layer_to_layer(density: float) -> None:
    """The sum of a layer's scores is R in every layer, with signs, BatchNorm, pooling and a mask."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(2, 5, 3, bias=False), nn.BatchNorm2d(5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(5, 4, 2, bias=False),
        nn.ReLU(), nn.Flatten(), nn.Linear(16, 7, bias=False), nn.ReLU(), nn.Linear(7, 3, bias=False),
    )  # fmt: skip
    model[1].weight.data.uniform_(-2, 2)
    flowing, image = positive(model), torch.ones(1, 2, 8, 8, dtype=torch.float64)
    assert min(float(w.detach().min()) for w in maskable(model).values()) < 0
    weights = {n: (w * (torch.rand_like(w) <= density)).requires_grad_() for n, w in maskable(flowing).items()}
    sums = [float(s.sum()) for s in synaptic_flow(flowing, weights, image).values()]
    for name, w in weights.items():
        flowing.get_parameter(name).copy_(w.detach())
    assert len(sums) == 4 and sums == pytest.approx([float(flowing(image).sum())] * 4, rel=1e-12)
    assert sums[0] > 0


def test_no_layer_is_lost_where_one_shot_and_magnitude_lose_one() -> None:
    """LeNet-300-100: one round at 0.99 keeps nothing of the first layer, magnitude at 0.9999 neither; 100 rounds do."""
    model = build("lenet-300-100", 10)
    initialise(model, "xavier-normal", lambda name: np.random.RandomState(len(name)))
    (first, *_), sample = maskable(model), (1, 28, 28)
    assert not live(model, "0.99", sample, rounds=1)[first].any()
    magnitude = METHODS["magnitude-prune"].select(model, [], no_loss, Fraction("0.9999"), GENERATOR)
    assert not magnitude[first].any()
    for rate, count in (("0.99", 2_662), ("0.9999", 27)):
        masks = live(model, rate, sample)
        kept = [int(m.sum()) for m in masks.values()]
        assert sum(kept) == count and min(kept) > 0


def test_a_deep_net_overflows_float32_but_not_float64() -> None:
    model = nn.Sequential(*(nn.Linear(10, 10, bias=False) for _ in range(20)))
    for w in maskable(model).values():
        w.data = torch.full_like(w, -100.0) * torch.arange(1, 101).view(10, 10).sqrt()
    image = torch.ones(1, 10)
    assert not torch.isfinite(copy.deepcopy(model)(image)).all()
    masks = live(model, "0.9", (10,), rounds=3)
    assert sum(int(m.sum()) for m in masks.values()) == 200 and all(bool(m.any()) for m in masks.values())


def test_mode_precision_and_images_do_not_matter() -> None:
    torch.manual_seed(0)
    model = ConvNorm()
    model.norm.running_mean.uniform_(-1, 1)
    chosen = []
    for network in (model.train(), copy.deepcopy(model).eval(), copy.deepcopy(model).double()):
        chosen.append(live(network, "0.7", (1, 4, 4)))
    chosen.append(SynFlow().select(model, square_batches(), no_loss, Fraction("0.7"), GENERATOR))
    assert all(torch.equal(chosen[0][n], other[n]) for other in chosen for n in chosen[0])


def test_all_rounds_against_plain_modules_and_backward() -> None:
    """100 rounds as the paper's code runs them: absolute state, masked in place; counts and ties by our rule."""
    torch.manual_seed(0)
    model = ConvNorm().double()
    model.norm.running_mean.uniform_(-1, 1)
    net = copy.deepcopy(model).eval()
    net.load_state_dict({n: v.abs() for n, v in model.state_dict().items()})
    removed = {n: torch.zeros_like(w, dtype=torch.bool) for n, w in maskable(net).items()}
    for t in range(1, 101):
        net.zero_grad()
        net(torch.ones(1, 1, 4, 4, dtype=torch.float64)).sum().backward()
        flat = torch.cat([(w.grad * w).detach().abs().masked_fill(removed[n], -1).view(-1) for n, w in named(net)])
        lowest = flat.argsort(descending=True, stable=True)[floor(84 * 0.05 ** (t / 100) + 0.5) :]
        gone = torch.zeros(84, dtype=torch.bool).index_fill(0, lowest, True)
        for (n, w), piece in zip(named(net), gone.split([36, 48]), strict=True):
            removed[n] = piece.view(w.shape)
            w.data[removed[n]] = 0
    masks = live(model, "0.95", (1, 4, 4))
    assert all(torch.equal(masks[n], ~removed[n]) for n in masks)
    assert sum(int(m.sum()) for m in masks.values()) == 4 and SynFlow().rounds == 100


def named(model: nn.Module) -> list[tuple[str, Tensor]]:
    return list(maskable(model).items())


def test_it_needs_the_shape_of_an_image() -> None:
    with pytest.raises(ValueError, match=r"criterion sample of 0 images: .* for the shape of an image"):
        SynFlow().select(ConvNorm(), [], no_loss, Fraction("0.5"), GENERATOR)
