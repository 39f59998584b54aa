"""Files between processes: written whole, and locked. Imports nothing of ours: every room may import it."""

from __future__ import annotations

import fcntl
import math
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

POLL_SECONDS = 0.05  # between two tries to lock
_HELD = threading.local()  # the files and folders that a thread has locked


def absolute(path: Path) -> Path:
    """The path from the root folder on, with a home folder in the place of "~" or "~user".

    Raises: ValueError if no such home folder is known.
    """
    try:
        return path.expanduser().absolute()
    except RuntimeError as error:
        raise ValueError(f"{path}: no home folder is known for {path.parts[0]}") from error


def write_whole(file: Path, data: bytes) -> None:
    """Write a file that is there as a whole or not at all, also after a crash."""
    unfinished = file.with_name(f".{file.name}.{uuid4().hex}.part")
    try:
        with unfinished.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)
    with _opened(file.parent) as folder:
        os.fsync(folder)


def make_folder(folder: Path) -> None:
    """Create a folder, and those above it that are missing, so that they are there after a crash too."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in missing:
        with suppress(PermissionError), _opened(path.parent) as descriptor:  # it may be written and not read
            os.fsync(descriptor)


ABANDONED_SECONDS = 24 * 3600.0  # after which the writer of a folder that is not complete is taken to have been killed


def remove_abandoned(parent: Path, prefix: str) -> None:
    """Remove the folders of that prefix whose writers were killed, as far as can be told of a disk that is shared."""
    for folder in parent.glob(f"{prefix}*"):
        try:
            abandoned = time.time() - folder.stat().st_mtime > ABANDONED_SECONDS
        except OSError:  # its writer has just ended
            continue
        if abandoned:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def locked(path: Path, on_wait: Callable[[], None], seconds: float = math.inf) -> Iterator[None]:
    """Keep out other processes that lock the same file or folder; without effect if the file system has no locks.

    Who has the lock may take it again: an offline folder is locked while it is imported into a store that lies in it.

    Args:   on_wait: called once if another process has the lock; seconds: the longest wait for it.
    Raises: TimeoutError after that.
    """
    held: set[tuple[int, int]] = _HELD.__dict__.setdefault("files", set())
    with _opened(path) as descriptor:
        status = os.fstat(descriptor)
        file = status.st_dev, status.st_ino
        if file in held:  # it would wait for itself
            yield
            return
        held.add(file)
        try:
            if not _take(descriptor):
                on_wait()
                _wait(descriptor, seconds)
            yield
        finally:
            held.discard(file)


def _take(descriptor: int) -> bool:
    """Lock the file unless another process has it; True too if there are no locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _wait(descriptor: int, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not _take(descriptor):
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(POLL_SECONDS)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """The file or folder, a file for writing if that is permitted: over NFS nothing else can be locked."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except (IsADirectoryError, PermissionError):
        descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
