"""Trials of small dense networks and of the classifier alone: real small tensors, exact counts, ordinary files."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
import torch
from small_members import after_epochs, data, member_of, result_of
from small_packs import after, difference
from small_trials import images, pictures, spec
from torch import nn

from bench import models, names
from bench.artefact.artefact import read
from bench.engine.member import Epoch
from bench.engine.setup.prepare import prepare
from bench.engine.train import train, train_epochs
from bench.methods import METHODS, LastLayer
from bench.methods.maskable import maskable
from bench.models import MODELS
from bench.models.channels.surgery import shrunk
from bench.models.initialise import checksum
from bench.models.lenet import LeNet300100
from bench.models.row import ModelRow
from bench.storage.checkpoint import Checkpoints
from bench.trial.packs import packs_of
from bench.trial.spec import TrialSpec

CLOCKS = {names.SCORING_SECONDS, names.TRAINING_SECONDS, names.PEAK_MEMORY}
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "sgd": {"weight_decay": 1e-2},
    "adamw": {"optimizer": "adamw", "lr": 1e-2, "weight_decay": 1e-2},
    "bfloat16": {"precision": "bfloat16"},
}


class Narrow(LeNet300100):
    """LeNet of 33 and 11 units: written down, and cut from nothing."""

    def __init__(self, *, classes: int) -> None:
        super().__init__(classes=classes)
        self.fc1, self.fc2, self.fc3 = nn.Linear(784, 33), nn.Linear(33, 11), nn.Linear(11, classes)


def narrow(classes: int) -> Narrow:
    return Narrow(classes=classes)


@pytest.mark.parametrize("initialiser", ["he-normal", "xavier-normal"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_it_is_the_dense_training_of_an_ordinary_network_of_its_widths(
    optimizer: str, initialiser: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bit for bit, from initial weights drawn for its own fan-in and fan-out."""
    monkeypatch.setitem(MODELS, "narrow", ModelRow(build=f"{__name__}:narrow", image_shape=(1, 28, 28)))
    fields = {"epochs": 2, "initialiser": initialiser, **OPTIMIZERS[optimizer]}
    one = member_of(spec("small-dense", "0.9", **fields))
    other = member_of(spec("dense", "0", model="narrow", **fields))
    assert [tuple(p.shape) for p in one.trial.model.parameters()] == [
        tuple(p.shape) for p in other.trial.model.parameters()
    ]
    for _ in zip(after_epochs(one), after_epochs(other), strict=True):
        ours, theirs = (member.trial.model.state_dict() for member in (one, other))
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert one.epochs == other.epochs
    assert one.metrics[names.FORWARD_MACS] == other.metrics[names.FORWARD_MACS] == 784 * 33 + 33 * 11 + 110
    assert one.metrics[names.BACKWARD_MACS] == other.metrics[names.BACKWARD_MACS] == 784 * 33 + 2 * (33 * 11 + 110)
    assert one.metrics[names.STORED_PARAMETERS] == other.metrics[names.TOTAL_PARAMETERS] == 26_399
    assert one.metrics[names.TOTAL_PARAMETERS] == 266_610  # of the network that it stands beside


@pytest.mark.parametrize(("model", "rate"), [
    ("lenet-5-caffe", "0.99"), ("conv-bn", "0.9"), pytest.param("resnet20-proj", "0.95", marks=pytest.mark.slow),
])  # fmt: skip
@pytest.mark.parametrize("equal", ["parameters", "bytes"])
def test_its_file_is_an_ordinary_one_and_reads_back_bit_for_bit(model: str, rate: str, equal: str) -> None:
    shown = pictures(images(160, 20)) if model.startswith("resnet") else images(160, 20)
    one = spec("small-dense", rate, model=model, epochs=2)
    one = replace(one, method=replace(one.method, equal=equal))
    *_, result = [*train_epochs([one], shown, "cpu")]
    assert not isinstance(result, Epoch) and result.outcome == names.DONE, result.reason
    stored = read(result.artefact)
    assert checksum(stored.model) == result.tags[names.WEIGHTS_SHA256] and stored.selection is not None
    small = shrunk(stored.model, stored.selection.channels, stored.selection.open)
    trained = sum(p.numel() for p in small.parameters())
    assert trained == stored.selection.counts.parameters == result.metrics[names.STORED_PARAMETERS]
    assert stored.selection.counts.macs == result.metrics[names.FORWARD_MACS]
    assert result.tags[names.SHRUNK].startswith(f"{trained} parameters and {stored.selection.counts.macs} multiply")
    assert result.metrics[names.TOTAL_PARAMETERS] == MODELS[model].parameters(10)
    assert sum(layer["weights"] for layer in result.layers) == MODELS[model].maskable(10)
    assert sum(layer["live"] for layer in result.layers) == sum(w.numel() for w in maskable(small).values())


