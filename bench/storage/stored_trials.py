"""The trials of an MLflow store by how they ended, each with its run."""

from __future__ import annotations

from collections.abc import Sequence

from bench import names
from bench.storage.mlflow_store import Store
from bench.storage.store_check import exists


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
    return Store(uri).tagged(tag, status, ended_since=since) if exists(uri) else []
