"""Augmented training: the same moves for every method, step and pack at a seed, and for training images alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from small_packs import DATA, pack_of, prepared
from small_trials import spec
from torch.nn.functional import cross_entropy

from bench import names
from bench.engine.draws import Draws
from bench.engine.steps.network import network_of
from bench.engine.train import train

MOVING: dict[str, Any] = {"augmentation": "flip-translate", "precision": "float64", "lr": 0.02, "epochs": 2}


def test_a_step_sees_the_moved_images() -> None:
    given = spec("freeze", **MOVING)
    (trial,) = prepared([given])
    order, moves = Draws(0, 360, torch.device("cpu"), moved=True).of_epoch(1)
    assert moves is not None
    x, y = trial.train.batch(trial.train_indices[order[:100]], moves[:100])
    loss, count = next(network_of(given, trial).losses(order, 100, moves))
    assert count == 100 and torch.equal(loss, cross_entropy(trial.model(x), y))
    still, _ = trial.train.batch(trial.train_indices[order[:100]])
    assert not torch.equal(x, still)


@pytest.mark.parametrize(("model", "pack_kind"), [("lenet-300-100", "vmap"), ("lenet-5-caffe", "unfold")])
def test_a_pack_sees_what_each_trial_sees(model: str, pack_kind: str) -> None:
    given = {"model": model, **MOVING, "epochs": 1}
    packed, alone = (train(pack_of(k, **given), DATA, "cpu") for k in (pack_kind, "single"))
    for one, other in zip(packed, alone, strict=True):
        assert one.outcome == names.DONE, one.reason
        assert one.epochs[-1] == pytest.approx(other.epochs[-1], rel=1e-9)


@pytest.mark.parametrize("model", ["lenet-300-100", "lenet-5-caffe"])
@pytest.mark.parametrize("method", ["freeze", "snip"])
def test_the_sparse_step_sees_what_the_dense_one_sees(method: str, model: str) -> None:
    """The answers of a frozen first layer cannot be kept: every image comes in another place each epoch."""
    trials = [spec(method, "0.95", model=model, step=step, **MOVING) for step in ("dense", "sparse")]
    dense, sparse = train(trials, DATA, "cpu")
    assert sparse.epochs[-1] == pytest.approx(dense.epochs[-1], rel=1e-9)


def test_evaluation_and_probe_stay_as_they_are() -> None:
    """Before training nothing depends on the augmentation; after it the weights do."""
    plain, moving = train([spec("freeze"), spec("freeze", augmentation="flip-translate")], DATA, "cpu")
    assert plain.epochs[0] == moving.epochs[0]
    assert plain.tags[names.MASK_SHA256] == moving.tags[names.MASK_SHA256]
    assert plain.tags[names.WEIGHTS_SHA256] != moving.tags[names.WEIGHTS_SHA256]


def test_a_trial_without_augmentation_keeps_the_key_it_had() -> None:
    record = spec().record()
    assert "augmentation" not in record and "deterministic" not in record
    moving = spec(augmentation="flip-translate")
    assert moving.record()["augmentation"] == "flip-translate" and moving.run_key != spec().run_key
