"""The trials of an MLflow store: how they ended, each with its run, and what a run has. MLflow is imported if it is
needed: where the store is no database, or one of other tables than those that are known.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from bench import names
from bench.storage import run_folders
from bench.storage.store_check import exists
from bench.stored_runs import by_database
from bench.stored_runs.query import RunQuery, StoredRun
from bench.stored_runs.reading import read_runs, tagged

if TYPE_CHECKING:
    from bench.storage.mlflow_store import Store


def open_if_unknown(uri: str) -> None:
    """Open a store whose tables are not the latest that are known.

    Raises: ValueError, in one line, if MLflow refuses it: a server may, or a database be of another version.
    """
    if not by_database.is_latest(uri):
        _store(uri)


@lru_cache(maxsize=1)  # to open one asks a server for its experiments
def _store(uri: str) -> Store:
    from bench.storage.mlflow_store import Store

    return Store(uri)


def finished(uri: str, run_keys: Sequence[str], since: float = 0.0) -> dict[str, str]:
    """run key -> run, of those that are done, anywhere in the store, and ended since a Unix time."""
    keys = set(run_keys)
    return {key: run for run, key in _tagged(uri, names.RUN_KEY, "FINISHED", since) if key in keys}


def diverged(uri: str, since: float = 0.0) -> dict[str, str]:
    """run -> reason, of the trials that are done because their training diverged; likewise."""
    return dict(_tagged(uri, names.REASON, "FINISHED", since))


def linked(uri: str, sweep: str) -> set[str]:
    """The finished runs that belong to a sweep."""
    return {run for run, _ in _tagged(uri, names.IN_SWEEP + sweep, "FINISHED")}


def failures(uri: str) -> set[tuple[str, str]]:
    """(run key, reason) of the trials that failed."""
    reasons = dict(_tagged(uri, names.REASON, "FAILED"))
    return {(key, reasons.get(run, "")) for run, key in _tagged(uri, names.RUN_KEY, "FAILED")}


def _tagged(uri: str, tag: str, status: str, since: float = 0.0) -> list[tuple[str, str]]:
    if not exists(uri):
        return []
    open_if_unknown(uri)
    return tagged(uri, tag, status, ended_since=since)


def run_of(uri: str, run: str, **wanted: Any) -> StoredRun:
    """The run of that identity, with what is wanted of it as in a RunQuery. Raises ValueError if it is deleted."""
    if runs := read_runs(uri, RunQuery(tag=names.KIND, run=run, **wanted)):
        return runs[0]
    raise ValueError(f"run {run}: deleted in the store")


def addresses(uri: str) -> dict[str, str]:
    """run -> where the store says that its files are, of all runs of ours, whatever their status."""
    return {run.id: run.files or "" for run in read_runs(uri, RunQuery(tag=names.KIND))}


def read_file(uri: str, run: str, file: str, address: str) -> bytes:
    """A file of a run. Raises FileNotFoundError naming where it must be, OSError if it cannot be read.

    Args: address: where the store says that the run's files are.
    """
    if folders := run_folders.folders_of(uri, address):
        return run_folders.read(folders, file)
    return _store(uri).read(run, file)


def lacks(uri: str, run: str, file: str, address: str) -> str:
    """Where a file of a run must be, and is not; "" if the run has it. Args: as above."""
    if folders := run_folders.folders_of(uri, address):
        return run_folders.lacks(folders, file)
    return _store(uri).lacks(run, file, address)
