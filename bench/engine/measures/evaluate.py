"""The accuracy of a network on resident images."""

from __future__ import annotations

from math import nan

import torch
from torch import Tensor, nn

from bench.datasets.loader import Resident
from bench.engine.setup.precision import autocast

CHUNK = 500  # images per forward pass


@torch.no_grad()
def classified_right(model: nn.Module, images: Resident, indices: Tensor, precision: str) -> Tensor:
    """Whether the network, in evaluation mode, classifies each of the images at `indices` right, bool [images]."""
    model.eval()
    parts = [torch.zeros(0, device=indices.device, dtype=torch.bool)]
    for x, y in images.epoch(indices, CHUNK):
        with autocast(precision, indices.device.type):
            parts.append(model(x).argmax(1) == y)
    return torch.cat(parts)


def accuracy(model: nn.Module, images: Resident, indices: Tensor, precision: str) -> float:
    """The fraction of the images at `indices` that the network, in evaluation mode, classifies right."""
    return fraction(classified_right(model, images, indices, precision))


def fraction(right: Tensor) -> float:
    """The accuracy, of bool [images]; NaN if there are no images, as when the test images are withheld."""
    return int(right.sum()) / len(right) if len(right) else nan
