"""A folder of arrays on disk: written once, as a whole, and mapped into memory by every process that reads it.

A `.npy` file for each array, and a header that says what they were made from and their checksums. The folder is written
under another name and then renamed: one of the right name is complete. Imports no torch.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import DTypeLike, NDArray

from bench.datasets.statistics import Statistics, mean_std_of
from bench.disk import remove_abandoned

Arrays = Mapping[str, NDArray[Any]]  # {train,test}_images uint8 [N,H,W,C] and {train,test}_labels int64 [N]
Shapes = Mapping[str, tuple[tuple[int, ...], DTypeLike]]
Fill = Callable[[Arrays], None]

FORMAT = 1  # raise it when the files below are written in another way
HEADER = "header.json"
WRITING = ".writing-"  # prefix of a folder that is not complete


@dataclass(frozen=True, kw_only=True)
class DecodedArrays:
    """The arrays of a data set, with the training images' mean and standard deviation per channel."""

    arrays: Arrays
    mean: tuple[float, ...]
    std: tuple[float, ...]


def in_memory(shapes: Shapes, fill: Fill) -> DecodedArrays:
    """The arrays, in the memory of this process only."""
    arrays = {name: np.empty(shape, dtype) for name, (shape, dtype) in shapes.items()}
    fill(arrays)
    mean, std = mean_std_of(arrays["train_images"])
    return DecodedArrays(arrays=arrays, mean=mean, std=std)


def stored_statistics(folder: Path, identity: str) -> Statistics | None:
    """(mean, std) by the header of `folder`, if it says that it was made from `identity`; no array is looked at."""
    header = _header(folder, identity)
    try:
        return None if header is None else (tuple(header["mean"]), tuple(header["std"]))
    except (KeyError, TypeError):
        return None


def open_arrays(folder: Path, identity: str) -> DecodedArrays | None:
    """The arrays that were written of `identity`, checked; None if there are none, or others, or damaged ones."""
    header = _header(folder, identity)
    if header is None:
        return None
    try:
        # Copy on write: torch warns of arrays that cannot be written to, and nothing reaches the file.
        arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="c") for name in header["crc32"]}
        damaged = [name for name, array in arrays.items() if _crc32(array) != header["crc32"][name]]
        stored = DecodedArrays(arrays=arrays, mean=tuple(header["mean"]), std=tuple(header["std"]))
    except (OSError, EOFError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return None if damaged else stored


def write_arrays(folder: Path, identity: str, shapes: Shapes, fill: Fill) -> None:
    """Make `folder` hold the arrays of `identity`, which `fill` writes; what was there is replaced.

    Raises: OSError if the folder cannot be written; whatever `fill` raises.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    remove_abandoned(folder.parent, WRITING)
    temporary = Path(tempfile.mkdtemp(prefix=WRITING, dir=folder.parent))
    try:
        new = temporary / "new"
        new.mkdir()
        arrays = {name: _allocate(new / f"{name}.npy", *shapes[name]) for name in shapes}
        fill(arrays)
        mean, std = mean_std_of(arrays["train_images"])
        header = {
            "format": FORMAT,
            "identity": identity,
            "crc32": {name: _crc32(array) for name, array in arrays.items()},
            "mean": mean,
            "std": std,
        }
        for array in arrays.values():
            array.flush()
        (new / HEADER).write_text(json.dumps(header, indent=1))
        _put(new, folder, identity, temporary / "old")
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _put(new: Path, folder: Path, identity: str, old: Path) -> None:
    """Rename `new` to `folder`, unless another process has just written the same there."""
    if folder.exists():
        if open_arrays(folder, identity) is not None:
            return
        folder.rename(old)
    new.rename(folder)


def _header(folder: Path, identity: str) -> dict[str, Any] | None:
    try:
        header = json.loads((folder / HEADER).read_text())
    except (OSError, ValueError):
        return None
    same = isinstance(header, dict) and (header.get("format"), header.get("identity")) == (FORMAT, identity)
    return header if same else None


def _allocate(path: Path, shape: tuple[int, ...], dtype: DTypeLike) -> np.memmap[Any, Any]:
    array: np.memmap[Any, Any] = open_memmap(path, mode="w+", dtype=np.dtype(dtype), shape=shape)
    if hasattr(os, "posix_fallocate"):  # else a disk that is full kills the process at the first write beyond it
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return array


def _crc32(array: NDArray[Any]) -> int:
    """Against accidents, as in a zip archive: whoever can write the arrays can write the header too."""
    return zlib.crc32(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
