"""Trials in one batched step: the numbers of each alone, whatever becomes of the others."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from small_trials import images, spec
from tiny_networks import ConvNorm
from torch import Tensor, nn

import models
from bench import names, trainers
from bench import train as engine
from bench.live import apply_background
from bench.member import Epoch
from bench.packs import packs_of, resolve_pack
from bench.prepare import Trial, prepare
from bench.spec import TrialSpec
from bench.stack import Stack, losses_of, trial_bytes
from bench.train import train, train_epochs
from bench.trainers import Together, trainer_of
from methods import Method
from methods.maskable import maskable
from models import MODELS

DATA = images()
CELLS = (("dense", "0", 0), ("freeze", "0.9", 0), ("snip", "0.99", 1), ("random-prune", "0.5", 2))
SPARSE = (("freeze", "0.99", 0), ("snip", "0.99", 1), ("freeze", "0.995", 2))
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "momentum": {"lr": 0.02},
    "plain": {"lr": 0.02, "momentum": 0.0},
    "nesterov": {"lr": 0.02, "nesterov": True},
    "adam": {"optimizer": "adam", "lr": 0.001},
    "adamw": {"optimizer": "adamw", "lr": 0.001},
}
TIMING = {names.SCORING_SECONDS, names.TRAINING_SECONDS, names.PEAK_MEMORY}


def pack_of(kind: str, cells: tuple[tuple[str, str, int], ...] = CELLS, **fields: Any) -> list[TrialSpec]:
    """Trials of mixed methods, rates and seeds."""
    return [spec(method, rate, seed=seed, pack=kind, **fields) for method, rate, seed in cells]


def prepared(specs: list[TrialSpec]) -> list[Trial]:
    trials = [prepare(s, DATA, "cpu") for s in specs]
    for s, trial in zip(specs, trials, strict=True):
        apply_background(trial.model, trial.masks, s.method.background)
    return trials


def after(specs: list[TrialSpec], trials: list[Trial], steps: int) -> list[dict[str, Tensor]]:
    """The state of each trial's model after so many steps of 10 images, trained as the first spec's pack kind says."""
    alone = specs[0].pack == "single"
    groups = [[place] for place in range(len(specs))] if alone else [list(range(len(specs)))]
    for places in groups:
        trainer = trainer_of(specs[places[0]], [trials[place] for place in places])
        random, left = torch.Generator().manual_seed(1), steps
        while left > 0:
            order = torch.randperm(360, generator=random)[: left * 10]
            trainer.epoch([order for _ in places], lambda step: specs[0].lr)
            left -= len(order) // 10
        trainer.write_back()
    return [{name: value.clone() for name, value in trial.model.state_dict().items()} for trial in trials]


def difference(one: list[dict[str, Tensor]], other: list[dict[str, Tensor]]) -> float:
    return max(float((a[n] - b[n]).abs().max()) for a, b in zip(one, other, strict=True) for n in a)


@pytest.mark.parametrize(("precision", "count", "tolerance"), [("float32", 20, 1e-6), ("float64", 200, 1e-10)])
@pytest.mark.parametrize(
    ("model", "kind", "optimizer"),
    [
        *(("lenet-300-100", "vmap", optimizer) for optimizer in OPTIMIZERS),
        ("lenet-5-caffe", "vmap", "momentum"),
        ("lenet-5-caffe", "unfold", "momentum"),
    ],
)
def test_agrees_with_the_step_alone(
    model: str, kind: str, optimizer: str, precision: str, count: int, tolerance: float
) -> None:
    given = {"model": model, "precision": precision, "batch_size": 10, **OPTIMIZERS[optimizer]}
    # Adam divides by the size of a gradient: where that is zero but for rounding, no two orders of adding agree. At
    # these rates no such weight is live.
    cells = SPARSE if optimizer.startswith("adam") and precision == "float32" else CELLS
    packed, alone = pack_of(kind, cells, **given), pack_of("single", cells, **given)
    trials = prepared(packed)
    initial = [{n: w.detach().clone() for n, w in maskable(trial.model).items()} for trial in trials]
    together = after(packed, trials, count)
    assert 0 < difference(together, after(alone, prepared(alone), count)) < tolerance
    for trial, before, state in zip(trials, initial, together, strict=True):
        for name, weight in before.items():
            dead = ~trial.masks[name]
            assert torch.equal(state[name][dead], weight[dead])
            assert not torch.equal(state[name][~dead], weight[~dead])


@pytest.mark.parametrize("kind", ["vmap", "unfold"])
def test_each_network_keeps_its_own_batch_statistics(kind: Any) -> None:
    torch.manual_seed(0)
    networks = [ConvNorm().double() for _ in range(3)]
    for network in networks:
        network.drop.p = 0.0
    x, y = torch.randn(3, 9, 1, 4, 4, dtype=torch.float64), torch.arange(27).view(3, 9) % 3
    stack = Stack(networks, kind)
    logits = stack(x, training=True)
    torch.testing.assert_close(logits, torch.stack([n.train()(part) for n, part in zip(networks, x, strict=True)]))
    expected = [nn.functional.cross_entropy(part, labels) for part, labels in zip(logits, y, strict=True)]
    torch.testing.assert_close(losses_of(logits, y), torch.stack(expected))
    for name, buffer in stack.module.named_buffers():
        torch.testing.assert_close(buffer, torch.stack([dict(n.named_buffers())[name] for n in networks]))
    torch.testing.assert_close(
        stack(x, training=False), torch.stack([n.eval()(p) for n, p in zip(networks, x, strict=True)])
    )
    same = stack(x[0], training=False)  # one batch for all
    torch.testing.assert_close(same, torch.stack([n(x[0]) for n in networks]))
    fresh = [ConvNorm().double() for _ in networks]
    stack.write_back(fresh)
    for one, other in zip(networks, fresh, strict=True):
        torch.testing.assert_close(other.state_dict(), one.state_dict())


class Strided(nn.Module):
    """Every kind of convolution: strided and padded, without a bias, depthwise, dilated, 1 × 1; a weight used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Conv2d(2, 4, (3, 2), stride=(2, 1), padding=(1, 2), bias=False)
        self.depthwise = nn.Conv2d(4, 4, 3, padding=1, groups=4)
        self.dilated = nn.Conv2d(4, 4, 2, dilation=2)
        self.point = nn.Conv2d(4, 4, 1)
        self.again = nn.Conv2d(4, 4, 1, bias=False)
        self.again.weight = self.point.weight

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.again(self.point(self.dilated(self.depthwise(self.one(x)))))
        return out.mean((2, 3))


