"""PX: R as the sum over paths, closed forms, conservation; every ReLU of a network is found, or it is refused."""

from __future__ import annotations

import copy
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise, product
from typing import Any

import numpy as np
import pytest
import torch
from tiny_networks import Mlp, NormRelu, batches, square_batches
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F
from torchvision.models import resnet18

from bench.methods import PX, Masks
from bench.methods.maskable import LiveHead, maskable
from bench.methods.rounds.loop import in_rounds, whole
from bench.methods.rounds.paths import as_paths, layers_of, recorded
from bench.methods.rounds.px import Paths
from bench.models import MODELS, build

GENERATOR = np.random.RandomState(0)
Data = list[tuple[Tensor, Tensor]]


def no_loss(logits: Tensor, labels: Tensor) -> Tensor:
    raise AssertionError("PX needs no labels")


def mlp(*weights: list[list[float]]) -> nn.Module:
    """ReLU network without biases, in float64."""
    modules: list[nn.Module] = []
    for weight in weights:
        layer = nn.Linear(len(weight[0]), len(weight), bias=False, dtype=torch.float64)
        layer.weight.data = torch.tensor(weight, dtype=torch.float64)
        modules += [layer, nn.ReLU()]
    return nn.Sequential(*modules[:-1])


def image(*values: float) -> Data:
    return [(torch.tensor([values], dtype=torch.float64), torch.zeros(1, dtype=torch.int64))]


def scores_of(model: nn.Module, data: Data, classifier: str = "kept", batchnorm: str = "running") -> dict[str, Tensor]:
    return Paths.of(model, data, classifier, batchnorm).scores(whole(model))


def select(model: nn.Module, data: Data, rate: str, **fields: Any) -> Masks:
    return PX(**fields).select(model, data, no_loss, Fraction(rate), GENERATOR)


FIRST = [[1.0, -2.0], [0.5, 1.5], [-3.0, 0.2]]
SECOND = [[1.0, 0.7, -0.4], [-2.0, 0.3, 0.1], [0.6, -1.1, 2.0]]
LAST = [[0.9, -0.8, 1.7], [-0.3, 2.2, 0.4]]


def test_r_is_the_sum_over_all_paths() -> None:
    """Of every path the product of its squared weights, times Σ x² of the input over the active paths to its class."""
    model, data = mlp(FIRST, SECOND, LAST), image(2.0, -1.0)
    first = torch.tensor(FIRST) @ torch.tensor([2.0, -1.0])
    second = torch.tensor(SECOND) @ first.relu()
    active: dict[int, float] = dict.fromkeys(range(2), 0.0)
    for i, h, g, o in product(range(2), range(3), range(3), range(2)):
        active[o] += (2.0, -1.0)[i] ** 2 * float(first[h] > 0) * float(second[g] > 0)
    total, through = 0.0, [torch.zeros(3, 2), torch.zeros(3, 3), torch.zeros(2, 3)]
    for i, h, g, o in product(range(2), range(3), range(3), range(2)):
        value = (FIRST[h][i] * SECOND[g][h] * LAST[o][g]) ** 2 * active[o]
        total += value
        for layer, index in zip(through, ((h, i), (g, h), (o, g)), strict=True):
            layer[index] += value
    scores = scores_of(model, data, "squared")
    assert active[0] > 0 and total > 0
    for score, layer in zip(scores.values(), through, strict=True):
        assert float(score.sum()) == pytest.approx(total, rel=1e-6)  # layer sums are equal: R is conserved
        assert score.flatten().tolist() == pytest.approx(layer.flatten().tolist(), rel=1e-5)


