"""Kill -9 at any moment, then the same command: what was finished is kept, and the numbers are those of one run."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from command_line import COMMAND, bench, environment, stored

from bench import metrics

ARGUMENTS = ("run", "--rates", "0.9", "--seeds", "3", "--epochs", "30")


def kill_when(folder: Path, moment: Callable[[dict[str, dict[str, str]]], bool], *arguments: str) -> None:
    """Start the command and kill its driver at the moment its store shows."""
    process = subprocess.Popen(
        [*COMMAND, *arguments], cwd=folder, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + 200
    while not moment(stored(folder)):
        assert process.poll() is None, "the sweep ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


def finished(count: int) -> Callable[[dict[str, dict[str, str]]], bool]:
    """That many trials are finished, or more."""
    return lambda rows: sum(row["status"] == "FINISHED" for row in rows.values()) >= count


def half_written(rows: dict[str, dict[str, str]]) -> bool:
    """A trial's run is there and not yet finished: the kill hits the writer."""
    return any(row["status"] == "RUNNING" for row in rows.values())


def begun(rows: dict[str, dict[str, str]]) -> bool:
    """The store may not even be there."""
    return True


@pytest.mark.parametrize(
    ("executor", "kills"),
    [("local", (begun, half_written, finished(4))), ("ray", (finished(3),))],
    ids=["local", "ray"],
)
def test_killed_and_resumed_equals_unbroken(tmp_path: Path, executor: str, kills: Sequence[Any]) -> None:
    broken, whole = tmp_path / "broken", tmp_path / "whole"
    broken.mkdir()
    whole.mkdir()
    arguments = (*ARGUMENTS, "--executor", executor)
    kept: dict[str, str] = {}
    for moment in kills:
        kill_when(broken, moment, *arguments)
        done = {k: t["run"] for k, t in stored(broken).items() if t["status"] == "FINISHED"}
        assert len(done) < 9 and kept.items() <= done.items()
        kept = done
    assert kept
    resumed = bench(broken, *arguments)
    assert resumed.returncode == 0, resumed.stderr
    assert f"9 trials: {len(kept)} done before, {9 - len(kept)} to train" in resumed.stderr

    unbroken = bench(whole, *ARGUMENTS, "--executor", "local")
    assert unbroken.returncode == 0, unbroken.stderr
    a, b = stored(broken), stored(whole)
    assert a.keys() == b.keys() and len(a) == 9
    assert {k: t["run"] for k, t in a.items() if k in kept} == kept
    for key in a:
        assert a[key]["status"] == b[key]["status"] == "FINISHED"
        figures = [name for name in b[key] if " at " in name]
        # Epochs 0 … 30, the loss from 1 on; the final ones but two clocks and the memory.
        assert len(figures) == 31 * len(metrics.per_epoch()) - 1 + len(metrics.final()) - 3
        for name in (*figures, "bench.init_sha256", "bench.mask_sha256", "bench.weights_sha256"):
            assert a[key][name] == b[key][name]
        assert set(a[key]) == set(b[key])
