"""The files of a data set: which are missing, and their bytes, checked."""

from __future__ import annotations

import hashlib
import lzma
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from bench.datasets.errors import DataError

if TYPE_CHECKING:
    from bench.datasets.row import DatasetRow


def stored(path: Path) -> Path | None:
    """The file that holds the content of `path`: itself, or compressed by xz beside it; None = neither is there."""
    compressed = path.with_name(f"{path.name}.xz")
    return next((file for file in (path, compressed) if file.is_file()), None)


def missing(files: Mapping[str, str], root: Path) -> list[str]:
    """The paths of `files` (path -> md5 of the content) that are not under `root`, in order."""
    return [path for path in files if stored(root / path) is None]


def files_to_read(row: DatasetRow, root: Path) -> Mapping[str, str]:
    """The files to read: the canonical ones, or those instead of them if only these are complete."""
    return row.instead if row.instead and missing(row.files, root) and not missing(row.instead, root) else row.files


def expected(files: Mapping[str, str], paths: list[str], root: Path) -> str:
    """One line for an error: which files belong to which path."""
    return ", ".join(f"{root / path} (md5 {files[path]})" for path in paths)


def read_all(name: str, files: Mapping[str, str], root: Path) -> list[bytes]:
    """The content of every file, in order; see `contents`."""
    return list(contents(name, files, root))


def contents(name: str, files: Mapping[str, str], root: Path) -> Iterator[bytes]:
    """The content of one file after the other, each read once and checked before anything looks into it.

    Raises: DataError naming every missing file before the first is read, or the first whose md5 differs.
    """
    if lacking := missing(files, root):
        raise DataError(f"data set {name}: missing {expected(files, lacking, root)}")
    for path, md5 in files.items():
        yield _read(stored(root / path) or root / path, md5, packed=stored(root / path) != root / path)


def _read(path: Path, md5: str, *, packed: bool) -> bytes:
    try:
        content = path.read_bytes()
        content = lzma.decompress(content) if packed else content
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    except lzma.LZMAError as error:
        raise DataError(f"{path}: not an xz file: {error}") from error
    actual = md5_of(content)
    if actual != md5:
        raise DataError(f"{path}: corrupted: expected md5 {md5}, found {actual}; delete it to have it downloaded again")
    return content


def md5_of(content: bytes) -> str:
    """The md5 of a file's content, in hexadecimal: against accidents."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
