"""`bench speed store`: what reading a store of many trials takes, a command at a time, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tabulate import tabulate

from bench.messages import folded
from bench.speed.large_store import LargeStore, make
from bench.storage import store_uri
from bench.storage.environment import environment
from bench.storage.ownership.working_folder import working_folder
from bench.trial.result import SweepError

MEGABYTE = 2**20


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a command took. Seconds of CPU are the process's own, user and system."""

    command: str
    seconds: float
    cpu_seconds: float
    peak_bytes: int


def measure(seeds: int, epochs: int) -> dict[str, Any]:
    """What each command takes, and where that was measured."""
    environment_ = {tag.removeprefix("bench."): value for tag, value in environment().items()}
    with working_folder() as folder:
        store = make(folder, seeds, epochs)
        size = (folder / "mlflow.db").stat().st_size
        readings = [asdict(_reading(folder, store, words, command)) for words, command in _commands(store).items()]
    counts = {"trials": store.trials, "epochs": epochs, "store_bytes": size}
    return {**counts, "readings": readings, "environment": environment_}


def _commands(store: LargeStore) -> dict[str, list[str]]:
    """Words -> command. The first is what each process takes to begin."""
    return {
        "--version": ["--version"],
        "table": ["table"],
        "run, with nothing to train": ["run", *store.run_options, "--dry-run"],
        "export": ["export", store.run_key, "-o", "network.frz"],
        "list trials": ["list", "trials", "--format", "csv"],
        "doctor --quick": ["doctor", "--quick"],
    }


def _reading(folder: Path, store: LargeStore, words: str, arguments: list[str]) -> Reading:
    """Raises SweepError with its last line if the command ends with an error."""
    command = [sys.executable, "-m", "bench", *arguments]
    variables = {**os.environ, store_uri.VARIABLE: store.uri}
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        began = time.monotonic()
        process = subprocess.Popen(command, cwd=folder, env=variables, stdout=out, stderr=err)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - began
        if (code := os.waitstatus_to_exitcode(status)) not in (0, 1):  # doctor names the networks that copies lack
            err.seek(0)
            raise SweepError(f"{words} ended with {code}: {folded(err.read().decode().splitlines()[-1:])}")
    cpu = usage.ru_utime + usage.ru_stime
    return Reading(command=words, seconds=seconds, cpu_seconds=cpu, peak_bytes=usage.ru_maxrss * 1024)


def as_table(result: dict[str, Any]) -> str:
    """The table that the command prints."""
    rows = [
        [r["command"], f"{r['seconds']:.1f}", f"{r['cpu_seconds']:.1f}", f"{r['peak_bytes'] / MEGABYTE:,.0f}"]
        for r in result["readings"]
    ]
    headers = [f"{result['trials']:,} trials × {result['epochs']} epochs", "seconds", "of CPU", "peak MB"]
    table: str = tabulate(rows, headers=headers, tablefmt="github", disable_numparse=True)
    return f"{table}\n\nThe store's file: {result['store_bytes'] / MEGABYTE:,.0f} MB."
