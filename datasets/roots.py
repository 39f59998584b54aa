"""The root folders: of the data, which is the user's, and of what is kept of them in a cache. Imports no torch."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from pathlib import Path
from typing import TYPE_CHECKING

from bench.datasets.errors import DataError
from bench.disk import absolute

if TYPE_CHECKING:
    from bench.datasets.row import DatasetRow

PROJECT = "freeze-or-prune"


def data_root(root: Path | None = None) -> Path:
    """The absolute folder of the data: `root`, else BENCH_DATA_ROOT, else the user's cache folder."""
    if root is not None:
        return absolute(root)
    if named := os.environ.get("BENCH_DATA_ROOT"):
        return absolute(Path(named))
    return _user_cache()


def decoded_root() -> Path:
    """The folder of decoded arrays, in the user's cache folder; whatever lies there may be deleted."""
    return _user_cache() / "decoded"


def cached(name: str, key: str) -> Path:
    """The path below `decoded_root` of what `key` identifies; `name` is there for people to read."""
    return decoded_root() / f"{name[:64]}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"


def checkpoint_root() -> Path:
    """The folder of the checkpoints of trials that were stopped, in the user's cache folder."""
    return _user_cache() / "checkpoints"


def folder_of(name: str, row: DatasetRow, root: Path | None) -> Path:
    """What the paths of a row's files are relative to; a package is found, not imported.

    Raises: DataError if the package is not installed.
    """
    if row.folder:
        return Path(row.folder)
    if not row.package:
        return data_root(root)
    package = importlib.util.find_spec(row.package)
    if package is None or package.origin is None:
        raise DataError(f"data set {name}: needs the package {row.package}, which is not installed")
    return Path(package.origin).parents[1]


def _user_cache() -> Path:
    from platformdirs import user_cache_path

    # Some versions leave "~" in the path if there is no home folder: a folder of that name must not be made.
    return absolute(user_cache_path(PROJECT))
