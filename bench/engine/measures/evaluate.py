"""The accuracy of a network on resident images."""

from __future__ import annotations

from math import nan

import torch
from torch import Tensor, nn

from bench.datasets.loader import Resident
from bench.engine.setup.precision import autocast

CHUNK = 500  # images per forward pass


@torch.no_grad()
def accuracy(model: nn.Module, images: Resident, indices: Tensor, precision: str) -> float:
    """The fraction of the images at `indices` that the network, in evaluation mode, classifies right."""
    model.eval()
    right = torch.zeros((), device=indices.device, dtype=torch.int64)
    for x, y in images.epoch(indices, CHUNK):
        with autocast(precision, indices.device.type):
            right += (model(x).argmax(1) == y).sum()
    return fraction(int(right), len(indices))


def fraction(right: int, images: int) -> float:
    """The accuracy; NaN if there are no images, as when the test images are withheld."""
    return right / images if images else nan
