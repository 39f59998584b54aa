"""Networks from outside: every kind of step computes what the dense step computes, or says that it cannot."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from odd_networks import CLASSES, IMAGE, RIGHT, images
from small_trials import spec
from stepping import difference, steps
from torch import Tensor

from bench.engine.setup.prepare import prepare
from bench.engine.steps.sparse_network import SparseNetwork
from bench.engine.trainers import trainer_of
from bench.models import MODELS, ModelRow

DATA = images()
SMALL = {"model": "odd", "batch_size": 10, "criterion_per_class": 2, "lr": 0.002, "validation_fraction": 0.25}
LIVE = {"freeze": "0.95", "snip": "0.9"}
NEAR = {"float32": 1e-6, "float64": 1e-10}
PAIRS = [
    ("freeze", "float32"), ("snip", "float64"),
    *(pytest.param(*pair, marks=pytest.mark.slow) for pair in (("freeze", "float64"), ("snip", "float32"))),
]  # fmt: skip
# What a sparse step replaces of frozen networks: layers of 10,000 weights at least, of which few enough live.
REPLACED = {
    "layer used twice": {"stem.weight"},
    "tied weights": {"stem.weight"},
    "residual without biases": {"two.weight"},
    "view of channels first": {"hidden.weight"},
    "free parameter": {"stem.weight"},
    "weight used by a function too": set(),
    "weight used by a function alone": set(),
    "hook": set(),
}


@pytest.fixture(params=RIGHT)
def odd(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a network, which is in MODELS as "odd"."""
    monkeypatch.setitem(MODELS, "odd", ModelRow(build=RIGHT[request.param]))
    return str(request.param)


def trained(method: str, step: str, precision: str) -> dict[str, Tensor]:
    """The state after 20 steps; the dead weights are what they were."""
    given = spec(method, LIVE[method], step=step, precision=precision, **SMALL)
    trial = prepare(given, DATA, "cpu")
    before = trial.model.state_dict()
    dead = {name: before[name][~mask].clone() for name, mask in trial.masks.items()}
    state = steps(trial, given, 20)
    for name, mask in trial.masks.items():
        assert (state[name][~mask] == (dead[name] if method == "freeze" else 0)).all(), name
    return state


@pytest.mark.parametrize(("method", "precision"), PAIRS)
def test_a_sparse_step_agrees_with_the_dense_one(odd: str, method: str, precision: str) -> None:
    structure = MODELS["odd"].structure(CLASSES, IMAGE)
    dense = trained(method, "dense", precision)
    assert all(value.isfinite().all() for value in dense.values())
    if structure.is_random:
        assert not structure.steppable
    else:
        assert difference(dense, trained(method, "sparse", precision)) <= NEAR[precision]


@pytest.mark.parametrize("name", REPLACED)
def test_what_a_sparse_step_replaces(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODELS, "odd", ModelRow(build=RIGHT[name]))
    given = spec("freeze", "0.98", step="sparse", **SMALL)
    assert set(SparseNetwork(prepare(given, DATA, "cpu"), given).values) == REPLACED[name]


@pytest.mark.parametrize(
    "name", ["grouped convolution", "attention and LayerNorm", "GroupNorm and InstanceNorm", "tied weights"]
)
def test_a_pack_computes_what_each_trial_computes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODELS, "odd", ModelRow(build=RIGHT[name]))
    alone = [after(seed, "single") for seed in (0, 1)]
    for pack in ("vmap", "unfold"):
        together = after_together((0, 1), pack)
        assert max(map(difference, alone, together)) <= 1e-10


def after(seed: int, pack: str) -> dict[str, Tensor]:
    (state,) = after_together((seed,), pack)
    return state


def after_together(seeds: Sequence[int], pack: str) -> list[dict[str, Tensor]]:
    """The states of frozen trials after an epoch of 12 steps in float64, trained together."""
    specs = [spec("freeze", "0.9", seed=seed, pack=pack, precision="float64", **SMALL) for seed in seeds]
    trials = [prepare(given, DATA, "cpu") for given in specs]
    trainer = trainer_of(specs[0], trials)
    trainer.epoch([torch.arange(120)] * len(seeds), [None] * len(seeds), lambda step: 0.002)
    trainer.write_back()
    return [dict(trial.model.state_dict()) for trial in trials]
