"""What a store or an offline folder has of each trial, read without the code that is tested where that is possible."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from pathlib import Path

from command_line import TIMES

from bench import names
from bench.storage import offline_folder

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


def of_database(file: Path) -> Stored:
    """What a store in an SQLite file has."""
    stored = Stored()
    if not file.exists():
        return stored
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=60) as database:
        try:
            runs = database.execute("SELECT run_uuid, status FROM runs").fetchall()
            tags = database.execute("SELECT run_uuid, key, value FROM tags").fetchall()
            metrics = database.execute("SELECT run_uuid, key, step, value FROM metrics").fetchall()
        except sqlite3.OperationalError:  # the tables are not there yet
            return stored
    keys = {run: value for run, name, value in tags if name == names.RUN_KEY}
    figures: dict[str, Figures] = {run: {} for run in keys}
    for run, name, step, value in metrics:
        if run in keys and name.rpartition("/")[2] not in TIMES:
            figures[run][f"{name} at {step}"] = repr(value)
    for run, name, value in tags:
        if run in keys and name == names.WEIGHTS_SHA256:
            figures[run]["weights"] = value
    for run, status in runs:
        stored.running += status == "RUNNING"
        if status == "FINISHED" and run in keys:
            stored.finished.setdefault(keys[run], {})[run] = figures[run]
    return stored
