"""weight = where(mask, trained, background): bit-exact under every optimizer and precision."""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from small_trials import images, spec
from torch import nn
from torch.nn.functional import cross_entropy

from bench.engine.setup.background import apply_background
from bench.engine.setup.prepare import Trial, prepare
from bench.engine.steps.live_optimizer import LiveOptimizer
from bench.methods.maskable import maskable
from bench.names import SCALES
from bench.trial.optimizers import UPDATES
from bench.trial.spec import TrialSpec

OPTIMIZERS: dict[str, dict[str, Any]] = {
    "sgd": {"momentum": 0.0},
    "momentum": {},
    "nesterov": {"nesterov": True},
    **{name: {"optimizer": name, "lr": 0.01} for name in UPDATES if name != "sgd"},
}
IN_TORCH = [n for n, s in OPTIMIZERS.items() if hasattr(torch.optim, UPDATES[s.get("optimizer", "sgd")].words)]
PRECISIONS = ["float32", "bfloat16", "float64"]


def steps(trial: Trial, s: TrialSpec, n: int = 12) -> None:
    optimizer = LiveOptimizer(trial.model, trial.masks, s)
    for i in range(n):
        x, y = trial.train.batch(torch.arange(i * 8, i * 8 + 8))
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=s.precision == "bfloat16"):
            loss = cross_entropy(trial.model(x), y)
        loss.backward()
        optimizer.step(0.02)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("model", ["lenet-300-100", "lenet-5-caffe"])
@pytest.mark.parametrize("method", ["freeze", "snip"])
def test_dead_weights_hold_the_background(method: str, model: str, optimizer: str, precision: str) -> None:
    s = spec(method, "0.9", model=model, precision=precision, **OPTIMIZERS[optimizer])
    trial = prepare(s, images(), "cpu")
    initial = {n: w.detach().clone() for n, w in maskable(trial.model).items()}
    biases = {n: p.detach().clone() for n, p in trial.model.named_parameters() if n.endswith("bias")}
    apply_background(trial.model, trial.masks, s)
    steps(trial, s)
    for name, weight in maskable(trial.model).items():
        dead = ~trial.masks[name]
        expected = initial[name] if method == "freeze" else torch.zeros_like(weight)
        assert torch.equal(weight.detach()[dead], expected[dead])
        live = trial.masks[name]
        if live.any():
            assert float((weight.detach()[live] != initial[name][live]).double().mean()) > 0.5
    assert all(not torch.equal(p, biases[n]) for n, p in trial.model.named_parameters() if n in biases)


@pytest.mark.parametrize("optimizer", IN_TORCH)
def test_live_updates_equal_torch_with_the_dead_put_back(optimizer: str) -> None:
    s = spec("freeze", "0.9", precision="float64", **OPTIMIZERS[optimizer])
    trial = prepare(s, images(), "cpu")
    reference, initial = copy.deepcopy(trial.model), copy.deepcopy(trial.model.state_dict())
    steps(trial, s)
    weights = maskable(reference)
    others = [p for n, p in reference.named_parameters() if n not in weights]
    groups = [{"params": list(weights.values())}, {"params": others, "weight_decay": 0.0}]
    further = {"momentum": s.momentum, "nesterov": s.nesterov} if s.optimizer == "sgd" else {}
    named = getattr(torch.optim, UPDATES[s.optimizer].words)
    torch_optimizer = named(groups, lr=0.02, weight_decay=s.weight_decay, **further)
    for i in range(12):
        x, y = trial.train.batch(torch.arange(i * 8, i * 8 + 8))
        torch_optimizer.zero_grad()
        cross_entropy(reference(x), y).backward()
        torch_optimizer.step()
        with torch.no_grad():
            for name, weight in weights.items():
                weight.copy_(torch.where(trial.masks[name], weight, initial[name]))
    for name, value in trial.model.state_dict().items():
        assert torch.allclose(value, reference.state_dict()[name], rtol=0, atol=1e-12)


def trained(s: TrialSpec, masks: dict[str, torch.Tensor], background: str, zero_dead: bool = False) -> nn.Module:
    trial = prepare(s, images(), "cpu")
    trial.masks.update(masks)
    if zero_dead:
        with torch.no_grad():
            for name, weight in maskable(trial.model).items():
                weight[~masks[name]] = 0
    method = SimpleNamespace(background_scale=SCALES[background], control="none")
    apply_background(trial.model, trial.masks, SimpleNamespace(method=method))
    steps(trial, s)
    return trial.model


@pytest.mark.parametrize("model", ["lenet-300-100", "lenet-5-caffe"])
def test_frozen_at_zero_is_pruned_bit_for_bit(model: str) -> None:
    s = spec("snip", "0.95", model=model)
    masks = prepare(s, images(), "cpu").masks
    frozen, pruned = trained(s, masks, "freeze", zero_dead=True), trained(s, masks, "prune")
    assert all(
        torch.equal(one, other)
        for one, other in zip(frozen.state_dict().values(), pruned.state_dict().values(), strict=True)
    )


@pytest.mark.parametrize("background", ["freeze", "prune"])
def test_rate_zero_is_dense_bit_for_bit(background: str) -> None:
    s = spec("dense")
    masks = {n: torch.ones_like(m) for n, m in prepare(s, images(), "cpu").masks.items()}
    live = trained(s, masks, background)
    plain = prepare(s, images(), "cpu").model
    weights = maskable(plain)
    others = [p for n, p in plain.named_parameters() if n not in weights]
    groups = [{"params": list(weights.values()), "weight_decay": s.weight_decay}, {"params": others}]
    optimizer = torch.optim.SGD(groups, lr=0.02, momentum=s.momentum, fused=True)
    resident = prepare(s, images(), "cpu").train
    for i in range(12):
        x, y = resident.batch(torch.arange(i * 8, i * 8 + 8))
        optimizer.zero_grad()
        cross_entropy(plain(x), y).backward()
        optimizer.step()
    pairs = zip(live.state_dict().values(), plain.state_dict().values(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


def test_state_is_as_small_as_the_live_weights() -> None:
    s = spec("freeze", "0.99", model="lenet-5-caffe")
    trial = prepare(s, images(), "cpu")
    optimizer = LiveOptimizer(trial.model, trial.masks, s)
    x, y = trial.train.batch(torch.arange(32))
    cross_entropy(trial.model(x), y).backward()
    optimizer.step(0.1)
    live, others = 4_305, 580
    assert optimizer.state_bytes() == live * (8 + 4) + (live + others) * 4  # index, values; momentum of both
    assert all(p.grad is None for p in trial.model.parameters())


def test_a_layer_without_live_weights_is_legal() -> None:
    s = spec("snip", "0.9")
    trial = prepare(s, images(), "cpu")
    trial.masks["fc2.weight"].zero_()
    apply_background(trial.model, trial.masks, s)
    steps(trial, s)
    assert not trial.model.get_parameter("fc2.weight").any()
