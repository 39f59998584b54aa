"""The offline folder: one small file per finished trial with a line of JSON, and its network beside it. `bench import`
stores them in MLflow later.

A file is written under another name, forced to the disk and renamed: a killed process leaves only whole files, and
several processes and machines may write to one folder. Imports neither Ray nor MLflow.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from bench import names
from bench.disk import absolute, make_folder, write_whole
from bench.methods import Method
from bench.storage.entry import (
    NETWORK_SUFFIX,
    Entry,
    EntryListener,
    OnStored,
    decode,
    encode,
    ignore_stored,
    network_name,
)
from bench.storage.ownership.boards import FolderBoard
from bench.storage.ownership.claims import Claims
from bench.storage.store_uri import check_folder
from bench.storage.tracking import csv_files
from bench.trial.result import SweepError, TrialResult


def read(path: Path) -> list[Entry]:
    """The entries of a file, or of all files of a folder except hidden ones, networks and tables; writes nothing.

    Raises: ValueError naming the file and the line that is no entry, or the file that cannot be read.
    """
    return list(_entries(path, _raise))


def read_what_is_whole(path: Path) -> tuple[list[Entry], list[str]]:
    """The entries that can be read, and a line for each that cannot, naming the file, its line and the reason."""
    problems: list[str] = []
    return list(_entries(path, lambda error: problems.append(str(error)))), problems


def _raise(error: ValueError) -> None:
    raise error


def _entries(path: Path, on_problem: Callable[[ValueError], None]) -> Iterator[Entry]:
    files = [path]
    if path.is_dir():
        files = sorted(_visible(path))
    for file in files:
        yield from _entries_of(file, on_problem)


def _visible(folder: Path) -> Iterator[Path]:
    """All files of a folder except hidden ones, networks and tables."""
    visible = (f for f in folder.iterdir() if f.name[0] != "." and f.name != csv_files.FOLDER)
    return (f for f in visible if f.suffix != NETWORK_SUFFIX)


def _entries_of(file: Path, on_problem: Callable[[ValueError], None]) -> Iterator[Entry]:
    try:
        lines = file.read_bytes().removesuffix(b"\n").split(b"\n")
    except IsADirectoryError:
        on_problem(ValueError(f"{file}: a folder in a folder; must be given itself"))
        return
    except OSError as error:
        on_problem(ValueError(f"{file}: cannot be read: {error.strerror}"))
        return
    for number, line in enumerate(lines, 1):
        try:
            entry = _with_network_path(decode(line), file.parent)
        except ValueError as error:
            on_problem(ValueError(f"{file}, line {number}: {error}"))
        else:
            yield entry


def _with_network_path(entry: Entry, folder: Path) -> Entry:
    """The entry with the path of its network. Raises ValueError if that file is missing or damaged."""
    if not entry.network_sha256:
        return entry
    path = folder / network_name(entry)
    located = replace(entry, result=replace(entry.result, artefact=path))
    try:
        actual = hashlib.sha256(contents(located.result)).hexdigest()
    except OSError as error:
        raise ValueError(f"its network {path} cannot be read: {error.strerror}") from error
    if actual != entry.network_sha256:
        raise ValueError(f"its network {path} is corrupted: expected SHA-256 {entry.network_sha256}, found {actual}")
    return located


def write(file: Path, entries: Sequence[Entry]) -> list[Entry]:
    """Write the entries to a file that is there whole or not at all, now or after a crash; their networks first.

    Returns: the entries as they were written, each with the checksum of its network.
    """
    written = [_with_network(entry, file.parent) for entry in entries]
    write_whole(file, "".join(f"{encode(entry)}\n" for entry in written).encode())
    return written


def _with_network(entry: Entry, folder: Path) -> Entry:
    """The entry with the checksum of its network, which is in the folder now."""
    if not (network := contents(entry.result)):
        return entry
    entry = replace(entry, network_sha256=hashlib.sha256(network).hexdigest())
    if entry.result.artefact != (path := folder / network_name(entry)):
        write_whole(path, network)
    return entry


def contents(result: TrialResult) -> bytes:
    """The trained network's file as bytes; empty if there is none."""
    return result.artefact.read_bytes() if isinstance(result.artefact, Path) else result.artefact


