"""Kill -9 at any moment, then the same command: what was finished is kept, and the numbers are those of one run."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from command_line import COMMAND, bench, called, environment, stored

from bench import metrics, names
from bench.mlflow_metrics import CONSTANTS
from bench.storage import offline_folder

TRIALS, EPOCHS = 6, 40  # long enough to be killed in the midst of it
ARGUMENTS = ("run", "--rates", "0.9", "--seeds", "2", "--epochs", str(EPOCHS))
# Of each seed: a base; dense and freeze from it; the level of lth at 0.2, and lth at 0.3.
PASSES, LEVELS = 10, ("run", "--methods", "freeze,lth", "--rates", "0.3", "--seeds", "2", "--epochs", "6")
NEEDING = (*LEVELS, "--start", "pretrained:digits")


def kill_when(folder: Path, moment: Callable[[Path], bool], *arguments: str) -> None:
    """Start the command and kill its driver at the moment its store shows."""
    process = subprocess.Popen(
        [*COMMAND, *arguments], cwd=folder, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + 600
    while not moment(folder):
        assert process.poll() is None, "the sweep ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


def finished(count: int) -> Callable[[Path], bool]:
    """That many trials are finished, or more: they are in the store, or on the disk until they are."""
    return lambda folder: len(in_the_store(folder).keys() | on_the_disk(folder)) >= count


def in_the_store(folder: Path) -> dict[str, str]:
    """Run key -> run, of the trials that the store has finished."""
    return {key: row["run"] for key, row in stored(folder).items() if row["status"] == "FINISHED"}


def on_the_disk(folder: Path) -> set[str]:
    """The run keys of trials that are finished and not in the store yet."""
    found = set[str]()
    for file in (folder / "mlflow.db-undelivered").rglob("*.jsonl"):
        with suppress(FileNotFoundError):  # it has just been stored
            found |= {offline_folder.decode(line).run_key for line in file.read_text().splitlines()}
    return found


def waits_for_the_store(folder: Path) -> bool:
    """A trial has ended, and its result is on the disk while another program writes the store: the writer is hit."""
    if not finished(1)(folder):
        return False
    with closing(sqlite3.connect(folder / "mlflow.db", timeout=60)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        deadline = time.monotonic() + 60
        while not any((folder / "mlflow.db-undelivered").rglob("*.jsonl")):
            assert time.monotonic() < deadline
            time.sleep(0.005)
    return True


def begun(folder: Path) -> bool:
    """The store may not even be there."""
    return True


def assert_alike(rows: dict[str, dict[str, str]], unbroken: dict[str, dict[str, str]]) -> None:
    """The same trials, with the same tags, figures and checksums."""
    assert rows.keys() == unbroken.keys()
    for key, tags in rows.items():
        others = unbroken[key]
        assert tags["status"] == others["status"] == "FINISHED"
        for name in (name for name in others if " at " in name or name.endswith("_sha256")):
            assert tags[name] == others[name]
        assert set(tags) == set(others)


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
        ("local", (begun, waits_for_the_store, finished(2))),
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
        done = in_the_store(broken)
        assert len(done) < TRIALS and kept.items() <= done.items()
        kept = done
    before = len(kept.keys() | on_the_disk(broken))
    assert before
    resumed = bench(broken, *arguments)
    assert resumed.returncode == 0, resumed.stderr
    assert f"{TRIALS} trials: {before} done before, {TRIALS - before} to train" in resumed.stderr

    resumed_runs = stored(broken)
    assert_alike(resumed_runs, whole)
    assert len(resumed_runs) == TRIALS
    assert {k: t["run"] for k, t in resumed_runs.items() if k in kept} == kept
    for tags in resumed_runs.values():
        figures = [name for name in tags if " at " in name]
        # From epoch 0, the loss from 1 on; the final ones but two clocks, the memory and those of some trials alone.
        final = len(metrics.final()) - 3 - len(names.OF_SOME) - len(CONSTANTS)
        assert len(figures) == (EPOCHS + 1) * len(metrics.per_epoch()) - 1 + final


@pytest.fixture(scope="module")
def whole_with_needs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of trials that need others, not killed."""
    folder = tmp_path_factory.mktemp("whole")
    unbroken = called(folder, *NEEDING, "--executor", "local")
    assert unbroken.returncode == 0, unbroken.stderr
    assert "6 trials: 0 done before, 6 to train, and first 4 trials that they need" in unbroken.stderr
    return folder


@pytest.mark.parametrize(
    ("executor", "kills"),
    [
        ("local", {"a base trains": 1, "what starts from it trains": 3, "the next level of lth trains": 7}),
        pytest.param("ray", {"what starts from a base trains": 3}, marks=pytest.mark.slow),
    ],
    ids=["local", "ray"],
)
def test_killed_while_a_need_trains_nothing_is_trained_twice(
    tmp_path: Path, executor: str, kills: Mapping[str, int], whole_with_needs: Path
) -> None:
    arguments = (*NEEDING, "--executor", executor)
    kept: dict[str, str] = {}
    for moment, count in kills.items():
        kill_when(tmp_path, finished(count), *arguments)
        done = in_the_store(tmp_path)
        assert len(done) < PASSES and kept.items() <= done.items(), moment
        kept = done
    resumed = bench(tmp_path, *arguments)
    assert resumed.returncode == 0, resumed.stderr
    rows = stored(tmp_path)  # which fails if a trial is finished twice
    assert_alike(rows, stored(whole_with_needs))
    assert len(rows) == PASSES and {k: t["run"] for k, t in rows.items() if k in kept} == kept
    tables = [called(folder, "table").stdout for folder in (tmp_path, whole_with_needs)]
    assert tables[0] == tables[1] and "lth" in tables[0]
