"""When a start of Ray is waited for no longer, and what is said of it. No Ray is started."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.execution import stopping
from bench.execution.ray_machine import patience, ray_process
from bench.execution.ray_machine.patience import Patience, signs_of
from bench.execution.stopping import FirstWorker, Stop, has_granted

LOGS = "session_latest/logs"


@pytest.fixture
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the logs of a local Ray that has been told to start, and is waited for no longer than it shows."""
    monkeypatch.setattr(patience, "START_SECONDS", 0.0)
    monkeypatch.setattr(stopping, "LOOK_SECONDS", 0.0)
    local = ray_process._Ray(None)
    local.folder = tmp_path
    monkeypatch.setattr(ray_process._Ray, "current", local)
    (tmp_path / LOGS).mkdir(parents=True)
    return tmp_path / LOGS


def test_only_a_new_sign_sets_the_clock_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "START_SECONDS", 0.0)
    signs: Iterator[int] = iter([0, 1, 1, 3, 2, 3, 4])
    clock = Patience(lambda: next(signs))
    assert [clock.is_over() for _ in range(7)] == [True, False, True, False, True, True, False]


def test_without_a_sign_a_start_is_waited_for() -> None:
    clock = Patience(lambda: 0)
    assert not clock.is_over()
    clock.began -= patience.START_SECONDS
    assert clock.is_over()
    clock.restart()
    assert not clock.is_over()


def test_new_signs_do_not_go_on_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "MOST_SECONDS", 0.0)
    assert Patience(iter([1]).__next__).is_over()


def test_a_kind_of_log_is_one_sign_however_often_it_comes(tmp_path: Path) -> None:
    before = signs_of(tmp_path)
    for name in ("raylet.out", "raylet.err", "worker-12ab-01000000-7.err", "worker-34cd-01000000-8.err", "old"):
        (tmp_path / name).touch()
    assert signs_of(tmp_path) == before + 3  # raylet, worker and old


def test_a_start_without_a_worker_ends_with_its_reason(logs: Path) -> None:
    """Once nothing new is seen."""
    first_worker = FirstWorker(None)
    (logs / "raylet.err").write_text("no shell today\n")
    first_worker.on_step_end(1, [])
    assert first_worker.error == ""
    with pytest.raises(Stop):
        first_worker.on_step_end(2, [])
    reason = "Ray at this machine has started no worker: no progress for 0 s; raylet.err: no shell today; "
    reason += "--executor local trains without Ray"
    assert first_worker.error == reason


@pytest.mark.parametrize("event", ["on_trial_start", "on_trial_error"])
def test_a_worker_may_take_any_time(logs: Path, event: str) -> None:
    first_worker = FirstWorker(None)
    getattr(first_worker, event)(1, [], None)
    first_worker.on_step_end(1, [])
    assert first_worker.error == ""


def test_a_busy_cluster_is_waited_for_and_this_is_said_once(logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first_worker = FirstWorker("head:6379")
    first_worker._patience.began = 0.0
    first_worker._wait_for_others()
    first_worker._wait_for_others()
    line = "waiting for the cluster at head:6379: no machine of it has the resources of a trial free\n"
    assert capsys.readouterr().err == line
    assert first_worker._patience.began > 0


@pytest.mark.parametrize(
    ("groups", "granted"),
    [
        ({}, False),
        ({"3f0c02000000": {"state": "PENDING"}}, False),
        ({"3f0c02000000": {"state": "CREATED"}}, True),
        ({"3f0c01000000": {"state": "CREATED"}, "77aa02000000": {"state": "PENDING"}}, False),  # another's, and ours
        ({"3f0c02000000": {"state": "REMOVED"}, "77aa02000000": {"state": "CREATED"}}, True),
    ],
)
def test_resources_are_granted_by_a_group_of_ours(groups: dict[str, Any], granted: bool) -> None:
    assert has_granted(groups, "02000000") is granted
