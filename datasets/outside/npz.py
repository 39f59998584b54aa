"""`npz:PATH`: a file that numpy.savez or savez_compressed wrote, or Keras. Imports no torch, and unpickles nothing."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Collection
from functools import partial
from math import prod
from pathlib import Path

import numpy as np

from bench.datasets.errors import DataError
from bench.datasets.names import label, parse
from bench.datasets.outside.arrays import KERAS, NAMES, Given, named
from bench.datasets.outside.kept import row_of_arrays
from bench.datasets.row import DatasetRow

ZIP = b"PK\x03\x04"  # what an archive of arrays begins with


def row(name: str, root: Path | None) -> DatasetRow:
    """The row of the file, which is read only if it is new here.

    Raises: DataError if it is no such file, or holds no data set that can be trained on.
    """
    path = parse(name).path
    assert path is not None
    status = path.stat()
    key = (str(path), status.st_size, status.st_mtime_ns)
    return row_of_arrays(label(name), partial(read, label(name), path), key, memory=str(path))


def _check_sizes(name: str, path: Path, wanted: Collection[str]) -> None:
    """Raise DataError if an array is not what the file has of it, or the memory does not hold them all.

    numpy allocates what an array's header says before it reads a value.
    """
    total = 0
    with path.open("rb") as file:
        if file.read(len(ZIP)) != ZIP:
            return  # one array, which is said below
        with zipfile.ZipFile(file) as archive:
            for member in (member for member in archive.infolist() if member.filename in wanted):
                declared, stored = _sizes(archive, member)
                if declared != stored:
                    key = member.filename.removesuffix(".npy")
                    raise DataError(
                        f"data set {name}: {path}: {key} of {declared:,} bytes by its header: the file has {stored:,}"
                    )
                total += declared
    if total > (memory := os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")):
        raise DataError(f"data set {name}: {path}: arrays of {total:,} bytes: this machine's memory has {memory:,}")


def _sizes(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> tuple[int, int]:
    """The bytes of an array's values as its header declares them, and as the archive has them."""
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read_header(file)
        if dtype.hasobject:  # pickled: of any length, and refused when it is read
            return 0, 0
        return prod(shape) * dtype.itemsize, member.file_size - file.tell()


def read(name: str, path: Path) -> Given:
    """The arrays in the file."""
    wanted = {*NAMES, *KERAS, "layout"}
    try:
        _check_sizes(name, path, {f"{key}.npy" for key in wanted})
        file = np.load(path, allow_pickle=False)
        if not isinstance(file, np.lib.npyio.NpzFile):
            raise DataError(f"data set {name}: {path} has one array: must be an .npz file of several")
        with file:
            return named(name, {key: file[key] if key in wanted else None for key in file.files})
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, RuntimeError) as error:
        if isinstance(error, DataError):
            raise
        reason = "holds pickled objects, which are not read" if "allow_pickle" in str(error) else "no .npz file"
        raise DataError(f"data set {name}: {path}: {reason}: must hold arrays of numbers") from error
