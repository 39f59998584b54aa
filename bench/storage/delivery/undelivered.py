"""Finished trials on the disk until the store has them, so that neither a kill nor a store out of reach loses one."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from bench.disk import POLL_SECONDS, locked, make_folder
from bench.messages import say
from bench.storage.delivery.folders import folder_of
from bench.storage.entry import Entry, network_name
from bench.storage.offline_folder import file_name, write
from bench.storage.ownership.owner import Owner

WAITING = "another process is delivering what an earlier command left there; waiting for its end"
_OPEN: set[Path] = set()  # folders of commands that this process carries out
LOCK = ".lock"  # of a command's folder; it names the owner


class Undelivered:
    """An offline folder of what one command has finished and the store does not have yet.

    The command keeps it locked as long as it lives: so another tells what is left over from what is on its way.
    """

    def __init__(self, uri: str) -> None:
        self.folder = folder_of(uri) / f"{platform.node()}-{os.getpid()}-{time.time_ns()}"
        self._files: dict[tuple[str, str], list[Path]] = {}  # run key and outcome -> the entry's files
        self._lock: ExitStack | None = None
        self._warned = False

    def put(self, entry: Entry) -> None:
        """Have the entry on the disk, if that can be written; if not, say so once."""
        try:
            written = self._written(entry)
        except OSError as error:
            if not self._warned:
                lost = "what is not in the store yet would be lost with this process"
                say(f"warning: {self.folder}: cannot be written: {error.strerror or error}; {lost}")
            self._warned = True
            return
        network = [self.folder / network_name(written)] if written.network_sha256 else []
        self._files[entry.run_key, entry.result.outcome] = [self.folder / file_name(entry), *network]

    def _written(self, entry: Entry) -> Entry:
        if self._lock is not None and not self.folder.is_dir():  # somebody has removed it
            self._lock.close()
            self._lock = None
        self._lock = self._lock or _locked_folder(self.folder)
        _OPEN.add(self.folder)
        (self.folder / LOCK).touch()  # a sign of life
        return write(self.folder / file_name(entry), [entry])[0]

    def has(self, entry: Entry) -> bool:
        """Whether the entry is on the disk."""
        return (entry.run_key, entry.result.outcome) in self._files

    def remove(self, entry: Entry) -> None:
        """Forget an entry that the store has; its line before the network that the line names."""
        for file in self._files.pop((entry.run_key, entry.result.outcome), ()):
            with suppress(OSError):
                file.unlink()

    def close(self) -> None:
        """Unlock the folder, and remove it if nothing is left in it."""
        _OPEN.discard(self.folder)
        if self._lock is not None:
            remove_if_empty(self.folder)
            self._lock.close()


@contextmanager
def taken(folder: Path) -> Iterator[bool]:
    """Keep a command's folder from others; whether that is possible: not while the command lives.

    If another delivers what a command that is gone has left, that is waited for: else its trials would be trained
    again meanwhile. Where files cannot be locked, the owner that a folder names decides.
    """
    if folder in _OPEN:
        yield False
        return
    with ExitStack() as stack:
        try:
            try:
                stack.enter_context(locked(_lock_of(folder), lambda: None, 0))
            except TimeoutError:
                if _is_left(folder / LOCK):
                    stack.enter_context(locked(folder / LOCK, partial(say, f"{folder}: {WAITING}")))
            is_left = _is_left(folder / LOCK)
        except FileNotFoundError:  # delivered meanwhile
            is_left = False
        yield is_left


def _lock_of(folder: Path) -> Path:
    with suppress(FileExistsError):
        (folder / LOCK).touch(exist_ok=False)
    return folder / LOCK


def _is_left(lock: Path) -> bool:
    """Whether the command that a lock names is gone; one that names none was killed before it wrote a result."""
    owner = Owner.of(lock.read_text())
    if owner is None or owner == replace(Owner.here(), alive=owner.alive):
        return True
    return replace(owner, alive=max(owner.alive, lock.stat().st_mtime)).is_gone()


def remove_if_empty(folder: Path) -> None:
    """Remove a command's folder, and that of its store, unless results are in them."""
    with suppress(OSError):
        if all(path.name == LOCK for path in folder.iterdir()):
            (folder / LOCK).unlink(missing_ok=True)
            folder.rmdir()
            folder.parent.rmdir()


def _locked_folder(folder: Path) -> ExitStack:
    """Create the folder, and lock it. One that delivers what is left may remove an empty folder at any moment."""
    lock = folder / LOCK
    while True:
        with ExitStack() as stack, suppress(FileNotFoundError, TimeoutError):
            make_folder(folder)
            lock.write_text(Owner.here().tag())
            stack.enter_context(locked(lock, lambda: None, 0))
            if lock.is_file():
                return stack.pop_all()
        time.sleep(POLL_SECONDS)
