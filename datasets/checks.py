"""What every data set must be, whoever made it; each complaint is one line. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.datasets.errors import DataError

# The least standard deviation of a channel, of pixels scaled to [0, 1]: one of the 256 grey levels. Below it a step to
# the next level is more than a standard deviation, so that what is normalised is rounding: of a channel that is empty
# or constant but for a few pixels, or of a mask that is stored as 0 and 1 instead of 0 and 255.
LEAST_STD = 1 / 255


def check_counts(name: str, train: int, test: int) -> None:
    """Raises: DataError if there is no image to train on, or none to test on."""
    if train < 1 or test < 1:
        raise DataError(f"data set {name}: {train} training and {test} test images: must be at least 1 of each")


def check_range(name: str, labels: NDArray[np.integer[Any]], classes: int) -> None:
    """Raises: DataError naming a label outside 0 to classes - 1."""
    outside = labels[(labels < 0) | (labels >= classes)]
    if len(outside):
        raise DataError(f"data set {name}: label {outside[0]}: must be 0 to {classes - 1}")


def check_classes(name: str, labels: NDArray[np.integer[Any]], classes: int, smallest: int = 1) -> None:
    """Raises: DataError naming the class that has fewest training images, if these are fewer than `smallest`."""
    counts = np.bincount(labels, minlength=classes)
    if counts.min() < smallest:
        fewest = f"class {counts.argmin()} has {counts.min()} training images"
        raise DataError(f"data set {name}: {fewest}: must be at least {smallest}")


def check_statistics(name: str, mean: Sequence[float], std: Sequence[float], *, channels: int) -> None:
    """Whether the training images can be normalised, by their mean and standard deviation per channel.

    Raises: DataError naming the first channel that cannot.
    """
    if len(mean) != channels or len(std) != channels:
        raise DataError(f"data set {name}: mean {mean}, std {std}: must be {channels} numbers each, one a channel")
    for channel, (centre, spread) in enumerate(zip(mean, std, strict=True)):
        subject = f"data set {name}: channel {channel}"
        if not (0 <= centre <= 1 and 0 <= spread <= 1):
            raise DataError(f"{subject}: mean {centre}, std {spread}: must be of pixels scaled to [0, 1]")
        if spread < LEAST_STD:
            measured = f"mean {255 * centre:.4g}, standard deviation {255 * spread:.3g} of 0 to 255"
            raise DataError(
                f"{subject} of the training images is constant or nearly so: {measured}, which must be at least 1;"
                " spread its values over 0 to 255, or replace it"
            )
