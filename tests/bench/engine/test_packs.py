"""Trials in one batched step: the numbers of each alone, whatever becomes of the others."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from small_packs import DATA, pack_of
from small_trials import spec
from torch import Tensor

from bench import metrics, models, names
from bench.engine import train as engine
from bench.engine import trainers
from bench.engine.member import Epoch
from bench.engine.setup.prepare import PROBE
from bench.engine.steps import batched_networks
from bench.engine.steps.batched_networks import BatchedNetworks, losses_of, trial_bytes
from bench.engine.train import train, train_epochs
from bench.engine.trainers import Together
from bench.methods import Method
from bench.models import MODELS
from bench.trial.pack_kind import resolve_pack
from bench.trial.packs import packs_of

TIMING = {names.SCORING_SECONDS, names.TRAINING_SECONDS, names.PEAK_MEMORY}


@pytest.mark.parametrize(
    ("model", "pack_kind", "epochs"), [("lenet-300-100", "vmap", 3), ("lenet-5-caffe", "unfold", 1)]
)
def test_a_result_is_that_of_the_trial_alone(model: str, pack_kind: str, epochs: int) -> None:
    given = {"model": model, "precision": "float64", "epochs": epochs, "lr": 0.02, "batch_size": 70}
    packed, alone = train(pack_of(pack_kind, **given), DATA, "cpu"), train(pack_of("single", **given), DATA, "cpu")
    for s, one, other in zip(pack_of(pack_kind, **given), packed, alone, strict=True):
        assert (one.run_key, one.outcome) == (s.run_key, names.DONE) and one.run_key != other.run_key
        assert one.tags[names.MASK_SHA256] == other.tags[names.MASK_SHA256]
        assert one.tags[names.INIT_SHA256] == other.tags[names.INIT_SHA256]
        assert set(one.tags) == set(other.tags)
        assert one.tags[names.TEST_RIGHT] == other.tags[names.TEST_RIGHT]
        assert set(one.metrics) == set(metrics.final()) - {*names.OF_SOME}
        for name in set(one.metrics) - TIMING:
            # The last digits of a weight decide by some bytes how well it is packed.
            slack = (
                1e-2 if name in metrics.sizes() else 1e-9 if metrics.METRICS[name].when in ("initial", "ended") else 0
            )
            assert one.metrics[name] == pytest.approx(other.metrics[name], rel=slack, abs=0)
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
    assert {*metrics.counts()} - {names.TRAINING_EPOCHS} <= {*ends[1].metrics} and names.TEST_ACCURACY not in ends[
        1
    ].metrics
    without = train(others, DATA, "cpu")
    for one, other in zip(ends[2:], without, strict=True):
        for mine, its in zip(one.epochs, other.epochs, strict=True):
            assert mine == pytest.approx(its, rel=1e-6)
        assert one.metrics[names.TEST_ACCURACY] == other.metrics[names.TEST_ACCURACY]


def test_a_pack_in_which_all_diverge_ends() -> None:
    results = train([spec("dense", seed=s, lr=1e6, epochs=3, pack="vmap") for s in range(2)], DATA, "cpu")
    assert [result.outcome for result in results] == [names.DIVERGED] * 2


@pytest.fixture
def largest(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """A machine whose memory holds two trials at a time; the sizes of the packs that were begun."""
    begun: list[int] = []
    step = Together.one_step

    def limited(self: Together, indices: Tensor, lr: float | Tensor) -> Tensor:
        if len(begun) == 0 or begun[-1] != len(self.trials):
            begun.append(len(self.trials))
        if len(self.trials) > 2:
            try:
                raise torch.OutOfMemoryError("CUDA out of memory")
            finally:
                if len(self.trials) > 3:
                    raise RuntimeError("the recording was not begun well")
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
    alive: list[list[weakref.ref[Any]]] = []

    def full(self: Together, indices: Tensor, lr: float | Tensor) -> Tensor:
        assert not any(one() for pack in alive for one in pack)
        alive.append([weakref.ref(one) for one in (self.stack, *(trial.model for trial in self.trials))])
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Together, "one_step", full)
    monkeypatch.setattr(engine, "release", lambda device: None)
    gc.disable()
    try:
        train(pack_of("vmap"), DATA, "cpu")
    finally:
        gc.enable()
    assert [len(pack) for pack in alive] == [5, 3, 2, 2, 3, 2, 2]


def test_what_no_batched_step_can_do_is_the_outcome_of_each_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    def forward(self: Any, x: Tensor) -> Tensor:
        out: Tensor = self.fc3(self.fc2(self.fc1(x.flatten(1)))) * float(x.sum())
        return out

    model = "lenet-300-100"
    monkeypatch.setattr(type(models.build(model, 10)), "forward", forward)
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
    monkeypatch.setattr(
        engine, "free_bytes", lambda device: trial_bytes(specs[0], (1, 28, 28), 10) * fitting / engine.FILL
    )

    def counted(members: Any, *rest: Any, **named: Any) -> Any:
        sizes.append(len(members))
        return engine_training(members, *rest, **named)

    monkeypatch.setattr(engine, "Training", counted)
    results = train(specs, DATA, "cpu")
    assert sizes == {1: [1, 1, 1, 1], 2: [2, 2], 3: [2, 2]}[fitting]
    for one, other in zip(results, expected, strict=True):
        for mine, its in zip(one.epochs, other.epochs, strict=True):
            assert mine == pytest.approx(its, rel=1e-9)


engine_training = engine.Training


@pytest.mark.parametrize("pack_kind", ["vmap", "unfold"])
def test_what_a_trial_is_said_to_need_holds_its_activations(pack_kind: str) -> None:
    """conv1's output alone is 256 · 20 · 24² floats; the parameters take eight times their size."""
    needed = trial_bytes(spec(model="lenet-5-caffe", pack=pack_kind), (1, 28, 28), 10)
    assert needed > 2 * 4 * 256 * 20 * 24**2 + 8 * 4 * 431_080
    twice = trial_bytes(spec(model="lenet-5-caffe", pack=pack_kind, precision="float64"), (1, 28, 28), 10)
    assert 1.6 * needed < twice < 2 * needed  # the places of the maxima stay 64-bit numbers


