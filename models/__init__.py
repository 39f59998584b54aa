"""The models: plain networks that know nothing of masks. MODELS is the page to read first.

A row is a name, a lazy reference and the metadata that checks need. Imports no torch.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from models.initialisers import INITIALISERS, Initialiser

if TYPE_CHECKING:
    from torch import nn

__all__ = ["INITIALISERS", "MODELS", "Initialiser", "ModelRow", "build"]


@dataclass(frozen=True, kw_only=True)
class ModelRow:
    """One network."""

    build: str  # "module:function", called without arguments
    image_shape: tuple[int, int, int]  # (C, H, W)
    classes: int
    parameters: int  # all of them
    layers: Mapping[str, tuple[int, ...]]  # weights of Conv and Linear layers, name -> shape, in the order they run
    note: str  # one line for the listing

    @property
    def maskable(self) -> int:
        """The number of weights of Conv and Linear layers."""
        return sum(map(prod, self.layers.values()))


LENET_5 = {
    "conv1.weight": (20, 1, 5, 5),
    "conv2.weight": (50, 20, 5, 5),
    "fc1.weight": (500, 800),
    "fc2.weight": (10, 500),
}


MODELS: dict[str, ModelRow] = {
    "lenet-300-100": ModelRow(
        build="models.lenet:lenet_300_100",
        image_shape=(1, 28, 28),
        classes=10,
        parameters=266_610,
        layers={"fc1.weight": (300, 784), "fc2.weight": (100, 300), "fc3.weight": (10, 100)},
        note="784-300-100-10, ReLU",
    ),
    "lenet-5-caffe": ModelRow(
        build="models.lenet:lenet_5_caffe",
        image_shape=(1, 28, 28),
        classes=10,
        parameters=431_080,
        layers=LENET_5,
        note="no ReLU after the convolutions, as in SNIP's released code",
    ),
    "lenet-5-caffe-relu": ModelRow(
        build="models.lenet:lenet_5_caffe_relu",
        image_shape=(1, 28, 28),
        classes=10,
        parameters=431_080,
        layers=LENET_5,
        note="lenet-5-caffe with a ReLU after each convolution",
    ),
}


def build(name: str) -> nn.Module:
    """A new network of MODELS, on the CPU, in float32; torch's random state stays as it was.

    Its weights are torch's own random defaults: `models.initialise.initialise` gives the reproducible ones.

    Raises: ValueError if `name` is unknown.
    """
    row = MODELS.get(name)
    if row is None:
        near = difflib.get_close_matches(name, MODELS, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"model {name!r}: allowed is {', '.join(MODELS)}{hint}")
    module, _, function = row.build.partition(":")
    factory = getattr(importlib.import_module(module), function)
    import torch

    with torch.random.fork_rng(devices=[]):
        model: nn.Module = factory()
    return model
