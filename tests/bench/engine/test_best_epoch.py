"""The test accuracy at the best validation epoch: a copy of the network of that epoch sees the test images, once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from small_packs import DATA, pack_of
from small_trials import spec
from torch import Tensor

from bench import names
from bench.engine.member import Epoch, Member
from bench.engine.steps.kept_network import holding, tensors_of
from bench.engine.train import Training, train, train_epochs
from bench.engine.trainers import Alone, Together
from bench.models import MODELS
from bench.models.row import ModelRow
from bench.storage.checkpoint import Checkpoint, Checkpoints
from bench.trial.result import TrialResult
from bench.trial.spec import TrialSpec

TIMING = {names.SCORING_SECONDS, names.TRAINING_SECONDS, names.PEAK_MEMORY}
LONG: dict[str, Any] = {"epochs": 6, "lr": 0.05}
CASES: dict[str, list[TrialSpec]] = {
    "dense step": [spec("snip", "0.9", step="dense", **LONG)],
    "sparse step": [spec("freeze", "0.99", step="sparse", model="lenet-5-caffe", epochs=2, lr=0.02)],
    "tail": [spec("freeze", "0.99", step="sparse", **LONG)],
    "BatchNorm": [spec("snip", "0.9", model="conv-bn", epochs=2)],
    "masks that change": [spec("set", "0.9", **LONG)],
    "vmap": pack_of("vmap", **LONG),
    "unfold": pack_of("unfold", model="lenet-5-caffe", epochs=3, lr=0.02),
    "one diverges": [spec("dense", lr=8.0, epochs=4, pack="vmap", precision="float64"), *(
        spec("snip", "0.99", seed=seed, lr=8.0, epochs=4, pack="vmap", precision="float64") for seed in range(3)
    )],
}  # fmt: skip


def at_once(self: Training) -> None:
    """As it is defined: each time that a trial is best so far, its network of now sees the test images."""
    better = [member.is_best() for member in self.members]
    if any(better):
        self._tell_best(self._trainer.right("test"))


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The splits that were seen, pass by pass."""
    splits: list[str] = []
    for trainer in (Alone, Together):
        right = trainer.right

        def noted(self: Any, split: str, right: Any = right) -> list[Tensor]:
            splits.append(split)
            of_trials: list[Tensor] = right(self, split)
            return of_trials

        monkeypatch.setattr(trainer, "right", noted)
    yield splits


def told(result: TrialResult) -> list[Any]:
    """All that a result says but when and how long."""
    metrics = {name: value for name, value in result.metrics.items() if name not in TIMING}
    return [result.run_key, result.outcome, list(metrics.items()), result.epochs, result.layers, result.tags,
            result.artefact]  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_numbers_are_those_of_looking_at_every_new_best(
    case: str, seen: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bit for bit, in the same order; and the test images are seen twice at most, if no trial leaves early."""
    results = train(CASES[case], DATA, "cpu")
    passes = seen.count("test")
    seen.clear()
    monkeypatch.setattr(Training, "_note_best", at_once)
    expected = train(CASES[case], DATA, "cpu")
    assert [told(one) for one in results] == [told(other) for other in expected]
    assert all(names.TEST_ACCURACY_BEST in one.metrics for one in results if one.outcome == names.DONE)
    early = sum(one.outcome == names.DIVERGED for one in results)
    assert passes <= 2 + early
    assert seen.count("test") > passes or case not in ("dense step", "tail", "vmap")


def test_a_trial_that_diverges_keeps_what_it_was_worth_before() -> None:
    """It leaves in the third epoch, with the test accuracy of the best of the two before."""
    diverged, *others = train(CASES["one diverges"], DATA, "cpu")
    assert diverged.outcome == names.DIVERGED and {other.outcome for other in others} == {names.DONE}
    validation = [epoch[names.VALIDATION_ACCURACY] for epoch in diverged.epochs]
    assert diverged.metrics[names.BEST_EPOCH] == 1 + validation[1:].index(max(validation[1:]))
    assert diverged.metrics[names.TEST_ACCURACY_BEST] > 0


def test_a_trial_that_fails_keeps_what_it_was_worth_before(monkeypatch: pytest.MonkeyPatch) -> None:
    def epoch(self: Any, *given: Any) -> list[float]:
        if len(calls) == 3:
            raise RuntimeError("the third epoch")
        calls.append(0)
        losses: list[float] = train_one(self, *given)
        return losses

    calls: list[int] = []
    train_one = Together.epoch
    monkeypatch.setattr(Together, "epoch", epoch)
    results = train(CASES["vmap"], DATA, "cpu")
    monkeypatch.setattr(Training, "_note_best", at_once)
    calls.clear()
    expected = train(CASES["vmap"], DATA, "cpu")
    assert {result.outcome for result in results} == {names.FAILED}
    for one, other in zip(results, expected, strict=True):
        for name in (names.BEST_EPOCH, names.TEST_ACCURACY_BEST):
            assert one.metrics[name] == other.metrics[name]


@pytest.mark.parametrize("case", ["tail", "vmap"])
def test_a_checkpoint_knows_the_test_accuracy_of_its_best_epoch(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that what resumes from it need not have the network of that epoch."""
    written: list[dict[str, float]] = []

    def write(self: Checkpoints, checkpoint: Checkpoint) -> None:
        written.append({name: value for name, value in checkpoint.metrics.items() if name not in TIMING})

    monkeypatch.setattr(Checkpoints, "write", write)
    results = train(CASES[case], DATA, "cpu", checkpoints=Checkpoints(str(tmp_path), seconds=0.0))
    mine, written = written, []
    monkeypatch.setattr(Training, "_note_best", at_once)
    train(CASES[case], DATA, "cpu", checkpoints=Checkpoints(str(tmp_path), seconds=0.0))
    assert mine == written and len(mine) == 6 * len(results)
    assert all(names.TEST_ACCURACY_BEST in metrics for metrics in mine)


def test_a_network_from_outside_is_evaluated_at_once(seen: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What it computes may follow from more than its tensors."""
    monkeypatch.setitem(MODELS, "outside", ModelRow(build="tiny_networks:Smooth", image_shape=(1, 28, 28)))
    order: list[str] = []
    monkeypatch.setattr(Member, "tell_best", lambda self, test: order.append("told"))
    events = train_epochs([spec("dense", model="outside", **LONG)], DATA, "cpu")
    for event in events:
        if isinstance(event, Epoch) and event.epoch == 2:
            assert order == ["told"] and seen == ["validation", "validation", "test", "validation"]
            break
    events.close()


def test_a_kept_network_is_computed_with_and_put_back() -> None:
    network = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2)).eval()
    x, kept = torch.randn(5, 3), {name: tensor.clone() for name, tensor in tensors_of(network).items()}
    then = network(x)
    with torch.no_grad():
        for tensor in tensors_of(network).values():
            tensor.add_(1)
    now, addresses = network(x), [tensor.data_ptr() for tensor in tensors_of(network).values()]
    assert len(kept) == 7 and not torch.equal(now, then)
    for _ in range(2):
        with pytest.raises(KeyError), holding(network, kept):
            assert torch.equal(network(x), then)
            raise KeyError
        assert torch.equal(network(x), now)
    assert [tensor.data_ptr() for tensor in tensors_of(network).values()] == addresses
    with holding(network, {}):
        assert torch.equal(network(x), now)


def test_out_of_memory_evaluates_nothing_more(seen: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Its halves train again."""

    def full(self: Any, *given: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Together, "epoch", lambda *given: full(given))
    train(CASES["vmap"], DATA, "cpu")
    assert "test" not in seen
