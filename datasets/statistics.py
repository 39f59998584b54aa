"""Mean and standard deviation of uint8 images, exactly. Imports no torch."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

CHUNK = 1_000  # images counted at once: NumPy counts in a copy of 8 bytes per value

Statistics = tuple[tuple[float, ...], tuple[float, ...]]


def mean_std(images: Tensor) -> Statistics:
    """`mean_std_of` images uint8 [N,C,H,W] on the CPU."""
    return mean_std_of(images.permute(0, 2, 3, 1).numpy())


def mean_std_of(images: NDArray[np.uint8]) -> Statistics:
    """Per channel, of pixels scaled to [0, 1]; the standard deviation with ddof 0.

    From the histogram of the 256 values in integers and fractions, so that no order of summation enters.

    Args:    images: [N,H,W,C], not empty.
    Returns: (mean, std), each with C numbers.
    """
    pairs = [_of_histogram(_histogram(images[..., c])) for c in range(images.shape[-1])]
    return tuple(mean for mean, _ in pairs), tuple(std for _, std in pairs)


def _histogram(channel: NDArray[np.uint8]) -> list[int]:
    counts = np.zeros(256, np.int64)
    for start in range(0, len(channel), CHUNK):
        counts += np.bincount(channel[start : start + CHUNK].ravel(), minlength=256)
    return [int(count) for count in counts]


def _of_histogram(counts: list[int]) -> tuple[float, float]:
    pixels = sum(counts)
    mean = Fraction(sum(value * count for value, count in enumerate(counts)), pixels)
    square = Fraction(sum(value * value * count for value, count in enumerate(counts)), pixels)
    return float(mean / 255), math.sqrt((square - mean * mean) / 255**2)
