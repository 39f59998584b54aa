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
from bench.execution.shared_trials import SharedTrials, free_of
from bench.storage.ownership.claims import Claims, Notice
from bench.storage.ownership.owner import Owner
from bench.trial.result import TrialResult
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


def test_trials_of_others_are_waited_for_and_what_they_leave_is_trained(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shared_trials, "WAIT_SECONDS", 0.0)
    free, theirs, left = (spec("snip", rate) for rate in ("0.5", "0.9", "0.95"))
    held, trained = [theirs.run_key, left.run_key], list[list[TrialSpec]]()
    stored: list[dict[str, str]] = [{}, {}, {theirs.run_key: ""}, {theirs.run_key: ""}]

    def train(trials: Sequence[TrialSpec], ended: Mapping[str, str]) -> dict[TrialSpec, TrialResult]:
        trained.append(list(trials))
        return {one: TrialResult(run_key=one.run_key, outcome=names.DONE) for one in trials}

    shared = SharedTrials(
        claims=cast("Claims", Given([held, held, held, held, []])),
        train=train,
        ended_meanwhile=lambda: stored.pop(0) if len(stored) > 1 else stored[0],
        ended=lambda: stored[-1],
    )
    results, ended = shared.carry_out([free, theirs, left], {"before": ""})
    assert trained == [[free], [left]] and set(results) == {free, left}
    assert ended == {"before": "", theirs.run_key: ""}
    assert capsys.readouterr().err.count("waiting for 2 trials that sweep theirs of process") == 1


def test_what_needs_a_trial_of_others_waits_with_it() -> None:
    ticket = spec("lth", "0.5")
    (parent,) = ticket.needs()
    (grand,) = parent.needs()
    trials = [grand, parent, ticket, spec("snip")]
    assert free_of(trials, {grand.run_key}) == [spec("snip")]
    assert free_of(trials, {parent.run_key}) == [grand, spec("snip")]
    assert free_of([ticket, spec("snip")], {parent.run_key}) == [ticket, spec("snip")]  # it has ended before
    assert free_of(trials, ()) == trials


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
