"""The names of data sets that are folders: `folder:PATH` or `folder:PATH@SIDE`. Imports no torch."""

from __future__ import annotations

import os
import re
from pathlib import Path

from bench.datasets.errors import DataError
from bench.disk import absolute as home_resolved

PREFIX = "folder:"


def parse(name: str) -> tuple[Path, int]:
    """The absolute folder and the SIDE of `folder:PATH` or `folder:PATH@SIDE`; 0 = no SIDE.

    Raises: DataError if PATH is no folder.
    """
    match = re.fullmatch(r"folder:(.+?)(?:@([1-9]\d{0,3}))?", name, re.DOTALL)
    if match:
        folder = Path(os.path.normpath(home_resolved(Path(match[1]))))  # without "..": the last component is a name
        if folder.is_dir():
            return folder, int(match[2] or 0)
    raise DataError(f"data set {name!r}: must be folder:PATH or folder:PATH@SIDE, PATH a folder, SIDE 1 to 9999")


def absolute(name: str) -> str:
    """The same name for a process that works elsewhere: of `folder:PATH` with PATH absolute."""
    return _named(*parse(name)) if name.startswith(PREFIX) else name


def label(name: str) -> str:
    """What a trial calls the data set: of `folder:PATH` only the last component of PATH, wherever that lies.

    >>> label("folder:/usr/../usr@64"), label("mnist")
    ('folder:usr@64', 'mnist')
    """
    if not name.startswith(PREFIX):
        return name
    folder, side = parse(name)
    return _named(Path(folder.name), side)


def _named(folder: Path, side: int) -> str:
    return f"{PREFIX}{folder}{f'@{side}' if side else ''}"