@pytest.mark.parametrize("pack_kind", ["vmap", "unfold"])
def test_what_a_trial_needs_is_counted_without_computing_it(pack_kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tensors that a pass on 256 images saves, counted on the meta device: those of a real pass, byte for byte.

    With the gradients written out, as on a GPU.
    """
    monkeypatch.setattr(batched_networks, "BY_AUTOGRAD", set())
    given = spec(model="lenet-5-caffe", pack=pack_kind)
    x, y = torch.zeros(1, PROBE, 1, 28, 28), torch.zeros(1, PROBE, dtype=torch.int64)
    model = models.build(given.model, 10)
    saved: dict[int, int] = {}

    def save(tensor: Tensor) -> Tensor:
        saved[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(save, lambda tensor: tensor):
        losses = losses_of(BatchedNetworks([model], given.pack)(x, training=True), y)
    assert losses.requires_grad
    devices: set[str] = set()
    monkeypatch.setattr(batched_networks, "losses_of", lambda z, y: devices.add(z.device.type) or losses_of(z, y))
    needed = trial_bytes(given, (1, 28, 28), 10)
    assert needed == 2 * sum(saved.values()) + 8 * sum(p.nbytes for p in model.parameters())
    assert devices == {"meta"}


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
    assert len({s.run_key for s in mixed}) == len(mixed)
    assert packs_of(mixed, 1) == [packed, other]  # nor does it matter what was asked of the trials before


@pytest.mark.parametrize("model", ["lenet-300-100", "lenet-5-caffe", "resnet20"])
def test_the_kind_of_a_pack_is_fixed_by_device_and_network(model: str) -> None:
    shapes = MODELS[model].layers(10)
    batched, chosen = {
        "lenet-300-100": ("vmap", "vmap"), "lenet-5-caffe": ("unfold", "unfold"), "resnet20": ("unfold", "vmap"),
    }[model]  # fmt: skip
    kinds = ("auto", "single", "vmap", "unfold")
    resolved = [resolve_pack(asked, device=device, shapes=shapes) for device in ("cpu", "cuda") for asked in kinds]
    assert resolved == ["single", "single", "vmap", batched, chosen, "single", "vmap", batched]


def test_a_pack_in_bfloat16() -> None:
    results = train(pack_of("unfold", model="lenet-5-caffe", precision="bfloat16", lr=0.02, epochs=2), DATA, "cpu")
    assert [result.outcome for result in results] == [names.DONE] * 4
    assert results[0].metrics[names.TEST_ACCURACY] > 0.5


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("pack_kind", ["vmap", "unfold"])
def test_gpu_packs_train(pack_kind: str) -> None:
    results = train(pack_of(pack_kind, model="lenet-5-caffe", device="cuda", lr=0.02, epochs=4), DATA, "cuda")
    assert [result.outcome for result in results] == [names.DONE] * 4
    assert results[0].metrics[names.TEST_ACCURACY] > 0.5