def test_scores_with_the_classifier_kept_by_hand() -> None:
    # x = (1, 2), hidden (1 - 4, 3 - 2) = (-3, 1): the second unit is active. Classifier (5, -2).
    # z1 = -2 (1 + 4) = -10, z2 = 5 (1 + 4) - 2 (9 + 1) = 5; dR/ds = -10 v_h, dR/dv = -10 Σ_i w²_hi.
    scores = scores_of(mlp([[1.0, -2.0], [3.0, -1.0]], [[5.0, -2.0]]), image(1.0, 2.0))
    assert scores["0.weight"].tolist() == [[50.0, 200.0], [180.0, 20.0]]
    assert scores["2.weight"].tolist() == [[50.0 * 25, 100.0 * 4]]


def test_masks_in_closed_form() -> None:
    # One image, every unit active: z1 is a constant, and the score is SynFlow-L2's: (1 9; 4 4) first, (10, 8) last.
    model, data = mlp([[1.0, 3.0], [2.0, 2.0]], [[1.0, 1.0]]), image(1.0, 1.0)
    one = select(model, data, "0.5", rounds=1, classifier="squared")
    assert one["2.weight"].tolist() == [[True, True]] and one["0.weight"].tolist() == [[False, True], [False, False]]
    # In rounds of 5, 4, 3 and 2: the lightest path goes, then the second unit's first input, its second, its output.
    two = select(model, data, "0.6667", rounds=4, classifier="squared")
    assert two["2.weight"].tolist() == [[True, False]] and two["0.weight"].tolist() == [[False, True], [False, False]]


def test_no_activity_is_no_score() -> None:
    """A class that no active path leads to has no score; if no unit is active, nothing has."""
    model = mlp([[1.0, 1.0], [-1.0, -1.0]], [[1.0, 3.0], [4.0, 2.0]])
    paths, mask = Paths.of(model, image(1.0, 1.0), "squared", "batch"), whole(model)
    mask["2.weight"] = torch.eye(2).double()
    scores = paths.scores(mask)
    assert scores["0.weight"].tolist() == [[2.0, 2.0], [0.0, 0.0]]
    assert scores["2.weight"].tolist() == [[4.0, 0.0], [0.0, 0.0]]
    dark = scores_of(mlp([[-1.0, -1.0], [-1.0, -2.0]], [[1.0, 3.0]]), image(1.0, 1.0))
    assert not any(bool(s.any()) for s in dark.values())


def plain(model: nn.Module, data: Data) -> dict[str, Tensor]:
    """The score by modules of PyTorch that hooks and replaced tensors turn into the three networks."""
    real, open_paths, squares = (copy.deepcopy(model).eval() for _ in range(3))
    *_, last = maskable(model)
    for net, change in ((open_paths, torch.ones_like), (squares, torch.square)):
        for name, p in net.named_parameters():
            p.data = change(p.data) if name in maskable(model) and name != last else p.data
            p.data = torch.zeros_like(p.data) if name.endswith("bias") and "norm" not in name else p.data
        for module in net.modules():
            module.training = isinstance(module, nn.BatchNorm2d)
    patterns: list[Tensor] = []
    relu, torch_relu = F.relu, torch.relu
    rules: list[Callable[..., Tensor]] = [
        lambda x, *_, **__: (patterns.append((x > 0).double()), torch_relu(x))[1],
        lambda x, *_, **__: x * patterns.pop(0),
        lambda x, *_, **__: x,
    ]
    outputs = []
    try:
        for net, rule, change in zip(
            (real, open_paths, squares), rules, (torch.clone, torch.square, torch.ones_like), strict=True
        ):
            F.relu = torch.relu = rule
            outputs.append(torch.cat([net(change(x)) for x, _ in data[:1]]))
    finally:
        F.relu, torch.relu = relu, torch_relu
    (outputs[1].detach() * outputs[2]).sum().backward()
    slopes = {n: p.grad for n, p in squares.named_parameters() if p.grad is not None}
    return {n: (slopes[n] * w.detach() ** 2).abs() for n, w in maskable(model).items()}


