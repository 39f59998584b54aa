"""The files of a data set: which are missing, and their bytes, checked."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from datasets.errors import DataError


def missing(files: Mapping[str, str], root: Path) -> list[str]:
    """The paths of `files` (path -> md5) that are not under `root`, in order."""
    return [path for path in files if not (root / path).is_file()]


def expected(files: Mapping[str, str], paths: list[str], root: Path) -> str:
    """One line for an error: which files belong where."""
    return ", ".join(f"{root / path} (md5 {files[path]})" for path in paths)


def read_all(name: str, files: Mapping[str, str], root: Path) -> list[bytes]:
    """The bytes of every file, in order, each read once and checked before anything looks into it.

    Raises: DataError naming every missing file, or the first whose md5 differs.
    """
    if lacking := missing(files, root):
        raise DataError(f"data set {name}: missing {expected(files, lacking, root)}")
    return [_read(root / path, md5) for path, md5 in files.items()]


def _read(path: Path, md5: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if found != md5:
        raise DataError(f"{path}: corrupted: expected md5 {md5}, found {found}; delete it to have it downloaded again")
    return content
