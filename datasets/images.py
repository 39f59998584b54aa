"""ImageData: a data set in memory, as uint8."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from bench.datasets.cache.decoded import decoded

if TYPE_CHECKING:
    from bench.datasets.row import DatasetRow


@dataclass(frozen=True, kw_only=True)
class ImageData:
    """The images of one data set. N images, C channels, H × W pixels."""

    name: str
    classes: int
    train_images: Tensor  # uint8 [N, C, H, W]
    train_labels: Tensor  # int64 [N]
    test_images: Tensor
    test_labels: Tensor
    mean: tuple[float, ...]  # per channel over the whole training set, of pixels scaled to [0, 1]
    std: tuple[float, ...]


def load(name: str, row: DatasetRow, root: Path) -> ImageData:
    """The decoded arrays of a row that has `decode`; the images lie in memory with their channels last.

    Raises: DataError if a file is missing or corrupted, or does not hold what `row` says.
    """
    stored = decoded(name, row, root)
    arrays = {key: torch.from_numpy(array) for key, array in stored.arrays.items()}
    return ImageData(
        name=name,
        classes=row.classes,
        train_images=arrays["train_images"].permute(0, 3, 1, 2),
        train_labels=arrays["train_labels"],
        test_images=arrays["test_images"].permute(0, 3, 1, 2),
        test_labels=arrays["test_labels"],
        mean=stored.mean,
        std=stored.std,
    )
