"""Run `python -m bench` as a user does, in a folder of its own with a store of its own: `bench` in a fresh process.

A fresh process takes seconds to import torch and MLflow. `called` runs the same command in this process: for all that
a command does, where it is not the process itself that is tested.
"""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from stored_figures import runs_of

from bench.cli.cli import main

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
    """run key -> run id, status, tags and figures of the trials in a folder's store."""
    rows: dict[str, dict[str, str]] = {}
    for run in runs_of(folder / "mlflow.db"):
        if (key := run.tags.get("bench.run_key")) is not None:
            before = rows.get(key, {"status": ""})["status"]
            assert (before, run.status) != ("FINISHED", "FINISHED"), "a run key is stored twice"
            if before != "FINISHED":  # beside it may stand what a killed driver left half-written
                about = {"run": run.id, "status": run.status, "start": run.start}
                rows[key] = {**run.tags, **run.figures, **about}
    return rows
