"""ImageData: a data set in memory, as uint8."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


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
