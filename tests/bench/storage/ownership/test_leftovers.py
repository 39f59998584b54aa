"""Runs that are left running: who may end them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from bench import names
from bench.storage.mlflow_store import Store
from bench.storage.ownership import heartbeat
from bench.storage.ownership.heartbeat import Heartbeat
from bench.storage.ownership.leftovers import end_leftovers
from bench.storage.ownership.owner import EXPIRY_SECONDS, Owner
from bench.storage.recorder import Recorder


def elsewhere(silent: bool = False) -> Owner:
    """An owner on another machine that gives signs of life, or has given none for too long."""
    now = Owner.here()
    return replace(now, machine="elsewhere", alive=now.alive - (EXPIRY_SECONDS + 60) * silent)


@pytest.fixture(scope="module", params=["sqlite", "file"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder = tmp_path_factory.mktemp("store")
    if request.param == "sqlite":
        return Store(f"sqlite:///{folder}/mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
        return Store(f"file://{folder}/mlruns")


@pytest.fixture
def experiment(store: Store, request: pytest.FixtureRequest) -> str:
    return store.experiment(request.node.name.replace("[", "-").replace("]", ""))


def sweep(store: Store, experiment: str, owner: Owner | None) -> str:
    tags = {names.KIND: names.SWEEP} | ({names.OWNER: owner.tag()} if owner else {})
    return store.create(experiment, "sweep", tags, time.time()).id


def trial(store: Store, experiment: str, parent: str) -> str:
    tags = {names.KIND: names.TRIAL, names.RUN_KEY: "key", names.PARENT: parent}
    return store.create(experiment, "trial", tags, time.time()).id


def status(store: Store, run: str) -> Any:
    return MlflowClient(store.uri).get_run(run).info.status


@pytest.mark.parametrize(
    ("owner", "left"),
    [(elsewhere, "RUNNING"), (partial(elsewhere, silent=True), "KILLED"), (lambda: None, "KILLED")],
    ids=["alive", "silent", "unknown"],
)
def test_a_sweep_and_its_trial_are_ended_if_the_owner_is_gone(
    store: Store, experiment: str, owner: Callable[[], Owner | None], left: str
) -> None:
    parent = sweep(store, experiment, owner())
    child = trial(store, experiment, parent)
    end_leftovers(store, experiment, {"key"})
    assert (status(store, parent), status(store, child)) == (left, left)


def test_a_trial_of_another_sweep_is_its_owners(store: Store, experiment: str) -> None:
    other = store.experiment(f"{experiment}-other")
    children = [trial(store, other, sweep(store, other, owner)) for owner in (elsewhere(), elsewhere(silent=True))]
    end_leftovers(store, experiment, {"key"})
    assert [status(store, child) for child in children] == ["RUNNING", "KILLED"]


def test_a_trial_whose_sweep_has_ended_is_left(store: Store, experiment: str) -> None:
    parent = sweep(store, experiment, elsewhere())
    child, foreign = trial(store, experiment, parent), trial(store, experiment, parent)
    store.tag(foreign, names.RUN_KEY, "another")
    store.end(parent, "FAILED")
    end_leftovers(store, experiment, {"key"})
    assert [status(store, run) for run in (parent, child, foreign)] == ["FAILED", "KILLED", "RUNNING"]


def test_a_trial_whose_sweep_is_deleted_for_good_is_left(store: Store, experiment: str) -> None:
    child = trial(store, experiment, "0123456789abcdef0123456789abcdef")
    end_leftovers(store, experiment, {"key"})
    assert status(store, child) == "KILLED"


def test_a_run_that_ended_in_between_stays_as_it_ended(store: Store, experiment: str) -> None:
    run = sweep(store, experiment, elsewhere(silent=True))
    store.end(run, "FINISHED", 1000.0)
    store.end_if_running(run, "KILLED")
    info = MlflowClient(store.uri).get_run(run).info
    assert (info.status, info.end_time) == ("FINISHED", 1_000_000)


def test_the_time_at_which_a_leftover_is_ended(store: Store, experiment: str) -> None:
    run, before = sweep(store, experiment, elsewhere(silent=True)), int(time.time() * 1000)
    store.end_if_running(run, "KILLED")
    info = MlflowClient(store.uri).get_run(run).info
    assert info.status == "KILLED" and before <= info.end_time <= int(time.time() * 1000)


def test_a_heart_beats_until_it_is_closed_even_if_a_beat_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(heartbeat, "BEAT_SECONDS", 0.001)
    beats: list[int] = []

    def beat() -> None:
        beats.append(len(beats))
        raise OSError("out of reach")

    heart = Heartbeat(beat)
    while len(beats) < 3:
        time.sleep(0.001)
    heart.close()
    count = len(beats)
    time.sleep(0.05)
    assert len(beats) == count


def test_a_recorder_that_cannot_begin_gives_no_sign_of_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others would wait for it as long as this process lives."""
    uri, before = f"sqlite:///{tmp_path}/mlflow.db", set(threading.enumerate())

    def refuse(*given: Any) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="disk full"):
        patch.setattr(Store, "log", refuse)
        Recorder(uri, "sweep", [], {}, "bench run").__enter__()
    assert "heartbeat" not in {thread.name for thread in set(threading.enumerate()) - before}
    store = Store(uri)
    ((run, _),) = store.tagged(names.KIND, "FAILED")
    assert store.tagged(names.KIND, "RUNNING") == [] and status(store, run) == "FAILED"
