"""A store in a file is there whole or not at all, whenever the process that makes it is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command_line import environment

from bench.storage import database
from bench.storage.client.opening import MLFLOW
from bench.storage.mlflow_store import Store
from bench.storage.sql.new_file import NEW, make_file

OPEN = "import sys; from bench.storage.mlflow_store import Store; Store(sys.argv[1])"


def begun(folder: Path) -> list[Path]:
    return [*folder.glob(NEW.format("*"))]


def test_two_new_stores_of_one_process_in_one_folder(tmp_path: Path) -> None:
    """MLflow remembers the address of a store that it opened, for as long as the process lives."""
    for name in ("one", "two"):
        assert Store(f"sqlite:///{tmp_path}/{name}.db").experiment("here")
    assert begun(tmp_path) == []


def test_killed_while_the_tables_are_made(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/a b.db"
    process = subprocess.Popen([sys.executable, "-c", OPEN, uri], env=environment())
    while not any(database.version(f"sqlite:///{new}") for new in begun(tmp_path)):  # it has tables, and is not done
        assert process.poll() is None
        time.sleep(0.001)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert database.version(uri) is None and [*tmp_path.glob("*.db")] == begun(tmp_path) != []
    assert Store(uri).experiment("here")
    assert database.is_current(uri, MLFLOW) and [path.name for path in tmp_path.glob("*.db")] == ["a b.db"]


def test_a_store_that_another_program_made_meanwhile_is_kept(tmp_path: Path) -> None:
    def create(uri: str) -> None:
        Path(uri.removeprefix("sqlite:///")).write_text("ours")
        (tmp_path / "a.db").write_text("theirs")

    make_file(f"sqlite:///{tmp_path}/a.db", tmp_path / "a.db", create)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["theirs"]


def test_what_fails_leaves_nothing(tmp_path: Path) -> None:
    def create(uri: str) -> None:
        Path(uri.removeprefix("sqlite:///")).write_text("half")
        raise OSError("full")

    with pytest.raises(OSError, match="full"):
        make_file(f"sqlite:///{tmp_path}/a.db", tmp_path / "a.db", create)
    assert list(tmp_path.iterdir()) == []