def rescue(entries: Sequence[Entry]) -> Path:
    """Write entries that could not be stored to a new folder in the working folder, or in the temporary one; its path.

    An entry whose network can no longer be read is written without it.
    """
    name = f"bench-rescue-{time.time_ns()}"
    for folder in (Path.cwd() / name, Path(tempfile.gettempdir()) / name):
        try:
            make_folder(folder)
        except OSError as error:
            failure = error
            continue
        try:
            for entry in entries:
                write(folder / file_name(entry), [_readable(entry)])
            return folder
        except OSError as error:
            failure = error
            shutil.rmtree(folder, ignore_errors=True)
    raise failure


def _readable(entry: Entry) -> Entry:
    try:
        contents(entry.result)
    except OSError:
        return replace(entry, result=replace(entry.result, artefact=b""), network_sha256="")
    return entry


class OfflineFolder:
    """The offline folder of a `run` command, as it stood when the command began."""

    def __init__(self, folder: Path) -> None:
        """Raises ValueError if the folder cannot be written, or holds anything but entries."""
        self.path = absolute(folder)
        self.label = f"offline folder {self.path}"
        check_folder(self.label, self.path)
        self._files: set[Path] = set()
        self.entries: list[Entry] = []
        self.read_again()

    def read_again(self) -> None:
        """Take in the files that are new: that other commands have written since. Raises ValueError, as `read` does."""
        new = (set(_visible(self.path)) if self.path.exists() else set()) - self._files
        self.entries += [entry for file in sorted(new) for entry in _entries_of(file, _raise)]
        self._files |= new

    def ended(self, run_keys: Sequence[str]) -> dict[str, Entry]:
        """run key -> entry, of those trials that need no more training; if it stands twice, the one with a network."""
        keys = set(run_keys)
        final = [entry for entry in self.entries if entry.is_final and entry.run_key in keys]
        return {entry.run_key: entry for entry in sorted(final, key=lambda entry: bool(entry.network_sha256))}


class OfflineRecorder(EntryListener):
    """Writes the results of one sweep to the offline folder. A context: entering it creates the folder."""

    def __init__(
        self,
        folder: OfflineFolder,
        sweep: str,
        planned: Sequence[str],
        command: str,
        name_of: Callable[[Method], str],
        on_stored: OnStored = ignore_stored,
    ) -> None:
        self.folder, self.sweep, self.planned, self.command, self.name_of = folder, sweep, planned, command, name_of
        self.on_stored = on_stored
        self._board: FolderBoard | None = None

    def __enter__(self) -> OfflineRecorder:
        """Write trials of another sweep once more under this sweep's name: they belong to both."""
        make_folder(self.folder.path)
        self._link(self.planned)
        return self

    def _link(self, run_keys: Sequence[str]) -> None:
        stored = {entry.run_key for entry in self.folder.entries if entry.sweep == self.sweep and entry.is_final}
        for key, entry in self.folder.ended(run_keys).items():
            if key not in stored:
                self.put(replace(entry, sweep=self.sweep, command=self.command, linked=True))

    def claim(self, run_keys: Collection[str]) -> Claims:
        """Claim these trials among all commands that write the folder."""
        self._board = FolderBoard(self.folder.path, self.sweep, run_keys)
        return Claims(self._board, run_keys)

    def adopt(self, finished: Mapping[str, str]) -> None:
        """Have trials that another command finished meanwhile belong to this sweep too."""
        self._link([*finished])

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is left to write."""
        if self._board is not None:
            self._board.close()

    def put(self, entry: Entry) -> None:
        """Write the entry. Raises SweepError if the folder cannot be written."""
        try:
            write(self.folder.path / file_name(entry), [entry])
        except OSError as error:
            path = rescue([entry])
            saved = f"1 result is in {path}; `python -m bench import {path}` stores it"
            raise SweepError(f"{self.folder.label}: {error.strerror}; {saved}") from error
        if entry.is_final:
            self.on_stored([entry.run_key])


def file_name(entry: Entry) -> str:
    """Where an entry's line stands: one name per trial, sweep and failure.

    So a trial that is trained twice is one file, and no failure hides a success.
    """
    sweep = hashlib.sha256(entry.sweep.encode()).hexdigest()[:8]
    failed = f".{names.FAILED}" if not entry.is_final else ""
    return f"{entry.run_key[:32]}-{sweep}{failed}.jsonl"
