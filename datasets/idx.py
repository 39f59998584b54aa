"""MNIST and its like: gzipped IDX files in torchvision's layout, read without unpacking them on disk."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from bench.datasets.errors import DataError
from bench.datasets.files import read_all
from bench.datasets.images import ImageData
from bench.datasets.statistics import mean_std

if TYPE_CHECKING:
    from bench.datasets import DatasetRow

UNSIGNED_BYTE = 8  # the IDX type code


def load(name: str, row: DatasetRow, root: Path) -> ImageData:
    """Read the four files of `row`: training images, training labels, test images, test labels, in this order.

    Raises: DataError if a file is missing or corrupted, or does not hold what `row` says.
    """
    contents = zip(row.files, read_all(name, row.files, row, root), strict=True)
    _, height, width = row.image_shape
    shapes = ((row.train, height, width), (row.train,), (row.test, height, width), (row.test,))
    arrays = [_parse(root / path, content, shape) for (path, content), shape in zip(contents, shapes, strict=True)]
    train_images, train_labels, test_images, test_labels = arrays
    mean, std = mean_std(train_images.unsqueeze(1))
    return ImageData(
        name=name,
        classes=row.classes,
        train_images=train_images.unsqueeze(1),
        train_labels=train_labels.to(torch.int64),
        test_images=test_images.unsqueeze(1),
        test_labels=test_labels.to(torch.int64),
        mean=mean,
        std=std,
    )


def _parse(path: Path, content: bytes, shape: tuple[int, ...]) -> Tensor:
    """The uint8 array of a gzipped IDX file: 0, 0, type, number of axes, big-endian sizes, values."""
    try:
        raw = bytearray(gzip.decompress(content))
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: not a gzip file: {error}") from error
    header = struct.pack(f">HBB{len(shape)}I", 0, UNSIGNED_BYTE, len(shape), *shape)
    if raw[: len(header)] != header or len(raw) != len(header) + math.prod(shape):
        actual = f"{len(raw)} bytes that begin with {raw[: len(header)].hex()}"
        raise DataError(f"{path}: expected unsigned bytes in IDX format, of shape {shape}; found {actual}")
    return torch.frombuffer(raw, dtype=torch.uint8, offset=len(header)).reshape(shape)