@pytest.mark.parametrize("name", ["mlp", "norm-relu"])
def test_against_three_networks_of_plain_modules(name: str) -> None:
    torch.manual_seed(0)
    model, data = (Mlp(), batches((6,))) if name == "mlp" else (NormRelu(), square_batches((6,)))
    model = model.double()
    for p in model.parameters():
        p.data += 0.1 * torch.rand_like(p)
    expected = plain(model, data)
    for n, score in scores_of(model, data, batchnorm="batch").items():
        assert score.any()
        assert score.flatten().tolist() == pytest.approx(expected[n].flatten().tolist(), rel=1e-9, abs=1e-14)


@pytest.mark.parametrize("batchnorm", ["running", "batch"])
def test_it_is_the_derivative_of_r(batchnorm: str) -> None:
    torch.manual_seed(0)
    model, data = NormRelu().double(), square_batches()
    paths, mask = Paths.of(model, data, "kept", batchnorm), whole(model)
    scores, z1, squares = paths.scores(mask), paths.active_pass(mask).sum(0), paths.squares(mask)
    for n, s in squares.items():
        for j in (0, 4, 8):
            pair = []
            for h in (1e-6, -1e-6):
                moved = {**squares, n: s.detach().clone()}
                moved[n].view(-1)[j] += h
                pair.append(float((z1 * paths.squared_pass(moved)[0]).sum()))
            slope = abs(pair[0] - pair[1]) / 2e-6 * float(maskable(model)[n].detach().view(-1)[j] ** 2)
            assert scores[n].view(-1)[j].item() == pytest.approx(slope, rel=1e-4, abs=1e-9)


@pytest.mark.parametrize("density", [1.0, 0.6])
def test_layers_in_a_row_have_one_sum(density: float) -> None:
    """With BatchNorm as a factor, pooling, biases and a mask: each layer's scores sum to R."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(2, 5, 3), nn.BatchNorm2d(5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(5, 4, 2, bias=False),
        nn.ReLU(), nn.Flatten(), nn.Linear(16, 7), nn.ReLU(), nn.Linear(7, 3, bias=False),
    ).double()  # fmt: skip
    model[1].weight.data.uniform_(-2, 2)
    model[1].running_var.uniform_(0.5, 2)
    data = [(torch.randn(3, 2, 8, 8).double(), torch.zeros(3))]
    mask = {n: (torch.rand_like(w) <= density).double() for n, w in maskable(model).items()}
    paths = Paths.of(model, data, "squared", "running")
    sums = [float(s.sum()) for s in paths.scores(mask).values()]
    total = paths.active_pass(mask).sum(0) @ paths.squared_pass(paths.squares(mask))[0]
    assert len(sums) == 4 and sums == pytest.approx([float(total)] * 4, rel=1e-12) and sums[0] > 0


def test_a_channel_that_is_the_same_everywhere_is_zero_exactly() -> None:
    """BatchNorm of a constant is its shift; rounding would be multiplied by 1 / √ε."""
    torch.manual_seed(0)
    model, data = NormRelu().double(), square_batches()
    mask = whole(model)
    mask["conv1.weight"][1] = 0
    mask["conv1.weight"][1, 0, 1, 1] = 1  # the kernel's centre alone: an image of ones stays one
    scores = Paths.of(model, data, "kept", "batch").scores(mask)
    assert not scores["conv1.weight"][1].any() and scores["conv1.weight"][0].all()


def test_every_round_keeps_its_exact_number_and_masks_are_nested() -> None:
    torch.manual_seed(0)
    model, data = NormRelu().double(), square_batches()
    paths, seen = Paths.of(model, data, "kept", "running"), []

    def score(mask: dict[str, Tensor]) -> dict[str, Tensor]:
        seen.append({n: m.detach() != 0 for n, m in mask.items()})
        return paths.scores(mask)

    counts = PX(rounds=4).live_after(whole(model), Fraction("0.9"))
    seen.append(in_rounds(whole(model), counts, score))
    assert [sum(int(m.sum()) for m in masks.values()) for masks in seen] == [144, *counts]
    assert all(bool((before[n] | ~after[n]).all()) for before, after in pairwise(seen) for n in before)
    chosen = select(model, data, "0.9", rounds=4)
    assert all(torch.equal(chosen[n], seen[-1][n]) for n in chosen)


def test_a_head_that_is_hidden_is_the_classifier_all_the_same() -> None:
    model, data = mlp([[1.0, -2.0], [3.0, -1.0]], [[5.0, -2.0]]), image(1.0, 2.0)
    assert isinstance(model, nn.Sequential)
    expected = scores_of(model, data)["0.weight"]
    model[2] = LiveHead(model[2])
    scores = scores_of(model, data)
    assert scores.keys() == {"0.weight"} and torch.equal(scores["0.weight"], expected)


class Calls(nn.Module):
    """ReLU in every way that it is called."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(3, 3, bias=False) for _ in range(8))
        self.act, self.inplace = nn.ReLU(), nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        ways: list[Callable[[Tensor], Tensor]] = [
            self.act, self.inplace, F.relu, torch.relu, Tensor.relu, Tensor.relu_, lambda x: F.relu(x, inplace=True),
        ]  # fmt: skip
        for layer, way in zip(self.layers, ways, strict=False):
            x = way(layer(x))
        out: Tensor = self.layers[7](x)
        return out


