"""CIFAR-10's binary version; the python versions of CIFAR-10 and CIFAR-100, and SVHN, through torchvision.

N images of H × W pixels in C channels (red, green, blue).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bench.datasets.cache.array_folder import Arrays
from bench.datasets.cache.decoded import put
from bench.datasets.errors import DataError
from bench.datasets.files import contents

if TYPE_CHECKING:
    from bench.datasets.row import DatasetRow


def decode(name: str, row: DatasetRow, root: Path, files: Mapping[str, str], arrays: Arrays) -> None:
    """Fill `arrays` from the binary version, or from the python version if `files` are that: no other way to tell.

    A record of the binary version: a byte of label, then C planes of H rows of W bytes. Unpickles nothing in it.
    Source: A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, technical report, 2009.
    Raises: DataError if a file is missing or corrupted, or does not hold what `row` says.
    """
    if files == row.instead:
        return through_torchvision(name, row, root, files, arrays)
    records: dict[str, list[NDArray[np.uint8]]] = {"train": [], "test": []}
    channels, height, width = row.image_shape
    size = 1 + channels * height * width
    for path, content in zip(files, contents(name, files, row, root), strict=True):
        if len(content) % size:
            raise DataError(f"{root / path}: expected records of {size} bytes; found {len(content)} bytes")
        split = "test" if Path(path).name.startswith("test") else "train"
        records[split].append(np.frombuffer(content, np.uint8).reshape(-1, size))
    for split, of_split in records.items():
        every = np.concatenate([np.empty((0, size), np.uint8), *of_split])
        images = every[:, 1:].reshape(-1, channels, height, width)
        put(name, row, arrays, split, images.transpose(0, 2, 3, 1), every[:, 0])
    return None


def through_torchvision(name: str, row: DatasetRow, root: Path, files: Mapping[str, str], arrays: Arrays) -> None:
    """Fill `arrays` from torchvision's `row.source`, whose files are pickles or MATLAB's: checked before it reads them.

    Raises: DataError if a file is missing or corrupted, or does not hold what `row` says.
    """
    for _ in contents(name, files, row, root):
        pass
    owner = resolve_name(row.source)
    for split in ("train", "test"):
        images, labels = _of_torchvision(owner, root, split)
        put(name, row, arrays, split, images, labels)


def _of_torchvision(owner: Any, root: Path, split: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Images [N,H,W,C] and labels [N]; SVHN takes the split's name and holds [N,C,H,W]."""
    try:
        if hasattr(owner, "split_list"):
            data = owner(root, split=split)
            return data.data.transpose(0, 2, 3, 1), data.labels
        data = owner(root, train=split == "train")
        return data.data, np.asarray(data.targets)
    except RuntimeError as error:
        raise DataError(f"{root}: torchvision's {owner.__name__} says: {error}") from error
