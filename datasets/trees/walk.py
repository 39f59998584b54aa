"""What lies in a tree of files, links followed as torchvision follows them; whatever cannot be read is named."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from bench.datasets.errors import DataError
from bench.datasets.files import readable

Identity = tuple[int, int]  # of a folder, whatever leads to it: its device and number


def folders_in(folder: Path) -> list[str]:
    """The names of the folders in a folder, sorted; none if there is no such folder.

    Raises: DataError naming what cannot be read: the folder, or a link in it that leads nowhere.
    """
    if not os.path.lexists(folder):
        return []
    return sorted(name for name in _names(folder) if stat.S_ISDIR(_status(folder / name).st_mode))


def files_below(start: Path, extensions: tuple[str, ...]) -> list[Path]:
    """The files below a folder whose names end so, in torchvision's order.

    Raises: DataError naming a file that is none of pixels, as a pipe, or what cannot be read; or a link to a folder
            that holds it, through which there would be no end of files.
    """
    return [Path(below, name) for below, names in sorted(_walked(str(start), extensions, ())) for name in names]


def _walked(folder: str, extensions: tuple[str, ...], above: tuple[Identity, ...]) -> Iterator[tuple[str, list[str]]]:
    """Each folder from this one on, with the sorted names of the files in it that end so."""
    path = Path(folder)
    status = _status(path)
    identity = status.st_dev, status.st_ino
    if identity in above:
        raise DataError(f"{path}: the same folder as one that it lies in: the link that leads back must be removed")
    files = []
    for name in _names(path):
        mode = _status(path / name).st_mode
        if stat.S_ISDIR(mode):
            yield from _walked(os.path.join(folder, name), extensions, (*above, identity))  # noqa: PTH118 the order
        elif name.lower().endswith(extensions):
            if not stat.S_ISREG(mode):  # to read a pipe may take for ever
                raise DataError(f"{path / name}: no regular file: must be one, or be removed")
            files.append(name)
    yield folder, sorted(files)


def _names(folder: Path) -> list[str]:
    with readable(folder):
        return os.listdir(folder)  # noqa: PTH208 no object for each of a million files


def _status(path: Path) -> os.stat_result:
    with readable(path):
        return path.stat()