def test_relu_is_found_however_it_is_called() -> None:
    torch.manual_seed(0)
    one, data = Calls().double(), [(torch.rand(5, 3).double(), torch.zeros(5))]
    for layer in one.layers:
        layer.weight.data = torch.rand(3, 3).double() - 0.2
    other = mlp(*(layer.weight.tolist() for layer in one.layers))
    for classifier in ("kept", "squared"):
        mine, plain = (list(scores_of(m, data, classifier).values()) for m in (one, other))
        assert len(mine) == 8 and all(torch.equal(a, b) for a, b in zip(mine, plain, strict=True))
    assert mine[0].any()


@pytest.mark.parametrize("name", [*MODELS, "torchvision resnet18"])
def test_every_relu_of_every_network_is_found(name: str) -> None:
    """As many patterns as autograd has ReLU, each of its output; without ReLU, none is left."""
    own = name in MODELS
    model = (build(name, 10) if own else resnet18(num_classes=10)).eval()
    x = torch.randn(2, *(MODELS[name].image_shape if own else (3, 32, 32)))
    layers = layers_of(model, x)
    assert list(dict.fromkeys(layers.weights)) and set(layers.weights) == set(maskable(model))
    weights = {n: w.detach() for n, w in maskable(model).items()}
    patterns = list(recorded(model, weights, x))
    results = [n for n in nodes(model(x)) if n.name() == "ReluBackward0"]
    assert sorted(int(p.sum()) for p in patterns) == sorted(int((n._saved_result > 0).sum()) for n in results)
    assert len(patterns) == len(results) >= 1
    with as_paths("running", squared=True):
        outputs = functional_call(model, weights, (x,))
    assert not [n for n in nodes(outputs) if "Relu" in n.name() or "BatchNorm" in n.name()]


def nodes(tensor: Tensor) -> list[Any]:
    """All of autograd's nodes behind a tensor."""
    seen: dict[Any, None] = {}
    stack: list[Any] = [tensor.grad_fn]
    while stack:
        if (node := stack.pop()) is not None and node not in seen:
            seen[node] = None
            stack += [n for n, _ in node.next_functions]
    return list(seen)


class Around(nn.Module):
    """A function between two layers."""

    def __init__(self, between: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 2)
        self.shift, self.between = nn.Parameter(torch.ones(4)), between

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.second(self.between(self.first(x)))
        return out


