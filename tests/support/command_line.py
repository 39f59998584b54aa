"""Run `python -m bench` as a user does, in a folder of its own with a store of its own: `bench` in a fresh process.

A fresh process takes seconds to import torch and MLflow. `called` runs the same command in this process: for all that
a command does, where it is not the process itself that is tested.
"""

from __future__ import annotations

import contextlib
import io
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from bench.cli.cli import main

TIMES = ("scoring_seconds", "training_seconds", "peak_memory_bytes")  # figures that no two runs share
UNFORESEEN = ("; a full report is in ", "; no report could be written", "Traceback (most recent call last)")
COMMAND = [sys.executable, "-m", "bench"]


def environment() -> dict[str, str]:
    """The present one, without what would lead the process to a store outside its folder."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "RAY_"))}


def bench(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; `more` are environment variables."""
    return subprocess.run(
        [*COMMAND, *arguments], cwd=folder, env=environment() | more, capture_output=True, text=True, timeout=300
    )


def called(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """As `bench`, in this process."""
    out, err = io.StringIO(), io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["bench", *arguments])
        for name in os.environ.keys() - environment().keys():
            patch.delenv(name)
        for name, value in more.items():
            patch.setenv(name, value)
        code = main(arguments)
    return subprocess.CompletedProcess(["bench", *arguments], code, out.getvalue(), err.getvalue())


def unforeseen(said: str) -> int:
    """How many errors that nobody foresaw a command's output has: a line each, or a traceback."""
    return sum(said.count(words) for words in UNFORESEEN)


def stored(folder: Path) -> dict[str, dict[str, str]]:
    """run key -> run id, status and tags of the trials in a folder's store."""
    rows: dict[str, dict[str, str]] = {}
    if not (folder / "mlflow.db").exists():
        return rows
    with sqlite3.connect(f"file:{folder}/mlflow.db?mode=ro", uri=True, timeout=30) as database:
        try:
            metrics = database.execute("SELECT run_uuid, key, step, value FROM metrics ORDER BY key, step").fetchall()
            runs = database.execute("SELECT run_uuid, status, start_time FROM runs").fetchall()
            tags = database.execute("SELECT run_uuid, key, value FROM tags").fetchall()
        except sqlite3.OperationalError:  # the tables are not there yet
            return rows
    by_run: dict[str, dict[str, str]] = {}
    for run, key, value in tags:
        by_run.setdefault(run, {})[key] = value
    for run, key, step, value in metrics:
        if key.rpartition("/")[2] not in TIMES:  # in MLflow their group is before the name
            by_run.setdefault(run, {})[f"{key} at {step}"] = repr(value)
    for run, status, start in runs:
        fields = by_run.get(run, {})
        if "bench.run_key" in fields:
            before = rows.get(fields["bench.run_key"], {"status": ""})["status"]
            assert (before, status) != ("FINISHED", "FINISHED"), "a run key is stored twice"
            if before != "FINISHED":  # beside it may stand what a killed driver left half-written
                rows[fields["bench.run_key"]] = {**fields, "run": run, "status": status, "start": str(start)}
    return rows
