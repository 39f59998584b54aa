"""Store the entries of an offline folder in MLflow: each run key once, however often it is tried."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from bench.disk import locked
from bench.messages import say
from bench.storage import stored_trials
from bench.storage.entry import Entry
from bench.storage.offline_folder import read_what_is_whole
from bench.storage.recorder import Recorder

STORED, LINKED, ALREADY_STORED = "stored", "linked", "there before"


def import_entries(path: Path, uri: str, on_problem: Callable[[str], object]) -> Counter[str]:
    """Store the entries of a file or folder, one sweep after another; what is none is left out.

    Args:    on_problem: called with a line for each that is none, naming the file, its line and the reason.
    Returns: how many were STORED, LINKED to their sweep, or ALREADY_STORED.
    Raises:  ValueError, with nothing stored, if there is no entry at all.
    """
    # No other process imports the same entries meanwhile; however long that takes, it ends.
    with locked(
        path, partial(say, f"{path}: locked by another process, which may be importing it; waiting for its end")
    ):
        entries, problems = read_what_is_whole(path)
        if not entries:
            raise ValueError(
                problems[0] if problems else f"{path}: no trial in it; must be a file or folder written by --offline"
            )
        for problem in problems:
            on_problem(problem)
        total: Counter[str] = Counter()
        for name, sweep_entries in _by_sweep(entries).items():
            total += _import_sweep(name, sweep_entries, uri, path)
        return total


def _by_sweep(entries: Sequence[Entry]) -> dict[str, list[Entry]]:
    """Sweep -> its entries, each run key once: the first final one of any sweep, else the last that failed.

    Sweeps that trained something come before those that only linked it.
    """
    in_order = sorted(entries, key=lambda entry: (entry.linked, entry.result.started))
    final = {entry.run_key: entry for entry in reversed(in_order) if entry.is_final}
    best: dict[tuple[str, str], Entry] = {}
    for entry in in_order:
        chosen = final.get(entry.run_key, entry)
        best[entry.sweep, entry.run_key] = replace(chosen, sweep=entry.sweep, command=entry.command)
    sweeps: dict[str, list[Entry]] = {}
    for entry in best.values():
        sweeps.setdefault(entry.sweep, []).append(entry)
    return sweeps


def _import_sweep(name: str, entries: Sequence[Entry], uri: str, path: Path) -> Counter[str]:
    keys = [entry.run_key for entry in entries]
    runs = stored_trials.finished(uri, keys)
    missing, unlinked = _missing(entries, runs, uri), set(runs.values()) - stored_trials.linked(uri, name)
    if missing or unlinked:
        with Recorder(uri, name, keys, runs, entries[0].command, source=path) as recorder:
            for entry in missing:
                recorder.put(entry)
    already_stored = len(entries) - len(missing) - len(unlinked)
    return Counter({STORED: len(missing), LINKED: len(unlinked), ALREADY_STORED: already_stored})


def _missing(entries: Sequence[Entry], runs: Mapping[str, str], uri: str) -> list[Entry]:
    """The entries whose run key is neither finished in the store nor failed there for the same reason."""
    failures = stored_trials.failures(uri)
    return [
        entry
        for entry in entries
        if entry.run_key not in runs and (entry.is_final or (entry.run_key, entry.result.reason) not in failures)
    ]
