"""A plan and the looks at it in a store behind a server, as in a file: PostgreSQL, and MLflow's tracking server."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import called
from tracking_server import tracking_server

from bench.results.frame.plans import plans

WORDS = ("--methods", "freeze,snip", "--rates", "0.9", "--model", "lenet-300-100", "--no-dense", "--epochs", "1",
         "--name", "p")  # fmt: skip
LOCAL = ("--executor", "local")


@pytest.fixture(params=["postgresql", "tracking server"])
def uri(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "postgresql":
        yield request.getfixturevalue("database")
        return
    with tracking_server(tmp_path) as server:
        server.start()
        yield server.uri


@pytest.mark.slow
def test_planned_looked_at_and_ended(uri: str, tmp_path: Path) -> None:
    def said(*arguments: str) -> subprocess.CompletedProcess[str]:
        own = {"MLFLOW_TRACKING_URI": uri, "XDG_STATE_HOME": str(tmp_path / "state")}
        return called(tmp_path, *arguments, **own)

    planned = said("plan", *WORDS, "--seeds", "4", "--looks", "2,4")
    assert planned.returncode == 0, planned.stderr
    assert "plan p is in the store already" in said("plan", *WORDS, "--seeds", "4", "--looks", "2,4").stderr
    other = said("plan", *WORDS, "--seeds", "5")
    assert other.returncode == 2 and "the store has another of that name" in other.stderr

    assert said("run", *WORDS, "--seeds", "2", *LOCAL).returncode == 0
    for _ in range(2):
        look = said("table")
        assert "plan p: a look at 2 of 4 seeds; its comparisons are marked at level 0.00305" in look.stderr
    (plan,) = plans(uri)
    (kept,) = plan.looks.values()
    assert (kept.seeds, kept.at, kept.trials) == (2, (0, 1), 4) and kept.command.startswith("python -m bench table")

    assert said("run", *WORDS, "--seeds", "4", *LOCAL).returncode == 0
    ended = said("table")
    assert ended.returncode == 0 and "As planned" in ended.stdout and "a look at" not in ended.stderr
    (plan,) = plans(uri)
    assert len(plan.looks) == 1
