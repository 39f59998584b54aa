"""Folders in the temporary folder: what a killed process left is removed, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench.storage.ownership.owner import Owner
from bench.storage.ownership.working_folder import OWNER, new_folder, remove_abandoned, working_folder

LEAVE = """
import os, sys
from pathlib import Path
from bench.storage.ownership.working_folder import new_folder
print(new_folder(Path(sys.argv[1])), flush=True)
sys.stdin.read()
os.kill(os.getpid(), 9)
"""


def leaver(base: Path) -> tuple[subprocess.Popen[str], Path]:
    """A process that has made a folder, and is killed once it hears the end of its input."""
    command = [sys.executable, "-c", LEAVE, str(base)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def end(process: subprocess.Popen[str]) -> None:
    process.communicate()
    assert process.returncode == -9


def test_the_folder_of_a_killed_process_goes_with_the_next_one(tmp_path: Path) -> None:
    process, left = leaver(tmp_path)
    mine = new_folder(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted((left, mine))  # it lives
    end(process)
    new = new_folder(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted((mine, new))


def test_what_another_process_still_names_stays(tmp_path: Path) -> None:
    """As Ray's own do, for a moment, when the one that started them is killed."""
    process, left = leaver(tmp_path)
    end(process)
    code = "import sys; sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code, f"--folder={left}/x"], stdin=subprocess.PIPE) as ray:
        remove_abandoned(tmp_path)
        assert left.is_dir()
        ray.communicate()
    remove_abandoned(tmp_path)
    assert not left.exists()


@pytest.mark.parametrize("owner", [None, "", "{}", "another machine"])
def test_what_may_be_anybodys_stays(tmp_path: Path, owner: str | None) -> None:
    (folder := tmp_path / "bench-abcdefgh").mkdir()
    if owner == "another machine":
        owner = Owner(machine="elsewhere", process=1, began="1", alive=0.0).tag()
    if owner is not None:
        (folder / OWNER).write_text(owner)
    remove_abandoned(tmp_path)
    assert folder.is_dir()


def test_a_working_folder_is_empty_and_ends_with_its_context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with working_folder() as folder:
        assert tmp_path in folder.parents and list(folder.iterdir()) == []
        (folder / "x").touch()
    assert list(tmp_path.iterdir()) == []
