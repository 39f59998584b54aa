"""Where the files of runs are: in folders beside the store, which may have moved since, or on a server."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from bench.storage.store_uri import DATABASES, local_path

ROOT = "mlruns"  # the folder beside a store that has those of its runs, as MLflow calls it
NAME_LONGEST = 100  # of a sweep's folder: a file system takes 255 bytes, and a path has others
RUN_LENGTH = len("/0123456789abcdef0123456789abcdef/artifacts")  # what a run adds to the address of its sweep's folder
COLUMN = 200  # of a run's address, the length that a database on a server takes


def new_location(uri: str, sweep: str) -> str | None:
    """The address of a new sweep's folder, at a store that is not in the hands of MLflow's server; else None.

    MLflow's own default depends on the working folder.
    Raises: ValueError, in one line, if no folder here has an address that is short enough for the store.
    """
    path = local_path(uri)
    if path is not None:
        return _folder(path.parent, sweep).as_uri()
    if urlsplit(uri).scheme.partition("+")[0] not in DATABASES:
        return None
    here = Path.cwd()
    for folder in (_folder(here, sweep), here / ROOT / _hash(sweep)):
        if (over := len(folder.as_uri()) + RUN_LENGTH - COLUMN) <= 0:
            return folder.as_uri()
    raise ValueError(
        f"store {uri}: the files of runs are kept in the working folder {here}, whose path is too long for the store: "
        f"must be at most {len(str(here)) - over} characters"
    )


def _folder(beside: Path, sweep: str) -> Path:
    name = quote(sweep, safe="")
    return beside / ROOT / (name if len(name) <= NAME_LONGEST else f"{name[: NAME_LONGEST // 2]}-{_hash(sweep)}")


def _hash(sweep: str) -> str:
    return hashlib.sha256(sweep.encode()).hexdigest()[:16]


def folder_of(uri: str, run_uri: str) -> Path | None:
    """The folder of a run's files, by the address that the store has of it; None if they go through a server.

    The one beside the store, even if it is not there yet, unless only the one at the address itself is.
    """
    folders = folders_of(uri, run_uri)
    return next((folder for folder in folders if folder.is_dir()), folders[0] if folders else None)


def folders_of(uri: str, run_uri: str) -> list[Path]:
    """Where that folder may be, in this order: a store that is moved with its files has new addresses for them.

    >>> [f.as_posix() for f in folders_of("sqlite:////new/mlflow.db", "file:///old/mlruns/sweep/0123/artifacts")]
    ['/new/mlruns/sweep/0123/artifacts', '/old/mlruns/sweep/0123/artifacts']
    """
    parts = urlsplit(run_uri)
    if parts.scheme not in ("", "file"):
        return []
    stated, store = Path(unquote(parts.path) if parts.scheme else run_uri), local_path(uri)
    if store is None or ROOT not in stated.parts:
        return [stated]
    return list(dict.fromkeys((store.parent.joinpath(*_from_root(stated)), stated)))


def read(folders: Sequence[Path], file: str) -> bytes:
    """The file from the first of these folders that has it. Raises FileNotFoundError naming where it must be."""
    for folder in folders:
        with suppress(FileNotFoundError):
            return (folder / file).read_bytes()
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), words(folders, file))


def lacks(folders: Sequence[Path], file: str) -> str:
    """Where the file must be, if none of these folders has it; else ""."""
    return "" if any((folder / file).is_file() for folder in folders) else words(folders, file)


def words(folders: Sequence[Path], file: str) -> str:
    """The paths at which the file may be."""
    return " or ".join(str(folder / file) for folder in folders)


def _from_root(folder: Path) -> tuple[str, ...]:
    """The parts of its path from the last ROOT on."""
    parts = folder.parts
    return parts[len(parts) - 1 - parts[::-1].index(ROOT) :]
