"""Kill -9 at any moment, then the same command: what was finished is kept, and the numbers are those of one run."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from command_line import COMMAND, bench, environment, stored

ARGUMENTS = ("run", "--rates", "0.9", "--seeds", "3", "--epochs", "30")


def kill_after(folder: Path, finished: int, *arguments: str) -> None:
    """Start the command and kill its driver once that many trials are finished in the store."""
    process = subprocess.Popen(
        [*COMMAND, *arguments], cwd=folder, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + 200
    while sum(t["status"] == "FINISHED" for t in stored(folder).values()) < finished:
        assert process.poll() is None, "the sweep ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.parametrize(("executor", "kills"), [("local", (1, 4)), ("ray", (3,))])
def test_killed_and_resumed_equals_unbroken(tmp_path: Path, executor: str, kills: tuple[int, ...]) -> None:
    broken, whole = tmp_path / "broken", tmp_path / "whole"
    broken.mkdir()
    whole.mkdir()
    arguments = (*ARGUMENTS, "--executor", executor)
    kept: dict[str, str] = {}
    for count in kills:
        kill_after(broken, count, *arguments)
        done = {k: t["run"] for k, t in stored(broken).items() if t["status"] == "FINISHED"}
        assert count <= len(done) < 9 and kept.items() <= done.items()
        kept = done
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
        for tag in ("bench.init_sha256", "bench.mask_sha256", "bench.weights_sha256"):
            assert a[key][tag] == b[key][tag]