@pytest.mark.parametrize("kind", ["vmap", "unfold"])
def test_every_kind_of_convolution(kind: Any) -> None:
    torch.manual_seed(0)
    networks = [Strided().double() for _ in range(2)]
    x = torch.randn(2, 3, 2, 9, 7, dtype=torch.float64)
    stack = Stack(networks, kind)
    assert [p.shape[0] for p in stack.module.parameters()] == [2] * len(list(networks[0].parameters()))
    logits = stack(x, training=True)
    alone = torch.stack([network(part) for network, part in zip(networks, x, strict=True)])
    torch.testing.assert_close(logits, alone)
    gradients = torch.autograd.grad(logits.square().sum(), list(stack.module.parameters()))
    for place, network in enumerate(networks):
        expected = torch.autograd.grad(network(x[place]).square().sum(), list(network.parameters()))
        for one, other in zip(gradients, expected, strict=True):
            torch.testing.assert_close(one[place], other)


@pytest.mark.parametrize(("model", "kind", "epochs"), [("lenet-300-100", "vmap", 3), ("lenet-5-caffe", "unfold", 1)])
def test_a_result_is_that_of_the_trial_alone(model: str, kind: str, epochs: int) -> None:
    given = {"model": model, "precision": "float64", "epochs": epochs, "lr": 0.02, "batch_size": 70}
    packed, alone = train(pack_of(kind, **given), DATA, "cpu"), train(pack_of("single", **given), DATA, "cpu")
    for s, one, other in zip(pack_of(kind, **given), packed, alone, strict=True):
        assert (one.run_key, one.outcome) == (s.run_key, names.DONE) and one.run_key != other.run_key
        assert one.tags[names.MASK_SHA256] == other.tags[names.MASK_SHA256]
        assert one.tags[names.INIT_SHA256] == other.tags[names.INIT_SHA256]
        assert set(one.tags) == set(other.tags)
        assert set(one.metrics) == set(names.FINAL)
        for name in set(names.FINAL) - TIMING:
            assert one.metrics[name] == other.metrics[name]
        for mine, its in zip(one.epochs, other.epochs, strict=True):
            assert mine == pytest.approx(its, rel=1e-9)
        for layer, its_layer in zip(one.layers, other.layers, strict=True):
            assert layer.pop("name") == its_layer.pop("name")
            assert layer == pytest.approx(its_layer, rel=1e-9)


