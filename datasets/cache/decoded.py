"""The decoded arrays of a data set: from the cache, else decoded and put there. Imports no torch.

N images of H × W pixels in C channels.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bench.datasets.cache.array_folder import (
    Arrays,
    DecodedArrays,
    Shapes,
    in_memory,
    open_arrays,
    stored_statistics,
    write_arrays,
)
from bench.datasets.checks import check_classes, check_counts, check_range, check_statistics
from bench.datasets.errors import DataError
from bench.datasets.files import contents, files_to_read, stored
from bench.datasets.roots import cached

if TYPE_CHECKING:
    from bench.datasets.row import DatasetRow

IMAGE_FILES = 2  # raise it when more image files are refused, whose pixels may be in the cache


def decoded(name: str, row: DatasetRow, root: Path) -> DecodedArrays:
    """The arrays of a row that has `decode`; mapped from the cache, which is filled first if it lacks them.

    The cache serves files of the same names, sizes and times of change; their content was checked when it was filled.
    If the cache cannot be written the arrays are in the memory of this process only, and a warning says so.
    Raises: DataError if a file is missing or corrupted, or does not hold what `row` says.
    """
    files = files_to_read(row, root)
    folder, identity = _cache_folder(name, row), _identity(name, row, root, files)
    arrays = open_arrays(folder, identity)
    if arrays is not None:
        return arrays
    fill = partial(_fill, name, row, root, files)
    reason = "read again, the arrays are not what was written"
    try:
        write_arrays(folder, identity, shapes_of(row), fill)
    except OSError as error:
        reason = str(error)
    arrays = open_arrays(folder, identity)  # ours, or another process's that was faster
    if arrays is None:
        warnings.warn(f"{folder}: cannot be kept, so each process decodes data set {name}: {reason}", stacklevel=2)
    return arrays or in_memory(shapes_of(row), fill)


def prepare(name: str, row: DatasetRow, root: Path) -> None:
    """Have the cache hold the arrays, so that several processes that load them need not decode them at once.

    Raises: DataError as `decoded` does, or if a channel of the training images is constant or nearly so.
    """
    statistics = stored_statistics(_cache_folder(name, row), _identity(name, row, root, files_to_read(row, root)))
    if statistics is None:
        arrays = decoded(name, row, root)
        statistics = arrays.mean, arrays.std
    check_statistics(name, *statistics, channels=row.image_shape[0])


def shapes_of(row: DatasetRow) -> Shapes:
    """Array -> shape and type."""
    channels, height, width = row.image_shape
    counts = {"train": row.train, "test": row.test}
    images = {f"{split}_images": ((n, height, width, channels), np.uint8) for split, n in counts.items()}
    return {**images, **{f"{split}_labels": ((n,), np.int64) for split, n in counts.items()}}


def put(
    name: str, row: DatasetRow, arrays: Arrays, split: str, images: NDArray[np.uint8], labels: NDArray[Any]
) -> None:
    """Copy the images [N,H,W,C] and labels [N] of a split to `arrays`.

    Raises: DataError if they are not what `row` says.
    """
    target = arrays[f"{split}_images"]
    if images.shape != target.shape or images.dtype != np.uint8 or labels.shape != target.shape[:1]:
        actual = f"{images.dtype} of shape {images.shape}, {len(labels)} labels"
        raise DataError(f"data set {name}: expected {split} images uint8 of shape {target.shape}; found {actual}")
    if not np.issubdtype(labels.dtype, np.integer):
        raise DataError(f"data set {name}: {split} labels {labels.dtype}: must be integers")
    check_range(name, labels, row.classes)
    target[:] = images
    arrays[f"{split}_labels"][:] = labels


def _fill(name: str, row: DatasetRow, root: Path, files: Mapping[str, str], arrays: Arrays) -> None:
    """Decode the files; arrays that are not what `row` says never reach the cache."""
    check_counts(name, row.train, row.test)
    resolve_name(row.decode)(name, row, root, files, arrays)
    check_classes(name, arrays["train_labels"], row.classes, smallest=row.smallest_class)


def _cache_folder(name: str, row: DatasetRow) -> Path:
    """A folder of images keeps its path when an image changes, so that old arrays do not pile up."""
    if row.folder:
        classes = f":{row.chosen}" if row.chosen else ""
        return cached(Path(row.folder).name, f"{row.folder}@{row.side}{classes}")
    return cached(name, row.content_hash)


def _identity(name: str, row: DatasetRow, root: Path, files: Mapping[str, str]) -> str:
    """SHA-256 over the content hash and the files that are read: their names, sizes and times of change.

    The row of a folder has just been made from its files as they are, so its content hash says all of them.
    """
    if row.folder:
        return f"{row.content_hash} {IMAGE_FILES}"
    listed = []
    for path in files:
        file = stored(root / path)
        if file is None:
            next(contents(name, files, row, root))  # raises, naming all that are missing
        else:
            status = file.stat()
            listed.append((path, file.name, status.st_size, status.st_mtime_ns))
    return hashlib.sha256(json.dumps([row.content_hash, listed]).encode()).hexdigest()
