"""Two commands that lack the same trials: each is trained once."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from command_line import COMMAND, environment
from small_trials import spec

from bench import names
from bench.execution import shared_trials
from bench.execution.shared_trials import SharedTrials, free_of, patiently
from bench.storage.ownership.claims import Claims, Notice
from bench.storage.ownership.owner import Owner
from bench.trial.result import SweepError, TrialResult
from bench.trial.spec import TrialSpec

SWEEP = ["run", "--dataset", "digits", "--model", "lenet-300-100", "--methods", "snip,freeze", "--rates", "0.9"]
SWEEP += ["--seeds", "1", "--epochs", "30", "--executor", "local"]


class Given:
    """Claims whose holders are given, one look after the other."""

    def __init__(self, looks: Sequence[Collection[str]]) -> None:
        self._looks = list(looks)

    def holders(self) -> Mapping[str, Notice]:
        held = self._looks.pop(0) if len(self._looks) > 1 else self._looks[0]
        return {key: Notice(id="other", name="theirs", ticket=1, owner=Owner.here()) for key in held}


class Scene:
    """A sweep of two trials, of which each look at the destination sees what is given for it."""

    def __init__(self, looks: Sequence[Collection[str]], stored: Sequence[Mapping[str, str]]) -> None:
        self.trained: list[list[TrialSpec]] = []
        self.deliveries = 0
        self._stored = list(stored)
        self.shared = SharedTrials(
            claims=cast("Claims", Given(looks)),
            train=self._train,
            meanwhile=lambda ended: {**ended, **self._look()},
            delivered=self._delivered,
        )

    def _look(self) -> Mapping[str, str]:
        return self._stored.pop(0) if len(self._stored) > 1 else self._stored[0]

    def _delivered(self) -> Mapping[str, str]:
        self.deliveries += 1
        return self._look()

    def _train(self, trials: Sequence[TrialSpec], ended: Mapping[str, str]) -> dict[TrialSpec, TrialResult]:
        self.trained.append(list(trials))
        return {one: TrialResult(run_key=one.run_key, outcome=names.DONE) for one in trials}


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_trials, "WAIT_SECONDS", 0.0)


FREE, THEIRS, LEFT = (spec("snip", rate) for rate in ("0.5", "0.9", "0.95"))


def test_trials_of_others_are_waited_for_and_what_they_leave_is_trained(capsys: pytest.CaptureFixture[str]) -> None:
    held, done = [THEIRS.run_key, LEFT.run_key], {THEIRS.run_key: ""}
    scene = Scene([held, held, held, []], [{}, {}, done, {"before": "", **done}])
    results, ended = scene.shared.carry_out([FREE, THEIRS, LEFT], {"before": ""})
    assert scene.trained == [[FREE], [LEFT]] and set(results) == {FREE, LEFT}
    assert ended == {"before": "", THEIRS.run_key: ""} and scene.deliveries == 1
    assert capsys.readouterr().err.count("waiting for 2 trials that sweep theirs of process") == 1


def test_what_another_command_finished_just_before_it_ended_is_not_trained_again() -> None:
    scene = Scene([[]], [{THEIRS.run_key: ""}])  # nobody holds it any more, and then it is seen to be done
    assert scene.shared.carry_out([THEIRS], {}) == ({}, {THEIRS.run_key: ""}) and not scene.trained


def test_what_a_command_left_that_was_killed_during_the_training_is_delivered_first() -> None:
    scene = Scene([[THEIRS.run_key], []], [{}, {THEIRS.run_key: ""}])
    scene.shared.carry_out([FREE, THEIRS], {})
    assert scene.trained == [[FREE]] and scene.deliveries == 1


def test_a_store_that_does_not_answer_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = [ValueError("store x: away"), OSError("busy"), "here"]

    def ask() -> str:
        if isinstance(answer := answers.pop(0), Exception):
            raise answer
        return answer

    assert patiently(ask) == "here"
    assert capsys.readouterr().err.count("asking again") == 1
    monkeypatch.setattr(shared_trials, "AWAY_SECONDS", -1.0)
    answers = [ValueError("store x: away")]
    with pytest.raises(SweepError, match=r"^store x: away$"):
        patiently(ask)
    answers = [ZeroDivisionError()]
    with pytest.raises(ZeroDivisionError):
        patiently(ask)


def test_what_needs_a_trial_of_others_waits_with_it() -> None:
    ticket = spec("lth", "0.5")
    (parent,) = ticket.needs()
    (grand,) = parent.needs()
    needs = {s: [need.run_key for need in s.needs()] for s in (grand, parent, ticket, spec("snip"))}
    assert free_of(needs, {grand.run_key}) == [spec("snip")]
    assert free_of(needs, {parent.run_key}) == [grand, spec("snip")]
    alone = {s: needs[s] for s in (ticket, spec("snip"))}
    assert free_of(alone, {parent.run_key}) == [*alone]  # it has ended before
    assert free_of(needs, ()) == [*needs]


def started(folder: Path, name: str, *arguments: str) -> subprocess.Popen[bytes]:
    with (folder / name).open("wb") as stream:
        command = [*COMMAND, *SWEEP, "--name", name, *arguments]
        return subprocess.Popen(command, cwd=folder, stderr=stream, stdout=stream, env=environment())


def until(folder: Path, name: str, words: str, process: subprocess.Popen[bytes]) -> None:
    while words not in (folder / name).read_text():
        assert process.poll() is None, (folder / name).read_text()
        time.sleep(0.02)


def trials_in(folder: Path) -> list[str]:
    """The run keys of the trials that were trained, of one trained twice twice."""
    if (folder / "offline").exists():
        lines = [json.loads(file.read_bytes()) for file in (folder / "offline").glob("*.jsonl")]
        return [key_in(line) for line in lines if not line["linked"]]
    with sqlite3.connect(folder / "mlflow.db") as database:
        return [key for (key,) in database.execute(f"SELECT value FROM tags WHERE key = '{names.RUN_KEY}'")]


def key_in(line: Mapping[str, Any]) -> str:
    return str(line["result"]["run_key"])


@pytest.mark.slow
@pytest.mark.parametrize("offline", [False, True], ids=["store", "offline"])
def test_the_second_command_waits_and_goes_on_where_the_first_was_killed(offline: bool, tmp_path: Path) -> None:
    where = ["--offline", "offline"] if offline else []
    first = started(tmp_path, "first", *where)
    until(tmp_path, "first", "0/3 done", first)
    os.kill(first.pid, signal.SIGSTOP)  # so that it is still there when the second has claimed
    second = started(tmp_path, "second", *where)
    until(tmp_path, "second", "waiting for", second)
    said = (tmp_path / "second").read_text()
    assert f"trials that sweep first of process {first.pid} on " in said
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    assert second.wait() == 0
    assert len(trials_in(tmp_path)) == len(set(trials_in(tmp_path))) == 3
