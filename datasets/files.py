"""The files of a data set: which are missing, and their bytes, checked."""

from __future__ import annotations

import hashlib
import lzma
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from bench.datasets.errors import DataError
from bench.messages import shortened

if TYPE_CHECKING:
    from bench.datasets.row import DatasetRow

PIXEL = 4  # bytes of a value of 8 bits as text, with a comma
BESIDE_PIXELS = 256  # bytes for each image beside its pixels: labels, its name in a pickle
HEADERS = 1 << 20
LONGEST_LINK = 60  # characters of where a link leads, in an error


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Raises: DataError naming the path, and where it leads to if it is a link, for an OSError in here."""
    try:
        yield
    except OSError as error:
        link = f" a link to {shortened(str(path.readlink()), LONGEST_LINK)!r}:" if path.is_symlink() else ""
        raise DataError(f"{path}:{link} cannot be read: {error.strerror}") from error


def is_file(path: Path) -> bool:
    """Whether a regular file is there. Raises DataError if that cannot be told."""
    with readable(path):
        return path.is_file()


def stored(path: Path) -> Path | None:
    """The file that holds the content of `path`: itself, or compressed by xz beside it; None = neither is there."""
    return next((file for file in (path, Path(f"{path}.xz")) if is_file(file)), None)


def missing(files: Mapping[str, str], root: Path) -> list[str]:
    """The paths of `files` (path -> md5 of the content) that are not under `root`, in order."""
    return [path for path in files if stored(root / path) is None]


def files_to_read(row: DatasetRow, root: Path) -> Mapping[str, str]:
    """The files to read: the canonical ones, or those instead of them if only these are complete."""
    return row.instead if row.instead and missing(row.files, root) and not missing(row.instead, root) else row.files


def expected(files: Mapping[str, str], paths: list[str], root: Path) -> str:
    """One line for an error: which files belong to which path."""
    return ", ".join(f"{root / path} (md5 {files[path]})" for path in paths)


def read_all(name: str, files: Mapping[str, str], row: DatasetRow, root: Path) -> list[bytes]:
    """The content of every file, in order; see `contents`."""
    return list(contents(name, files, row, root))


def contents(name: str, files: Mapping[str, str], row: DatasetRow, root: Path) -> Iterator[bytes]:
    """The content of one file after the other, each read once and checked before anything looks into it.

    Raises: DataError naming every missing file before the first is read, or the first whose md5 differs.
    """
    most = _largest(row)
    if lacking := missing(files, root):
        raise DataError(f"data set {name}: missing {expected(files, lacking, root)}")
    for path, md5 in files.items():
        yield _read(stored(root / path) or root / path, md5, most if stored(root / path) != root / path else None)


def _largest(row: DatasetRow) -> int:
    """Bytes that no file of the data set exceeds, unpacked: its pixels as text, with room for labels and names."""
    return (row.train + row.test) * (PIXEL * prod(row.image_shape) + BESIDE_PIXELS) + HEADERS


def _read(path: Path, md5: str, most: int | None) -> bytes:
    """The content of a file; of one that is packed, at most so many bytes: a few packed ones can be gigabytes."""
    try:
        with readable(path):
            content = path.read_bytes() if most is None else _unpacked(path, most)
    except (lzma.LZMAError, EOFError) as error:
        raise DataError(f"{path}: not an xz file: {error}") from error
    actual = md5_of(content)
    if actual != md5:
        raise DataError(f"{path}: corrupted: expected md5 {md5}, found {actual}; delete it to have it downloaded again")
    return content


def _unpacked(path: Path, most: int) -> bytes:
    with lzma.open(path) as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise DataError(f"{path}: corrupted: holds more than the {most:,} bytes that its data set has at the most")
    return content


def md5_of(content: bytes) -> str:
    """The md5 of a file's content, in hexadecimal: against accidents."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
