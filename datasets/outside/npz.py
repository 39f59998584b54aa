"""`npz:PATH`: a file that numpy.savez or savez_compressed wrote, or Keras. Imports no torch, and unpickles nothing."""

from __future__ import annotations

import zipfile
from functools import partial
from pathlib import Path

import numpy as np

from bench.datasets.errors import DataError
from bench.datasets.names import label, parse
from bench.datasets.outside.arrays import KERAS, NAMES, Given, named
from bench.datasets.outside.kept import row_of_arrays
from bench.datasets.row import DatasetRow


def row(name: str, root: Path | None) -> DatasetRow:
    """The row of the file, which is read only if it is new here.

    Raises: DataError if it is no such file, or holds no data set that can be trained on.
    """
    path = parse(name).path
    assert path is not None
    status = path.stat()
    key = (str(path), status.st_size, status.st_mtime_ns)
    return row_of_arrays(label(name), partial(read, label(name), path), key, memory=str(path))


def read(name: str, path: Path) -> Given:
    """The arrays in the file."""
    wanted = {*NAMES, *KERAS, "layout"}
    try:
        file = np.load(path, allow_pickle=False)
        if not isinstance(file, np.lib.npyio.NpzFile):
            raise DataError(f"data set {name}: {path} has one array: must be an .npz file of several")
        with file:
            return named(name, {key: file[key] if key in wanted else None for key in file.files})
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        if isinstance(error, DataError):
            raise
        reason = "holds pickled objects, which are not read" if "allow_pickle" in str(error) else "no .npz file"
        raise DataError(f"data set {name}: {path}: {reason}: must hold arrays of numbers") from error
