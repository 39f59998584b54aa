"""A disk that fills while a sweep runs: one line says so, no finished trial is lost, and nothing half-done is left."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import bench, unforeseen

from bench.storage import offline_folder

SWEEP = ("run", "--dataset", "digits", "--model", "lenet-300-100", "--epochs", "1", "--executor", "local")
TRIALS = ("--methods", "snip", "--rates", "0.9", "--seeds", "2")  # with their dense networks, of 200 kB each: four
LEFT = 300_000  # bytes: not enough for them

pytestmark = pytest.mark.slow


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own in memory, which `grow` makes smaller and larger."""
    folder = tmp_path / "disk"
    folder.mkdir()
    (tmp_path / "temporary").mkdir()
    if shutil.which("mount") is None or run("mount", "-t", "tmpfs", "-o", "size=60m", "tmpfs", str(folder)):
        pytest.skip("no small disk can be made here: that takes root and mount")
    yield folder
    run("umount", "-l", str(folder))


def run(*command: str) -> int:
    return subprocess.run(command, capture_output=True).returncode


def grow(disk: Path, size: int) -> None:
    assert run("mount", "-o", f"remount,size={size}", str(disk)) == 0


def used(disk: Path) -> int:
    return shutil.disk_usage(disk).used


def filled(disk: Path, *where: str) -> Path:
    """Run the sweep on a disk that is too small; the folder of the results that did not fit."""
    begun = bench(disk, *SWEEP, "--methods", "snip", "--rates", "0.5", "--seeds", "1", "--no-dense", *where)
    assert begun.returncode == 0, begun.stderr
    grow(disk, used(disk) + LEFT)
    ended = bench(disk, *SWEEP, *TRIALS, *where, TMPDIR=str(disk.parent / "temporary"))
    (line,) = [line for line in ended.stderr.splitlines() if line.startswith("error:")]
    assert ended.returncode == 1 and not unforeseen(ended.stderr)
    assert re.search("No space left on device|disk is full", line)
    (rescued,) = set(re.findall(r"\S+/bench-rescue-\d+", line))
    grow(disk, 60_000_000)
    return Path(rescued)


def test_an_offline_folder(disk: Path) -> None:
    rescued = filled(disk, "--offline", "trials")
    before = {e.run_key for e in offline_folder.read(disk / "trials")}
    kept = {e.run_key for e in offline_folder.read(rescued)}
    assert kept and before and not kept & before
    again = bench(disk, *SWEEP, *TRIALS, "--offline", "trials")
    assert again.returncode == 0, again.stderr
    after = {e.run_key for e in offline_folder.read(disk / "trials")}
    assert len(after) == 5 and kept | before <= after


def test_a_store(disk: Path) -> None:
    rescued = filled(disk)
    stored = bench(disk, "import", str(rescued))
    assert stored.returncode == 0, stored.stderr
    again = bench(disk, *SWEEP, *TRIALS)
    assert again.returncode == 0 and "4 trials: 4 done before, 0 to train" in again.stderr + again.stdout
    sound = bench(disk, "doctor")
    assert sound.returncode == 0, sound.stdout
