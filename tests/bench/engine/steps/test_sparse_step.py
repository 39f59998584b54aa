"""The sparse step computes what the dense step computes, and nothing of a dead weight."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from small_trials import images, spec
from stepping import difference, steps
from torch import Tensor, nn

from bench import metrics, names
from bench.engine.setup.background import apply_background
from bench.engine.setup.prepare import prepare
from bench.engine.steps.network import network_of
from bench.engine.steps.sparse_network import LayerInput, SparseNetwork, inputs_of
from bench.engine.train import train
from bench.methods.maskable import maskable
from bench.models.structure.stand_ins import replaceable
from bench.trial.optimizers import UPDATES

DATA = images()
AGREEMENT = [  # precision, steps, and how near
    ("float32", 20, 1e-6),
    ("float64", 20, 1e-10),
    pytest.param("float64", 200, 1e-10, marks=pytest.mark.slow),
]
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "momentum": {"lr": 0.02},
    "nesterov": {"lr": 0.02, "nesterov": True},
    **{name: {"optimizer": name, "lr": 0.001} for name in UPDATES if name != "sgd"},
}


@pytest.mark.parametrize(("precision", "count", "tolerance"), AGREEMENT)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("model", ["lenet-300-100", "lenet-5-caffe"])
@pytest.mark.parametrize("method", ["freeze", "snip"])
def test_agrees_with_the_dense_step(
    method: str, model: str, optimizer: str, precision: str, count: int, tolerance: float
) -> None:
    given = {"model": model, "precision": precision, **OPTIMIZERS[optimizer]}
    dense, sparse = (spec(method, "0.99", step=step, **given) for step in ("dense", "sparse"))
    trial = prepare(sparse, DATA, "cpu")
    initial = {name: weight.detach().clone() for name, weight in maskable(trial.model).items()}
    one, other = steps(prepare(dense, DATA, "cpu"), dense, count), steps(trial, sparse, count)
    assert 0 < difference(one, other) < tolerance
    for name, weight in initial.items():
        dead = ~trial.masks[name]
        expected = weight if method == "freeze" else torch.zeros_like(weight)
        assert torch.equal(other[name][dead], expected[dead])
        assert not torch.equal(other[name], torch.where(trial.masks[name], weight, expected))


@pytest.mark.parametrize("method", ["freeze", "snip"])
@pytest.mark.parametrize("empty", ["fc1.weight", "conv2.weight"])
def test_an_empty_layer_works(method: str, empty: str) -> None:
    given = {"model": "lenet-5-caffe", "precision": "float64", "lr": 0.02}
    states = []
    for step in ("dense", "sparse"):
        s = spec(method, "0.99", step=step, **given)
        trial = prepare(s, DATA, "cpu")
        trial.masks[empty].zero_()
        states.append(steps(trial, s, 10))
    assert difference(*states) < 1e-10
    assert method == "freeze" or not states[1][empty].any()


@pytest.mark.parametrize("method", ["freeze", "snip"])
def test_an_empty_first_layer_works(method: str) -> None:
    states = []
    for step in ("dense", "sparse"):
        s = spec(method, "0.95", precision="float64", lr=0.02, step=step)
        trial = prepare(s, DATA, "cpu")
        trial.masks["fc1.weight"].zero_()
        states.append(steps(trial, s, 10))
    assert difference(*states) < 1e-10


@pytest.mark.parametrize("model", ["lenet-300-100", "lenet-5-caffe"])
@pytest.mark.parametrize("method", ["freeze", "snip"])
def test_a_result_is_as_complete_as_a_dense_one(method: str, model: str) -> None:
    dense, sparse = (
        train([spec(method, "0.97", model=model, epochs=2, lr=0.05, step=step)], DATA, "cpu")[0]
        for step in ("dense", "sparse")
    )
    assert sparse.outcome == dense.outcome == names.DONE
    assert set(sparse.metrics) == set(dense.metrics) == set(metrics.final()) - {*names.OF_SOME}
    assert set(sparse.tags) == set(dense.tags)
    assert sparse.run_key != dense.run_key
    for one, other in zip(dense.epochs, sparse.epochs, strict=True):
        assert set(one) == set(other)
        assert all(other[name] == pytest.approx(one[name], abs=0.02, rel=0.02) for name in one)
    assert [set(layer) for layer in sparse.layers] == [set(layer) for layer in dense.layers]
    timing = {names.SCORING_SECONDS, names.TRAINING_SECONDS, names.PEAK_MEMORY}
    again = train([spec(method, "0.97", model=model, epochs=2, lr=0.05, step="sparse")], DATA, "cpu")[0]
    assert (again.tags, again.epochs) == (sparse.tags, sparse.epochs)
    assert all(again.metrics[n] == v for n, v in sparse.metrics.items() if n not in timing)


def test_the_model_stays_a_plain_one() -> None:
    """What is replaced is replaced in a copy: the model keeps its modules, and shares biases and small layers."""
    s = spec("snip", "0.99", model="lenet-5-caffe", step="sparse")
    trial = prepare(s, DATA, "cpu")
    modules = {name: type(module) for name, module in trial.model.named_modules()}
    parameters = [id(p) for p in trial.model.parameters()]
    network = SparseNetwork(trial, s)
    assert set(network.values) == {"conv1.weight", "conv2.weight", "fc1.weight"}
    assert {name: type(module) for name, module in trial.model.named_modules()} == modules
    assert [id(p) for p in trial.model.parameters()] == parameters
    assert network.module.get_parameter("fc1.bias") is trial.model.get_parameter("fc1.bias")
    assert network.module.get_parameter("fc2.weight") is trial.model.get_parameter("fc2.weight")


@pytest.mark.parametrize(("method", "rate", "sparse"), [("freeze", "0.99", 0), ("snip", "0.9", 0), ("snip", "0.99", 1)])
def test_a_first_convolution_is_sparse_only_before_a_tail(method: str, rate: str, sparse: int) -> None:
    s = spec(method, rate, model="lenet-5-caffe", step="sparse")
    values = SparseNetwork(prepare(s, DATA, "cpu"), s).values
    assert ("conv1.weight" in values) == sparse


class Readers(nn.Module):
    """Layers that read the image: two of them, or one; then one that does not, and one that runs twice."""

    def __init__(self, both: bool) -> None:
        super().__init__()
        self.both = both
        self.one, self.two, self.twice = nn.Linear(12, 12), nn.Linear(12, 12), nn.Linear(12, 12)

    def forward(self, x: Tensor) -> Tensor:
        image = x.flatten(1)
        hidden = self.one(image)
        hidden = self.two(image) + hidden if self.both else self.two(hidden)
        out: Tensor = self.twice(self.twice(hidden))
        return out


@pytest.mark.parametrize("both", [False, True])
def test_a_layer_is_the_first_only_where_it_alone_reads_the_image(both: bool) -> None:
    model = Readers(both)
    inputs = inputs_of(model, replaceable(model), torch.randn(2, 1, 3, 4))
    assert inputs == {
        "one.weight": LayerInput(torch.Size([12]), not both),
        "two.weight": LayerInput(torch.Size([12]), False),
    }


@pytest.mark.parametrize("method", ["freeze", "snip"])
def test_the_network_sees_what_the_model_sees(method: str) -> None:
    """The last batch may be smaller, and the order is any: each loss is the model's own."""
    s = spec(method, "0.95", precision="float64", step="sparse")
    trial = prepare(s, DATA, "cpu")
    apply_background(trial.model, trial.masks, s)
    permutation = torch.randperm(len(trial.train_indices), generator=torch.Generator().manual_seed(3))
    sparse = [(float(loss.detach()), n) for loss, n in network_of(s, trial).losses(permutation, 77, None)]
    dense = [
        (float(loss.detach()), n) for loss, n in network_of(spec(method, "0.95"), trial).losses(permutation, 77, None)
    ]
    assert [n for _, n in sparse] == [n for _, n in dense] and sparse[-1][1] < 77
    assert sparse == [(pytest.approx(loss, rel=1e-12), n) for loss, n in dense]
