"""Where the files of runs are looked for and written when a store has moved, and what is said if they are nowhere."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from command_line import called
from small_store import empty
from stored_entries import entry, keys

from bench import names
from bench.cli.networks.run_network import network_of_run
from bench.storage import stored_trials
from bench.storage.mlflow_store import Store
from bench.storage.recorder import Recorder
from bench.storage.run_folders import COLUMN, RUN_LENGTH, folders_of, new_location


def recorded(uri: str, seed: int, sweep: str = "sweep") -> str:
    """A trial stored with its network; its run."""
    trial = entry(seed)
    trial = replace(trial, result=replace(trial.result, metrics={names.STORED_BYTES: 9.0}))
    with Recorder(uri, sweep, [trial.run_key], {}, "bench run") as recorder:
        recorder.put(trial)
    return stored_trials.finished(uri, [trial.run_key])[trial.run_key]


@pytest.fixture
def moved(tmp_path: Path) -> tuple[Path, Path, str]:
    """The folder where a store was, the one where it is now, and a trial's run in it."""
    (old := tmp_path / "old").mkdir()
    (old / "mlflow.db").write_bytes(empty())
    run = recorded(f"sqlite:///{old}/mlflow.db", 0)
    return old, tmp_path / "new", run


def test_a_store_that_was_moved_has_its_networks(moved: tuple[Path, Path, str]) -> None:
    old, new, run = moved
    old.rename(new)
    store = Store(f"sqlite:///{new}/mlflow.db")
    assert store.read(run, names.NETWORK_FILE) == b"network 0" and not store.lacks(run, names.NETWORK_FILE)
    assert not old.exists()


def test_of_a_copy_the_files_beside_it_are_read_and_new_ones_are_written_there(moved: tuple[Path, Path, str]) -> None:
    old, new, run = moved
    shutil.copytree(old, new)
    (file,) = (new / "mlruns").rglob(names.NETWORK_FILE)
    file.write_bytes(b"the copy's")
    uri = f"sqlite:///{new}/mlflow.db"
    assert Store(uri).read(run, names.NETWORK_FILE) == b"the copy's"
    later = recorded(uri, 1)
    assert [path.parents[1].name for path in (old / "mlruns").rglob(names.NETWORK_FILE)] == [run]
    assert Store(uri).read(later, names.NETWORK_FILE) == b"network 1"
    assert len(keys(uri)) == 2


def test_a_database_that_was_moved_alone_has_them_where_they_are(moved: tuple[Path, Path, str]) -> None:
    old, new, run = moved
    new.mkdir()
    (old / "mlflow.db").rename(new / "mlflow.db")
    assert Store(f"sqlite:///{new}/mlflow.db").read(run, names.NETWORK_FILE) == b"network 0"


def test_a_network_that_is_nowhere_is_named_with_the_paths_it_could_have(moved: tuple[Path, Path, str]) -> None:
    old, new, run = moved
    old.rename(new)
    shutil.rmtree(new / "mlruns")
    places = " or ".join(f"{folder}/mlruns/sweep/{run}/artifacts/{names.NETWORK_FILE}" for folder in (new, old))
    store = Store(f"sqlite:///{new}/mlflow.db")
    assert store.lacks(run, names.NETWORK_FILE) == places
    with pytest.raises(ValueError) as error:
        network_of_run(store.uri, run)
    assert str(error.value) == f"run {run}: its stored network is missing: must be {places}"
    done = called(new, "export", run, "-o", "network.frz")
    assert (done.returncode, done.stderr) == (2, f"error: {error.value}\n")


def test_a_folder_that_no_store_is_beside_is_taken_as_it_stands() -> None:
    assert folders_of("sqlite:////a/mlflow.db", "file:///b/c/0123/artifacts") == [Path("/b/c/0123/artifacts")]
    assert folders_of("postgresql://host/x", "/b/mlruns/1/0123/artifacts") == [Path("/b/mlruns/1/0123/artifacts")]
    assert folders_of("http://host", "mlflow-artifacts:/1/0123/artifacts") == []


@pytest.mark.parametrize("sweep", ["a" * 200, ":/" * 100, "short"])
def test_a_sweeps_folder_has_a_name_that_a_file_system_takes(sweep: str, tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_bytes(empty())
    recorded(f"sqlite:///{tmp_path}/mlflow.db", 0, sweep)
    assert len(list((tmp_path / "mlruns").rglob(names.NETWORK_FILE))) == 1
    assert max(len(path.name.encode()) for path in (tmp_path / "mlruns").iterdir()) <= 255


def test_a_server_of_mlflow_has_folders_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert new_location("http://host:5000", "sweep") is None
    monkeypatch.chdir(tmp_path)
    assert new_location("postgresql+psycopg://host/x", "sweep") == f"{tmp_path.as_uri()}/mlruns/sweep"


def test_the_address_of_a_run_in_a_database_on_a_server_is_as_long_as_a_column_at_the_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = COLUMN - RUN_LENGTH - len(f"file:///mlruns/{'0' * 16}")
    (longest := tmp_path / ("y" * (room - len(f"{tmp_path}/")))).mkdir()
    monkeypatch.chdir(longest)
    location = new_location("postgresql://host/x", "a sweep of a long name")
    assert location is not None and len(location) + RUN_LENGTH == COLUMN
    (longer := longest.with_name(f"{longest.name}y")).mkdir()
    monkeypatch.chdir(longer)
    with pytest.raises(ValueError) as error:
        new_location("postgresql://host/x", "a sweep of a long name")
    must = f"whose path is too long for the store: must be at most {room} characters"
    kept = "the files of runs are kept in the working folder"
    assert str(error.value) == f"store postgresql://host/x: {kept} {longer}, {must}"
