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
from command_line import COMMAND, bench, called, environment, stored

from bench import metrics
from bench.mlflow_metrics import CONSTANTS

TRIALS, EPOCHS = 6, 40  # long enough to be killed in the midst of it
ARGUMENTS = ("run", "--rates", "0.9", "--seeds", "2", "--epochs", str(EPOCHS))


def kill_when(folder: Path, moment: Callable[[dict[str, dict[str, str]]], bool], *arguments: str) -> None:
    """Start the command and kill its driver at the moment its store shows."""
    process = subprocess.Popen(
        [*COMMAND, *arguments], cwd=folder, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + 600
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


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """What a run that was not killed stores."""
    folder = tmp_path_factory.mktemp("whole")
    unbroken = called(folder, *ARGUMENTS, "--executor", "local")
    assert unbroken.returncode == 0, unbroken.stderr
    return stored(folder)


@pytest.mark.parametrize(
    ("executor", "kills"),
    [
        ("local", (begun, half_written, finished(2))),
        pytest.param("ray", (finished(2),), marks=pytest.mark.slow),
    ],
    ids=["local", "ray"],
)
def test_killed_and_resumed_equals_unbroken(
    tmp_path: Path, executor: str, kills: Sequence[Any], whole: dict[str, dict[str, str]]
) -> None:
    (broken := tmp_path / "broken").mkdir()
    arguments = (*ARGUMENTS, "--executor", executor)
    kept: dict[str, str] = {}
    for moment in kills:
        kill_when(broken, moment, *arguments)
        done = {k: t["run"] for k, t in stored(broken).items() if t["status"] == "FINISHED"}
        assert len(done) < TRIALS and kept.items() <= done.items()
        kept = done
    assert kept
    resumed = bench(broken, *arguments)
    assert resumed.returncode == 0, resumed.stderr
    assert f"{TRIALS} trials: {len(kept)} done before, {TRIALS - len(kept)} to train" in resumed.stderr

    resumed_runs, unbroken_runs = stored(broken), whole
    assert resumed_runs.keys() == unbroken_runs.keys() and len(resumed_runs) == TRIALS
    assert {k: t["run"] for k, t in resumed_runs.items() if k in kept} == kept
    for key, tags in resumed_runs.items():
        others = unbroken_runs[key]
        assert tags["status"] == others["status"] == "FINISHED"
        figures = [name for name in others if " at " in name]
        # From epoch 0, the loss from 1 on; the final ones but two clocks and the memory.
        assert len(figures) == (EPOCHS + 1) * len(metrics.per_epoch()) - 1 + len(metrics.final()) - 3 - len(CONSTANTS)
        for name in (*figures, "bench.init_sha256", "bench.mask_sha256", "bench.weights_sha256"):
            assert tags[name] == others[name]
        assert set(tags) == set(others)
