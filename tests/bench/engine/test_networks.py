"""The engine on the CIFAR networks: every one is prepared; on the small ones every kind of step agrees."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from small_trials import spec
from torch import Tensor

from bench import names
from bench.datasets.images import ImageData
from bench.engine.measures.cost import counts
from bench.engine.setup.background import apply_background
from bench.engine.setup.prepare import prepare
from bench.engine.trainers import trainer_of
from bench.models import MODELS

CIFAR = [name for name, row in MODELS.items() if row.image_shape == (3, 32, 32)]


def coloured(classes: int = 3, each: int = 12) -> ImageData:
    """Noise of 3 × 32 × 32 pixels."""
    random, labels = np.random.RandomState(0), torch.arange(classes * each) % classes
    train, test = (torch.from_numpy(random.randint(0, 256, (len(labels), 3, 32, 32), np.uint8)) for _ in "ab")
    values: dict[str, Any] = {"mean": (0.5,) * 3, "std": (0.25,) * 3, "name": "small", "classes": classes}
    return ImageData(train_images=train, train_labels=labels, test_images=test, test_labels=labels, **values)


DATA = coloured()
SMALL = {"criterion_per_class": 1, "batch_size": 8, "validation_fraction": 0.5, "lr": 0.01}


@pytest.mark.parametrize("model", CIFAR)
def test_every_network_is_prepared(model: str) -> None:
    """Its last layer is as wide as the data set has classes; SNIP leaves exactly a tenth of its weights live."""
    trial = prepare(spec("snip", "0.9", model=model, criterion_precision="float32", **SMALL), DATA, "cpu")
    row = MODELS[model]
    assert {name: tuple(mask.shape) for name, mask in trial.masks.items()} == row.layers(3)
    assert trial.train.channels_last
    figures = counts(trial.model, trial.masks, "prune", (3, 32, 32))
    assert figures[names.TOTAL_PARAMETERS] == row.parameters(3)
    assert figures[names.LIVE_WEIGHTS] == (row.maskable(3) + 5) // 10  # half up
    with torch.no_grad():
        logits = trial.model.eval()(trial.probe[0][:2])
    assert logits.shape == (2, 3)
    assert logits.isfinite().all()


def after(fields: dict[str, Any], method: str, model: str) -> dict[str, Tensor]:
    """The state of a network after four steps of 8 images in float64."""
    given = spec(method, "0.95", model=model, precision="float64", **SMALL, **fields)
    trials = [prepare(given, DATA, "cpu")]
    apply_background(trials[0].model, trials[0].masks, given)
    trainer = trainer_of(given, trials)
    for _ in range(2):
        trainer.epoch([torch.arange(16)], [None], lambda step: given.lr)
    trainer.write_back()
    state: dict[str, Tensor] = trials[0].model.state_dict()
    assert state["fc.bias"].any() and state["bn1.running_mean"].any()
    assert state["bn1.num_batches_tracked"] == 4
    return state


@pytest.mark.parametrize("model", ["resnet20", "resnet20-proj", "mobilenet-v1"])
@pytest.mark.parametrize("method", ["snip", "freeze"])
def test_every_kind_of_step_agrees(model: str, method: str) -> None:
    dense = after({}, method, model)
    for fields in ({"step": "sparse"}, {"pack": "vmap"}, {"pack": "unfold"}):
        state = after(fields, method, model)
        for name, value in dense.items():
            torch.testing.assert_close(state[name], value, rtol=0, atol=1e-10)
