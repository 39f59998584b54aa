"""ImageData: a data set in memory, as uint8."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from bench.datasets.cache.array_folder import DecodedArrays
from bench.datasets.cache.decoded import decoded
from bench.datasets.checks import check_classes, check_counts, check_range, check_statistics
from bench.datasets.errors import DataError

if TYPE_CHECKING:
    from bench.datasets.row import DatasetRow


@dataclass(frozen=True, kw_only=True)
class ImageData:
    """The images of one data set. N images, C channels, H × W pixels.

    Raises: DataError, one line naming the data set, if a field is not as below; or if a class has no training image, or
            a channel no spread to normalise. There may be no test images, as when they are withheld.
    """

    name: str
    classes: int
    train_images: Tensor  # uint8 [N, C, H, W]
    train_labels: Tensor  # int64 [N]
    test_images: Tensor
    test_labels: Tensor
    mean: tuple[float, ...]  # per channel over the whole training set, of pixels scaled to [0, 1]
    std: tuple[float, ...]
    content_hash: str = ""  # of its row; "" of images that were made, not loaded

    def __post_init__(self) -> None:
        train, test = (self.train_images, self.train_labels), (self.test_images, self.test_labels)
        for split, (images, labels) in {"training": train, "test": test}.items():
            _check_split(f"data set {self.name}: {split}", images, labels, self.train_images.shape[1:])
            check_range(self.name, labels.cpu().numpy(), self.classes)
        check_classes(self.name, self.train_labels.cpu().numpy(), self.classes)
        check_statistics(self.name, self.mean, self.std, channels=self.train_images.shape[1])

    @property
    def image_shape(self) -> tuple[int, ...]:
        """(C, H, W)."""
        return tuple(self.train_images.shape[1:])


def check_content(data: ImageData, content_hash: str) -> None:
    """Whether a data set that was loaded is the one with that content hash.

    Raises: DataError naming both, if it is another.
    """
    if data.content_hash not in ("", content_hash):
        words = f"content {data.content_hash[:12]}: must be {content_hash[:12]}, that of the trial"
        raise DataError(f"data set {data.name}: {words}")


def _check_split(subject: str, images: Tensor, labels: Tensor, image_shape: torch.Size) -> None:
    if images.dtype != torch.uint8 or images.ndim != 4:
        raise DataError(
            f"{subject} images {images.dtype} of shape {tuple(images.shape)}: must be torch.uint8 [N,C,H,W]"
        )
    if images.shape[1:] != image_shape:
        raise DataError(
            f"{subject} images of shape {tuple(images.shape[1:])}: must be {tuple(image_shape)}, as in training"
        )
    if labels.dtype != torch.int64 or labels.shape != images.shape[:1]:
        actual = f"{labels.dtype} of shape {tuple(labels.shape)}"
        raise DataError(f"{subject} labels {actual}: must be torch.int64 of shape {tuple(images.shape[:1])}")


def check_row(name: str, row: DatasetRow, data: ImageData) -> None:
    """Whether a data set is what its row says, which the size of the model and of the splits were checked against.

    Raises: DataError naming what differs.
    """
    check_counts(name, row.train, row.test)
    if data.classes != row.classes:
        raise DataError(f"data set {name}: {data.classes} classes: must be {row.classes}, as its row says")
    for split, images, count in (("training", data.train_images, row.train), ("test", data.test_images, row.test)):
        if images.shape != (count, *row.image_shape):
            expected = (count, *row.image_shape)
            raise DataError(
                f"data set {name}: {split} images of shape {tuple(images.shape)}: must be {expected}, as its row says"
            )
    check_classes(name, data.train_labels.cpu().numpy(), row.classes, smallest=row.smallest_class)


def load(name: str, row: DatasetRow, root: Path) -> ImageData:
    """The decoded arrays of a row that has `decode`; the images lie in memory with their channels last.

    Raises: DataError if a file is missing or corrupted, or does not hold what `row` says.
    """
    return of_arrays(name, row.classes, decoded(name, row, root))


def of_arrays(name: str, classes: int, stored: DecodedArrays) -> ImageData:
    """The arrays as a data set."""
    arrays = {key: torch.from_numpy(array) for key, array in stored.arrays.items()}
    return ImageData(
        name=name,
        classes=classes,
        train_images=arrays["train_images"].permute(0, 3, 1, 2),
        train_labels=arrays["train_labels"],
        test_images=arrays["test_images"].permute(0, 3, 1, 2),
        test_labels=arrays["test_labels"],
        mean=stored.mean,
        std=stored.std,
    )
