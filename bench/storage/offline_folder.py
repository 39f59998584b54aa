"""The offline folder: per finished trial one small file with a line of JSON, and its network beside it, to be delivered
to the MLflow store later.

A file is written under another name, forced to the disk and renamed: whatever is killed leaves whole files only, and
several processes and machines may write one folder. Imports neither Ray nor MLflow.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from bench import names
from bench.disk import write_whole
from bench.methods import Method
from bench.storage.entry import NETWORK, Entry, EntryListener, Kept, decode, encode, network_name, unheard
from bench.storage.store_uri import check_folder
from bench.trial.result import SweepError, TrialResult


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
    """The entry with the path of its network. Raises ValueError where that file is missing or damaged."""
    if not entry.network_sha256:
        return entry
    path = folder / network_name(entry)
    placed = replace(entry, result=replace(entry.result, artefact=path))
    try:
        found = hashlib.sha256(contents(placed.result)).hexdigest()
    except OSError as error:
        raise ValueError(f"its network {path} cannot be read: {error.strerror}") from error
    if found != entry.network_sha256:
        raise ValueError(f"its network {path} is corrupted: expected SHA-256 {entry.network_sha256}, found {found}")
    return placed


def write(file: Path, entries: Sequence[Entry]) -> None:
    """Write the entries to a file that is there whole or not at all, now or after a crash; their networks before it."""
    lines = [encode(_with_network(entry, file.parent)) for entry in entries]
    write_whole(file, "".join(f"{line}\n" for line in lines).encode())


def _with_network(entry: Entry, folder: Path) -> Entry:
    """The entry with the checksum of its network, which is in the folder now."""
    if not (network := contents(entry.result)):
        return entry
    entry = replace(entry, network_sha256=hashlib.sha256(network).hexdigest())
    if entry.result.artefact != (path := folder / network_name(entry)):
        write_whole(path, network)
    return entry


def contents(result: TrialResult) -> bytes:
    """The file of the trained network; empty where there is none."""
    return result.artefact.read_bytes() if isinstance(result.artefact, Path) else result.artefact


def rescue(entries: Sequence[Entry]) -> Path:
    """Write entries that could not be kept to a new folder in the working folder, or in the temporary one; its path.

    One whose own network can no longer be read is kept without it.
    """
    name = f"bench-rescue-{time.time_ns()}"
    for folder in (Path.cwd() / name, Path(tempfile.gettempdir()) / name):
        try:
            folder.mkdir()
        except OSError as error:
            failure = error
            continue
        try:
            for entry in entries:
                write(folder / _file_name(entry), [_readable(entry)])
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
        self,
        spool: Spool,
        sweep: str,
        planned: Sequence[str],
        command: str,
        name_of: Callable[[Method], str],
        kept: Kept = unheard,
    ) -> None:
        self.spool, self.sweep, self.planned, self.command, self.name_of = spool, sweep, planned, command, name_of
        self.kept = kept

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
        if entry.is_final:
            self.kept([entry.run_key])


def _file_name(entry: Entry) -> str:
    """One name per trial, sweep and whether it failed: a trial trained twice is one file, and none hides a success."""
    sweep = hashlib.sha256(entry.sweep.encode()).hexdigest()[:8]
    failed = f".{names.FAILED}" if not entry.is_final else ""
    return f"{entry.run_key[:32]}-{sweep}{failed}.jsonl"
