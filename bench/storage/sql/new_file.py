"""A new store in a file: made under another name, so that it is whole or not there, whenever a process is killed.

MLflow makes its tables in some hundred steps, which take seconds; what was begun passes for that of an older MLflow.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

NEW = ".bench-new.db"  # the other name, in the same folder


def make_file(uri: str, path: Path, create: Callable[[str], None]) -> None:
    """Make the store at an address that has no file yet; its caller keeps our other processes out of the folder.

    Args: path: of the file. create: makes a store at an address, and leaves no connection.
    """
    new = path.with_name(NEW)
    rests = (new, *(new.with_name(f"{NEW}-{part}") for part in ("journal", "wal", "shm")))
    try:
        _remove(rests)  # of a process that was killed
        create(f"{uri.rpartition('/')[0]}/{NEW}")
        _appear(new, path)
    finally:
        _remove(rests)


def _appear(new: Path, path: Path) -> None:
    try:
        os.link(new, path)
    except FileExistsError:  # another program has made one meanwhile
        pass
    except OSError:  # a disk without links
        new.rename(path)


def _remove(files: tuple[Path, ...]) -> None:
    for file in files:
        with suppress(OSError):
            file.unlink(missing_ok=True)
