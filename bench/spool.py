"""The offline folder: one small file of JSON lines per finished trial, and its network beside it, to be delivered to
the MLflow store later.

A file is written under another name, forced to the disk and renamed: whatever is killed leaves whole files only, and
several processes and machines may write one folder. Imports neither Ray nor MLflow.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from uuid import uuid4

from bench import names
from bench.entry import Entry, EntryListener, decode, encode, network_name
from bench.result import SweepError, TrialResult
from bench.store import check_folder
from methods import Method

NETWORK = ".frz"  # suffix of a network's file


def read(place: Path) -> list[Entry]:
    """The entries of a file, or of all files of a folder but hidden ones and networks; nothing is written.

    Raises: ValueError naming the file and the line that is no entry, or the file that cannot be read.
    """
    files = [place]
    if place.is_dir():
        files = sorted(path for path in place.iterdir() if path.name[0] != "." and path.suffix != NETWORK)
    return [entry for file in files for entry in _read_file(file)]


def _read_file(file: Path) -> list[Entry]:
    try:
        lines = file.read_bytes().removesuffix(b"\n").split(b"\n")
    except OSError as error:
        raise ValueError(f"{file}: cannot be read: {error.strerror}") from error
    entries = []
    for number, line in enumerate(lines, 1):
        try:
            entries.append(_placed(decode(line), file.parent))
        except ValueError as error:
            raise ValueError(f"{file}, line {number}: {error}") from error
    return entries


def _placed(entry: Entry, folder: Path) -> Entry:
    """The entry with the path of its network. Raises ValueError where that file is missing."""
    if not isinstance(entry.result.artefact, Path):
        return entry
    path = folder / entry.result.artefact
    if not path.is_file():
        raise ValueError(f"its network {path} is missing")
    return replace(entry, result=replace(entry.result, artefact=path))


def write(file: Path, entries: Sequence[Entry]) -> None:
    """Write the entries to a file that is there whole or not at all, now or after a crash; their networks before it."""
    for entry in entries:
        path = file.parent / network_name(entry)
        if entry.result.artefact and entry.result.artefact != path:
            write_whole(path, contents(entry.result))
    write_whole(file, "".join(f"{encode(entry)}\n" for entry in entries).encode())


def contents(result: TrialResult) -> bytes:
    """The file of the trained network; empty where there is none."""
    return result.artefact.read_bytes() if isinstance(result.artefact, Path) else result.artefact


def write_whole(file: Path, data: bytes) -> None:
    """Write a file that is there whole or not at all, now or after a crash."""
    unfinished = file.with_name(f".{file.name}.{uuid4().hex}.part")
    try:
        with unfinished.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def rescue(entries: Sequence[Entry]) -> Path:
    """Write entries that could not be kept to a new folder in the working folder, or in the temporary one; its path."""
    for folder in (Path.cwd(), Path(tempfile.gettempdir())):
        path = folder / f"bench-rescue-{time.time_ns()}"
        try:
            path.mkdir()
            write(path / "trials.jsonl", entries)
            return path
        except OSError as error:
            failure = error
            shutil.rmtree(path, ignore_errors=True)
    raise failure


class Spool:
    """The offline folder of a `run` command, as it stood when the command began."""

    def __init__(self, folder: Path) -> None:
        """Raises ValueError where the folder cannot be written, or holds anything else than entries."""
        self.folder = folder.expanduser().absolute()
        self.text = f"offline folder {self.folder}"
        check_folder(self.text, self.folder)
        self.entries = read(self.folder) if self.folder.exists() else []

    def ended(self, run_keys: Sequence[str]) -> dict[str, Entry]:
        """run key -> entry, for those trials that need no training any more."""
        wanted = set(run_keys)
        return {e.run_key: e for e in self.entries if e.is_final and e.run_key in wanted}


class SpoolRecorder(EntryListener):
    """Writes the results of one sweep to the offline folder. A context: entered, it makes the folder."""

    def __init__(
        self, spool: Spool, sweep: str, planned: Sequence[str], command: str, name_of: Callable[[Method], str]
    ) -> None:
        self.spool, self.sweep, self.planned, self.command, self.name_of = spool, sweep, planned, command, name_of

    def __enter__(self) -> SpoolRecorder:
        """Trials that another sweep has trained are this sweep's as well: written again, under its name."""
        self.spool.folder.mkdir(parents=True, exist_ok=True)
        there = {entry.run_key for entry in self.spool.entries if entry.sweep == self.sweep and entry.is_final}
        for key, entry in self.spool.ended(self.planned).items():
            if key not in there:
                self.put(replace(entry, sweep=self.sweep, command=self.command, linked=True))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is left to write."""

    def put(self, entry: Entry) -> None:
        """Write the entry. Raises SweepError where the folder does not take it."""
        try:
            write(self.spool.folder / _file_name(entry), [entry])
        except OSError as error:
            kept = rescue([entry])
            text = (
                f"{self.spool.text}: {error.strerror}; 1 result is in {kept}; `python -m bench import {kept}` stores it"
            )
            raise SweepError(text) from error


def _file_name(entry: Entry) -> str:
    """One name per trial, sweep and whether it failed: a trial trained twice is one file, and none hides a success."""
    sweep = hashlib.sha256(entry.sweep.encode()).hexdigest()[:8]
    failed = f".{names.FAILED}" if not entry.is_final else ""
    return f"{entry.run_key[:32]}-{sweep}{failed}.jsonl"
