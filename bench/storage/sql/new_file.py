"""A new store in a file: made under another name, so that it is whole or not there, whenever a process is killed.

MLflow makes its tables in some hundred steps, which take seconds; what was begun passes for that of an older MLflow.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

NEW = ".bench-new{}.db"  # the other name, in the same folder; MLflow takes the same one for the same database again


def make_file(uri: str, path: Path, create: Callable[[str], None]) -> None:
    """Make the store at an address that has no file yet; its caller keeps our other processes out of the folder.

    Args: path: of the file. create: makes a store at an address, and leaves no connection.
    """
    new = path.with_name(NEW.format(f"-{uuid4().hex}"))
    try:
        _remove_begun(path.parent)  # of a process that was killed
        create(f"{uri.rpartition('/')[0]}/{new.name}")
        _appear(new, path)
    finally:
        _remove_begun(path.parent)


def _appear(new: Path, path: Path) -> None:
    try:
        os.link(new, path)
    except FileExistsError:  # another program has made one meanwhile
        pass
    except OSError:  # a disk without links
        new.rename(path)


def _remove_begun(folder: Path) -> None:
    """Also what SQLite keeps beside a file: its journal, its log, their index."""
    for file in folder.glob(NEW.format("*") + "*"):
        with suppress(OSError):
            file.unlink(missing_ok=True)