def test_a_trial_that_diverges_or_fails_leaves_the_others_as_they_are() -> None:
    """At this rate of learning the dense network alone diverges, in the third epoch."""

    class Raising(Method):
        def select(self, *args: Any) -> Any:
            raise RuntimeError("no mask")

    given = {"lr": 8.0, "epochs": 4, "pack": "vmap", "precision": "float64"}
    others = [spec("snip", "0.99", seed=seed, **given) for seed in range(3)]
    raising = replace(others[0], method=Raising(criterion="none", background="prune"))
    events = list(train_epochs([others[0], spec("dense", **given), raising, *others[1:]], DATA, "cpu"))
    ends = [event for event in events if not isinstance(event, Epoch)]
    assert [end.outcome for end in ends] == [names.FAILED, names.DIVERGED, *[names.DONE] * 3]
    assert ends[0].reason.startswith("RuntimeError: no mask (test_packs.py:")
    assert ends[1].reason == "training loss nan in epoch 3" and len(ends[1].epochs) == 3
    assert events.index(ends[1]) < len(events) - 3  # told when it happened, not at the end
    assert set(names.COUNTS) <= set(ends[1].metrics) and names.TEST_ACCURACY not in ends[1].metrics
    without = train(others, DATA, "cpu")
    for one, other in zip(ends[2:], without, strict=True):
        for mine, its in zip(one.epochs, other.epochs, strict=True):
            assert mine == pytest.approx(its, rel=1e-6)
        assert one.metrics[names.TEST_ACCURACY] == other.metrics[names.TEST_ACCURACY]


def test_a_pack_in_which_all_diverge_ends() -> None:
    results = train([spec("dense", seed=s, lr=1e6, epochs=3, pack="vmap") for s in range(2)], DATA, "cpu")
    assert [result.outcome for result in results] == [names.DIVERGED] * 2


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_learning_rate_on_the_device_is_the_number(optimizer: str) -> None:
    """As a recorded step has it. Adam rounds it to float32."""
    specs, states = pack_of("vmap", batch_size=50, **OPTIMIZERS[optimizer]), []
    for rate in (specs[0].lr, torch.tensor(specs[0].lr)):
        trials = prepared(specs)
        together, indices = Together(specs[0], trials), torch.stack([t.train_indices[:50] for t in trials])
        for _ in range(6):
            together.one_step(indices, rate)
        together.write_back()
        states.append([{n: v.clone() for n, v in t.model.state_dict().items()} for t in trials])
    assert difference(*states) < 1e-7


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_who_stays_goes_on_where_it_was(optimizer: str) -> None:
    """Weights, masks, images and the optimizer's state move along with the trial."""
    specs = pack_of("vmap", precision="float64", batch_size=50, **OPTIMIZERS[optimizer])
    orders = [torch.randperm(360, generator=torch.Generator().manual_seed(s.seed)) for s in specs]
    whole, part = prepared(specs), prepared(specs)
    trainer = Together(specs[0], whole)
    for _ in range(2):
        trainer.epoch(orders, lambda step: specs[0].lr)
    trainer.write_back()
    trainer = Together(specs[0], part)
    trainer.epoch(orders, lambda step: specs[0].lr)
    for places in ([1, 2, 3], [0, 2]):
        trainer.keep(places)
    trainer.epoch([orders[1], orders[3]], lambda step: specs[0].lr)
    trainer.write_back()
    for place in (1, 3):
        for name, value in whole[place].model.state_dict().items():
            torch.testing.assert_close(part[place].model.state_dict()[name], value, rtol=0, atol=1e-13)


