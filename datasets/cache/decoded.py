"""The decoded arrays of a data set: from the cache, else decoded and put there. Imports no torch.

N images of H × W pixels in C channels.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import warnings
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bench.datasets.cache.kept import Kept, Parts, Shapes, filled, has_kept, open_kept, write_kept
from bench.datasets.errors import DataError
from bench.datasets.files import chosen, contents, stored
from bench.datasets.places import decoded_root

if TYPE_CHECKING:
    from bench.datasets.row import DatasetRow


def decoded(name: str, row: DatasetRow, root: Path) -> Kept:
    """The arrays of a row that has `decode`; mapped from the cache, which is filled first where it lacks them.

    The cache serves files of the same names, sizes and times of change; their content was checked when it was filled.
    Where the cache cannot be written the arrays are this process's own, and a warning says so.
    Raises: DataError if a file is missing or corrupted, or does not hold what `row` says.
    """
    files = chosen(row, root)
    folder, identity = _place(name, row), _identity(name, row, root, files)
    kept = open_kept(folder, identity)
    if kept is not None:
        return kept
    module, _, function = row.decode.partition(":")
    fill = partial(getattr(importlib.import_module(module), function), name, row, root, files)
    reason = "read again, the arrays are not what was written"
    try:
        write_kept(folder, identity, shapes_of(row), fill)
    except OSError as error:
        reason = str(error)
    kept = open_kept(folder, identity)  # ours, or another process's that was faster
    if kept is None:
        warnings.warn(f"{folder}: cannot be kept, so each process decodes data set {name}: {reason}", stacklevel=2)
    return kept or filled(shapes_of(row), fill)


def prepare(name: str, row: DatasetRow, root: Path) -> None:
    """Have the cache hold the arrays, so that several processes that load them need not decode them at once.

    Raises: DataError as `decoded` does.
    """
    if not has_kept(_place(name, row), _identity(name, row, root, chosen(row, root))):
        decoded(name, row, root)


def shapes_of(row: DatasetRow) -> Shapes:
    """Part -> shape and type."""
    channels, height, width = row.image_shape
    counts = {"train": row.train, "test": row.test}
    images = {f"{split}_images": ((n, height, width, channels), np.uint8) for split, n in counts.items()}
    return {**images, **{f"{split}_labels": ((n,), np.int64) for split, n in counts.items()}}


def put(name: str, row: DatasetRow, parts: Parts, split: str, images: NDArray[np.uint8], labels: NDArray[Any]) -> None:
    """Copy the images [N,H,W,C] and labels [N] of a split to `parts`.

    Raises: DataError if they are not what `row` says.
    """
    target = parts[f"{split}_images"]
    if images.shape != target.shape or images.dtype != np.uint8 or labels.shape != target.shape[:1]:
        found = f"{images.dtype} of shape {images.shape}, {len(labels)} labels"
        raise DataError(f"data set {name}: expected {split} images uint8 of shape {target.shape}; found {found}")
    smallest, largest = int(labels.min()), int(labels.max())
    if smallest < 0 or largest >= row.classes:
        label = smallest if smallest < 0 else largest
        raise DataError(f"data set {name}: label {label}: allowed is 0 to {row.classes - 1}")
    target[:] = images
    parts[f"{split}_labels"][:] = labels


def _place(name: str, row: DatasetRow) -> Path:
    """A folder of files keeps its place when a file changes, so that old arrays do not pile up."""
    told = f"{row.folder}@{row.side}" if row.folder else row.content_hash
    shown = Path(row.folder).name if row.folder else name
    return decoded_root() / f"{shown[:64]}-{hashlib.sha256(told.encode()).hexdigest()[:16]}"


def _identity(name: str, row: DatasetRow, root: Path, files: Mapping[str, str]) -> str:
    """SHA-256 over the content hash and the files that are read: their names, sizes and times of change.

    The row of a folder has just been made from its files as they are, so its content hash says it all.
    """
    if row.folder:
        return row.content_hash
    listed = []
    for path in files:
        file = stored(root / path)
        if file is None:
            next(contents(name, files, root))  # raises, naming all that are missing
        else:
            status = file.stat()
            listed.append((path, file.name, status.st_size, status.st_mtime_ns))
    return hashlib.sha256(json.dumps([row.content_hash, listed]).encode()).hexdigest()
