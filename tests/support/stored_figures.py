"""What a store or an offline folder has of each trial, read without the code that is tested where that is possible."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from pathlib import Path

from bench import names
from bench.storage import offline_folder

TIMES = ("scoring_seconds", "training_seconds", "peak_memory_bytes")  # figures that no two runs share
Figures = dict[str, str]  # name and step -> value; and the checksum of the trained weights


@dataclass(kw_only=True)
class Stored:
    """What a store has: of each trial the runs that are finished, with their figures and checksums."""

    finished: dict[str, dict[str, Figures]] = field(default_factory=dict)  # run key -> run -> name -> value
    running: int = 0  # runs that are said to be running


def of_folder(folder: Path) -> Stored:
    """What an offline folder has; it must be whole."""
    stored = Stored()
    for entry in offline_folder.read(folder) if folder.is_dir() else ():
        if entry.is_final:
            figures = {name: repr(value) for name, value in entry.result.metrics.items() if name not in TIMES}
            figures["weights"] = str(entry.result.tags.get(names.WEIGHTS_SHA256))
            stored.finished.setdefault(entry.run_key, {})[repr(entry.result.ended)] = figures
    return stored


@dataclass(kw_only=True)
class StoredRun:
    """A run of a store."""

    id: str
    status: str
    start: str  # Unix milliseconds
    tags: dict[str, str] = field(default_factory=dict)
    figures: Figures = field(default_factory=dict)  # those that two runs share, as `NAME at EPOCH`


def runs_of(file: Path) -> list[StoredRun]:
    """The runs of a store in an SQLite file; none while its tables are not there yet."""
    if not file.exists():
        return []
    # Not read-only: what a killed writer left half-written can then not be undone, nor anything be read.
    with sqlite3.connect(f"file:{file}?mode=rw", uri=True, timeout=60) as database:
        try:
            rows = database.execute(
                "SELECT run_uuid, status, start_time FROM runs"
            ).fetchall()  # first: FINISHED is last
            tags = database.execute("SELECT run_uuid, key, value FROM tags").fetchall()
            metrics = database.execute("SELECT run_uuid, key, step, value FROM metrics ORDER BY key, step").fetchall()
        except sqlite3.OperationalError:
            return []
    runs = {run: StoredRun(id=run, status=status, start=str(start)) for run, status, start in rows}
    for run, name, value in tags:
        if run in runs:  # one that was begun meanwhile is not
            runs[run].tags[name] = value
    for run, name, step, value in metrics:
        if run in runs and name.rpartition("/")[2] not in TIMES:  # in MLflow their group is before the name
            runs[run].figures[f"{name} at {step}"] = repr(value)
    return [*runs.values()]


def of_database(file: Path) -> Stored:
    """What a store in an SQLite file has."""
    stored = Stored()
    for run in runs_of(file):
        stored.running += run.status == "RUNNING"
        if run.status == "FINISHED" and names.RUN_KEY in run.tags:
            figures = dict(run.figures)
            if names.WEIGHTS_SHA256 in run.tags:
                figures["weights"] = run.tags[names.WEIGHTS_SHA256]
            stored.finished.setdefault(run.tags[names.RUN_KEY], {})[run.id] = figures
    return stored