@pytest.fixture
def largest(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """A machine whose memory holds two trials at a time; the sizes of the packs that were begun."""
    begun: list[int] = []
    step = Together.one_step

    def limited(self: Together, indices: Tensor, lr: float | Tensor) -> Tensor:
        if len(begun) == 0 or begun[-1] != len(self.trials):
            begun.append(len(self.trials))
        if len(self.trials) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return step(self, indices, lr)

    monkeypatch.setattr(trainers.Together, "one_step", limited)
    yield begun


def test_a_pack_that_does_not_fit_is_halved(largest: list[int]) -> None:
    specs = [spec("freeze", "0.9", seed=seed, pack="vmap", precision="float64") for seed in range(5)]
    results = [event for event in train_epochs(specs, DATA, "cpu") if not isinstance(event, Epoch)]
    assert largest == [5, 3, 2, 1, 2]
    assert [result.run_key for result in results] == [s.run_key for s in specs]
    assert {result.outcome for result in results} == {names.DONE}


def test_a_pack_that_ended_holds_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even until the next garbage collection: the halves of one that did not fit need its room."""
    stacks: list[weakref.ref[Stack]] = []

    def full(self: Together, indices: Tensor, lr: float | Tensor) -> Tensor:
        assert not any(stack() for stack in stacks)
        stacks.append(weakref.ref(self.stack))
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Together, "one_step", full)
    monkeypatch.setattr(engine, "release", lambda device: None)
    gc.disable()
    try:
        train(pack_of("vmap"), DATA, "cpu")
    finally:
        gc.enable()
    assert len(stacks) == 7


def test_what_no_batched_step_can_do_is_the_outcome_of_each_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    def forward(self: Any, x: Tensor) -> Tensor:
        out: Tensor = self.fc3(self.fc2(self.fc1(x.flatten(1)))) * float(x.sum())
        return out

    model = "lenet-300-100"
    monkeypatch.setattr(type(models.build(model)), "forward", forward)
    results = train([spec("dense", seed=seed, pack="vmap", model=model) for seed in range(2)], DATA, "cpu")
    assert [result.outcome for result in results] == [names.FAILED] * 2
    assert all("vmap" in result.reason and ".item()" in result.reason for result in results)


def test_one_trial_that_does_not_fit_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*given: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Together, "one_step", full)
    results = train(pack_of("vmap"), DATA, "cpu")
    assert [result.outcome for result in results] == [names.FAILED] * 4
    assert {result.reason.partition(" (")[0] for result in results} == {"OutOfMemoryError: CUDA out of memory"}


@pytest.mark.parametrize("fitting", [1, 2, 3])
def test_the_size_of_a_pack_follows_free_memory_and_changes_no_number(
    fitting: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    specs = pack_of("vmap", precision="float64", epochs=2)
    expected = train(specs, DATA, "cpu")
    sizes = []
    monkeypatch.setattr(engine, "free_bytes", lambda device: trial_bytes(specs[0], (1, 28, 28)) * fitting / engine.FILL)
    monkeypatch.setattr(engine, "Training", lambda members: sizes.append(len(members)) or engine_training(members))
    found = train(specs, DATA, "cpu")
    assert sizes == {1: [1, 1, 1, 1], 2: [2, 2], 3: [2, 2]}[fitting]
    for one, other in zip(found, expected, strict=True):
        for mine, its in zip(one.epochs, other.epochs, strict=True):
            assert mine == pytest.approx(its, rel=1e-9)


engine_training = engine.Training


@pytest.mark.parametrize("kind", ["vmap", "unfold"])
def test_what_a_trial_is_said_to_need_holds_its_activations(kind: str) -> None:
    """conv1's output alone is 256 · 20 · 24² floats; the parameters take eight times their size."""
    needed = trial_bytes(spec(model="lenet-5-caffe", pack=kind), (1, 28, 28))
    assert needed > 2 * 4 * 256 * 20 * 24**2 + 8 * 4 * 431_080
    twice = trial_bytes(spec(model="lenet-5-caffe", pack=kind, precision="float64"), (1, 28, 28))
    assert 1.6 * needed < twice < 2 * needed  # the places of the maxima stay 64-bit numbers


def test_which_trials_go_together() -> None:
    packed, alone = pack_of("vmap"), pack_of("single")
    assert packs_of(alone, 2) == [[s] for s in alone]
    assert packs_of([alone[0], alone[0]], 1) == [[alone[0]], [alone[0]]]
    assert packs_of(packed, 1) == [packed]
    assert packs_of(packed, 3) == [packed[:2], packed[2:3], packed[3:]]
    assert packs_of(packed, 9) == [[s] for s in packed]
    other = [replace(s, lr=0.01) for s in packed]
    mixed = [s for pair in zip(packed, other, strict=True) for s in pair]
    assert packs_of(mixed, 1) == [packed, other]


@pytest.mark.parametrize("model", MODELS)
def test_the_kind_of_a_pack_is_fixed_by_device_and_network(model: str) -> None:
    shapes = MODELS[model].layers
    batched = "vmap" if model == "lenet-300-100" else "unfold"
    kinds = ("auto", "single", "vmap", "unfold")
    found = [resolve_pack(asked, device=device, shapes=shapes) for device in ("cpu", "cuda") for asked in kinds]
    assert found == ["single", "single", "vmap", batched, batched, "single", "vmap", batched]


def test_a_pack_in_bfloat16() -> None:
    results = train(pack_of("unfold", model="lenet-5-caffe", precision="bfloat16", lr=0.02, epochs=2), DATA, "cpu")
    assert [result.outcome for result in results] == [names.DONE] * 4
    assert results[0].metrics[names.TEST_ACCURACY] > 0.5


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("kind", ["vmap", "unfold"])
def test_gpu_replayed_steps_are_the_steps(kind: str, optimizer: str) -> None:
    """Three steps of each batch size run as they are, the others from the recording: as without one."""
    given = {"model": "lenet-5-caffe", "device": "cuda", "batch_size": 50, **OPTIMIZERS[optimizer]}
    specs = pack_of(kind, **given)
    states = []
    for replayed in (True, False):
        trials = [prepare(s, DATA, "cuda") for s in specs]
        trainer = Together(specs[0], trials)
        trainer.replayed = trainer.replayed if replayed else None
        for epoch in range(5):
            order = torch.randperm(360, generator=torch.Generator().manual_seed(epoch)).cuda()
            trainer.epoch([order for _ in trials], lambda step: specs[0].lr)
        trainer.write_back()
        states.append([{n: v.cpu() for n, v in trial.model.state_dict().items()} for trial in trials])
    assert difference(*states) < 1e-6


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("kind", ["vmap", "unfold"])
def test_gpu_packs_train(kind: str) -> None:
    results = train(pack_of(kind, model="lenet-5-caffe", device="cuda", lr=0.02, epochs=4), DATA, "cuda")
    assert [result.outcome for result in results] == [names.DONE] * 4
    assert results[0].metrics[names.TEST_ACCURACY] > 0.5