def test_at_equal_parameters_it_stores_no_more_than_a_frozen_one() -> None:
    for rate in ("0.9", "0.99"):
        small, frozen = (result_of(spec(method, rate)) for method in ("small-dense", "freeze"))
        assert small.metrics[names.STORED_PARAMETERS] <= frozen.metrics[names.STORED_PARAMETERS]


@pytest.mark.parametrize("stop", [1, 2])
def test_stopped_it_goes_on_bit_for_bit(stop: int, tmp_path: Any) -> None:
    one = spec("small-dense", "0.9", model="conv-bn", epochs=3, optimizer="adam", lr=1e-2)
    whole, checkpoints = result_of(one), Checkpoints(str(tmp_path), seconds=0.0)
    for event in train_epochs([one], data(), "cpu", checkpoints):
        if isinstance(event, Epoch) and event.epoch == stop + 1:
            break  # its checkpoint is that of the epoch before
    (resumed,) = train([one], data(), "cpu", checkpoints=checkpoints)
    assert resumed.tags[names.RESUMED] == str(stop) and names.RESTARTED not in resumed.tags
    assert resumed.epochs == whole.epochs and resumed.artefact == whole.artefact
    assert {n: v for n, v in resumed.metrics.items() if n not in CLOCKS} == {
        n: v for n, v in whole.metrics.items() if n not in CLOCKS
    }


def test_a_pack_has_networks_of_one_width() -> None:
    """Seeds of one rate share a step; other rates and methods do not."""
    asked = [(method, rate, seed) for method, rate in [("snip", "0.9"), ("small-dense", "0.9"), ("small-dense", "0.99")]
             for seed in (0, 1)]  # fmt: skip
    trials = [spec(method, rate, seed=seed, pack="vmap") for method, rate, seed in asked]
    assert packs_of(trials, 1) == [trials[:2], trials[2:4], trials[4:]]
    assert all(result.outcome == names.DONE for result in train(trials, data(), "cpu"))


@pytest.mark.parametrize(("model", "pack"), [("lenet-300-100", "vmap"), ("lenet-5-caffe", "unfold")])
def test_a_pack_agrees_with_trials_alone(model: str, pack: str) -> None:
    def states(kind: str) -> list[dict[str, torch.Tensor]]:
        specs = [spec("small-dense", "0.9", seed=s, model=model, pack=kind, precision="float64") for s in (0, 1)]
        return after(specs, [prepare(s, data(), "cpu") for s in specs], 20)

    assert difference(states(pack), states("single")) < 1e-10


def test_it_is_trained_from_scratch_with_the_dense_step() -> None:
    with pytest.raises(ValueError, match="step sparse with small-dense: must be dense"):
        spec("small-dense", "0.9", step="sparse")
    with pytest.raises(ValueError, match="head trained with SmallDense: must be masked"):
        spec("small-dense", "0.9", head="trained")
    assert spec("small-dense", "0").method == METHODS["dense"]


def test_the_classifier_alone() -> None:
    result = result_of(spec("last-layer", epochs=2))
    assert [layer["live"] for layer in result.layers] == [0, 0, 1_000]
    assert result.metrics[names.STORED_PARAMETERS] == 1_000 + 410
    assert result.metrics[names.FORWARD_MACS] == 266_200
    # The gradient of the classifier's weights, and those handed on for the biases below.
    assert result.metrics[names.BACKWARD_MACS] == 1_000 + 30_000 + 1_000
    stored, start = read(result.artefact).model, models.build("lenet-300-100", 10)
    prepared = prepare(spec("dense", "0"), data(), "cpu").model
    assert checksum(stored) == result.tags[names.WEIGHTS_SHA256]
    for name, weight in maskable(stored).items():
        assert torch.equal(weight, dict(prepared.named_parameters())[name]) is (name != "fc3.weight")
    assert all(not torch.equal(p, q) for p, q in zip(_biases(stored), _biases(prepared), strict=True))
    assert [*dict(start.named_parameters())] == [*dict(stored.named_parameters())]


def _biases(model: nn.Module) -> list[torch.Tensor]:
    return [p for name, p in model.named_parameters() if name.endswith("bias")]


@pytest.mark.parametrize("step", ["dense", "sparse"])
def test_the_steps_of_the_classifier_alone_agree(step: str) -> None:
    results = [result_of(spec("last-layer", step=s, precision="float64")) for s in ("dense", step)]
    dense, other = (read(result.artefact).model for result in results)
    for (name, one), two in zip(dense.named_parameters(), other.parameters(), strict=True):
        assert torch.allclose(one, two, rtol=1e-9, atol=1e-12), name


def test_the_classifier_alone_has_its_own_rate() -> None:
    one = spec("last-layer")
    (result,) = train([replace(one, rate=Decimal("0.99"))], data(), "cpu")
    assert result.reason.startswith("ValueError: last-layer at rate 0.99: must be 0.996243, its own with this network")
    with pytest.raises(ValueError, match="head trained with last-layer: must be masked"):
        replace(one, head="trained")
    assert isinstance(one.method, LastLayer) and isinstance(one, TrialSpec)
