"""What pins a network besides its weights (`bench.models.initialise.checksum`): its mask and its logits."""

from __future__ import annotations

import copy
import hashlib
import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from bench.trial.streams import stream

IMAGES = 16  # of the fixed batch
VALUES = IMAGES * 3 * 224 * 224  # of images that are computed on at once: the memory is theirs, times some hundreds


def mask_checksum(masks: Mapping[str, Tensor]) -> str:
    """SHA-256 of the masks' packed bits, in the model's order, each behind its name."""
    digest = hashlib.sha256()
    for name, mask in masks.items():
        digest.update(name.encode() + b"\x00" + np.packbits(mask.cpu().numpy().reshape(-1)).tobytes())
    return digest.hexdigest()


@torch.no_grad()
def logits_checksum(model: nn.Module, seed: int, image_shape: tuple[int, ...]) -> str:
    """SHA-256 of the logits [16, K], float32 little-endian, on 16 fixed images; the model stays as it is.

    The images [16, C, H, W] are uniform in [-1, 1), contiguous, drawn from the seed. A copy of the network computes on
    the CPU, in evaluation mode and in float64, and the logits are rounded to float32: the order in which a library adds
    changes the 16th digit, but hardly ever the 8th, which is hashed. So the bits agree between CPUs, numbers of
    threads and versions, while float32 arithmetic would not give the same bits twice.
    """
    drawn = stream(seed, "logits").random_sample((IMAGES, *image_shape))
    network = copy.deepcopy(model).cpu().double().eval()
    at_once = min(IMAGES, max(1, VALUES // math.prod(image_shape)))
    logits: Tensor = torch.cat([network(images) for images in torch.split(torch.from_numpy(2 * drawn - 1), at_once)])
    return hashlib.sha256(logits.numpy().astype("<f4").tobytes()).hexdigest()
