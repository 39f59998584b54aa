"""Small trials and a small data set, made here: two-second work for the engine's tests."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import torch
from torch.nn.functional import pad

from bench.datasets.images import ImageData
from bench.engine.measures.moment import Moment
from bench.methods import METHODS, only_rate
from bench.trial.spec import TrialSpec

LAST_LAYER = {"lenet-300-100": "0.996243", "lenet-5-caffe": "0.988386"}  # network -> the rate that it has with it


def spec(method: str = "freeze", rate: str = "0.9", **fields: Any) -> TrialSpec:
    """A trial of one short epoch on `images()`."""
    given = {"dataset": "small", "data_hash": "0", "model": "lenet-300-100", "seed": 0, "epochs": 1} | fields
    only = LAST_LAYER.get(str(given["model"])) if method == "last-layer" else only_rate(METHODS[method])
    return TrialSpec(method=METHODS[method], rate=Decimal(rate if only is None else only), **given)


def pictures(data: ImageData) -> ImageData:
    """The same images in three channels of 32 × 32, for networks with BatchNorm."""
    train, test = (pad(x.repeat(1, 3, 1, 1), (2, 2, 2, 2)) for x in (data.train_images, data.test_images))
    return replace(data, train_images=train, test_images=test, mean=3 * data.mean, std=3 * data.std)


def images(train: int = 400, test: int = 60) -> ImageData:
    """Noisy 28 × 28 images of ten classes, each a bright row of its own: learnable in a few steps."""
    random = np.random.RandomState(7)

    def draw(n: int) -> tuple[torch.Tensor, torch.Tensor]:
        labels = np.arange(n) % 10
        pixels = random.randint(0, 120, (n, 1, 28, 28))
        pixels[np.arange(n), 0, labels * 2 + 4, :] += 130
        return torch.from_numpy(pixels.astype(np.uint8)), torch.from_numpy(labels)

    (x, y), (tx, ty) = draw(train), draw(test)
    return ImageData(
        name="small",
        classes=10,
        train_images=x,
        train_labels=y,
        test_images=tx,
        test_labels=ty,
        mean=(0.25,),
        std=(0.2,),
    )


def weight_norm(moment: Moment) -> dict[str, float]:
    """A metric of the tests: the norm of all weights and biases."""
    return {
        "weight_norm": float(sum(p.detach().double().square().sum() for p in moment.trial.model.parameters()) ** 0.5)
    }


def norm_of_seed_1(moment: Moment) -> dict[str, float]:
    """A metric that raises in every trial but those of seed 1."""
    if moment.spec.seed != 1:
        raise RuntimeError(f"no norm of seed {moment.spec.seed}")
    return weight_norm(moment)
