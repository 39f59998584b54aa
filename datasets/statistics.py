"""Mean and standard deviation of uint8 images, exactly."""

from __future__ import annotations

import math
from fractions import Fraction

import torch
from torch import Tensor


def mean_std(images: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Per channel, of pixels scaled to [0, 1]; the standard deviation with ddof 0.

    From the histogram of the 256 values in integers and fractions, so that no order of summation enters.

    Args:    images: uint8 [N,C,H,W], not empty.
    Returns: (mean, std), each with C numbers.
    """
    pairs = [_of_histogram(torch.bincount(channel.flatten(), minlength=256).tolist()) for channel in images.unbind(1)]
    return tuple(mean for mean, _ in pairs), tuple(std for _, std in pairs)


def _of_histogram(counts: list[int]) -> tuple[float, float]:
    pixels = sum(counts)
    mean = Fraction(sum(value * count for value, count in enumerate(counts)), pixels)
    square = Fraction(sum(value * value * count for value, count in enumerate(counts)), pixels)
    return float(mean / 255), math.sqrt((square - mean * mean) / 255**2)