REFUSED = {
    "tanh": torch.tanh, "sigmoid": torch.sigmoid, "gelu": F.gelu, "relu6": F.relu6, "leaky_relu": F.leaky_relu,
    "silu": F.silu, "softmax": lambda x: x.softmax(1), "layer_norm": lambda x: F.layer_norm(x, (4,)),
    "clamp": lambda x: x.clamp(min=0), "div": lambda x: torch.div(2.0, F.relu(x)),
    "div_": lambda x: x.clone().div_(0.1, rounding_mode="floor"), "__rdiv__": lambda x: 2.0 / x,
    "mul": lambda x: x * -1, "add": lambda x: x + 1, "abs": torch.abs,
    "matmul": lambda x: torch.matmul(x, x.new_zeros(4, 4)), "dropout": lambda x: F.dropout(x, 0.5),
    "pad": lambda x: F.pad(x, (0, 0), value=1.0),
    "scaled_dot_product_attention": lambda x: F.scaled_dot_product_attention(x[None], x[None], x[None])[0],
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_paths_do_not_pass_is_refused_by_name(name: str) -> None:
    with pytest.raises(ValueError, match=rf"^layer model \(Around\): calls {name}; must be ReLU or linear, which px"):
        select(Around(REFUSED[name]), image(1.0, 2.0, 3.0, 4.0), "0.5")


def test_the_layer_is_named() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.GELU(), nn.Linear(4, 2))
    with pytest.raises(ValueError, match=r"^layer 1 \(GELU\): calls gelu; must be ReLU or linear, which px needs$"):
        select(model, image(1.0, 2.0, 3.0, 4.0), "0.5")
    shifted = Around(lambda x: x + shifted.shift)
    with pytest.raises(ValueError, match=r"^layer model \(Around\): calls add; must be"):
        select(shifted, image(1.0, 2.0, 3.0, 4.0), "0.5")
    attention = nn.Sequential(nn.TransformerEncoderLayer(4, 1, 4, batch_first=True), nn.Linear(4, 2))
    with pytest.raises(ValueError, match=r"^layer 0\S* \(\w+\): calls \w+; must be ReLU or linear, which px needs$"):
        select(attention, image(1.0, 2.0, 3.0, 4.0), "0.5")


def test_batchnorm_of_what_is_the_same_everywhere_is_refused() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2))
    data = [(torch.randn(3, 4), torch.zeros(3))]
    with pytest.raises(ValueError, match=r"^layer 1 \(BatchNorm1d\): is given the same everywhere by an image of ones"):
        select(model, data, "0.5", batchnorm="batch")
    assert sum(int(m.sum()) for m in select(model, data, "0.5").values()) == 12


def test_scores_that_are_rounding_are_refused() -> None:
    """Behind a mean over the map no weight changes the second network's outputs with the batch's BatchNorm."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU(), nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3),
        nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2),
    ).double()  # fmt: skip
    data = square_batches()
    paths = Paths.of(model, data, "kept", "running")
    by_batch = Paths(**{**vars(paths), "batchnorm": "batch"}).scores(whole(model))
    assert max(float(s.max()) for s in by_batch.values()) < 1e-12
    assert min(float(s.max()) for s in paths.scores(whole(model)).values()) > 1e-6
    with pytest.raises(
        ValueError, match=r"^0\.weight: the batch's BatchNorm leaves no path through it; must be px:batch"
    ):
        select(model, data, "0.5", batchnorm="batch")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"classifier": "one"}, "classifier 'one' of PX: must be kept or squared"),
        ({"batchnorm": "none"}, "batchnorm 'none' of PX: must be running or batch"),
        ({"rounds": 0}, "rounds 0: must be a whole number >= 1"),
        ({"criterion": "snip"}, "criterion 'snip' of PX: must be 'px'"),
    ],
)
def test_fields_out_of_range(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        PX(**fields)


def test_fields_are_recorded() -> None:
    assert PX().record() == {
        "background": "prune", "batchnorm": "running", "classifier": "kept", "criterion": "px", "rounds": 100,
        "scope": "global", "select": "PX",
    }  # fmt: skip


def test_a_sample_is_needed() -> None:
    for data in ([], [(torch.zeros(0, 1, 4, 4), torch.zeros(0))]):
        with pytest.raises(ValueError, match="criterion sample of 0 images: must be at least 1"):
            select(NormRelu() if data else Mlp(), data, "0.5")
