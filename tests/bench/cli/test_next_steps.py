"""The last line of `run` and of `tune`: a command that can be typed as it stands."""

from __future__ import annotations

import shlex
from collections.abc import Collection
from pathlib import Path

import pytest

from bench import names
from bench.cli.cli import cli
from bench.cli.next_steps import say_after_run, say_after_tune
from bench.cli.options import request_of
from bench.cli.requests.sweep import RunRequest


def after_run(capsys: pytest.CaptureFixture[str], *arguments: str, outcomes: Collection[str] = ()) -> str:
    parent = cli.make_context("freeze-or-prune", ["run"])
    with cli.commands["run"].make_context("run", [*arguments], parent=parent) as context:
        say_after_run(request_of(RunRequest, context), outcomes)
    return capsys.readouterr().err


def after_tune(capsys: pytest.CaptureFixture[str], *arguments: str, without: Collection[str] = ()) -> str:
    parent = cli.make_context("python -m bench", ["tune"])
    with cli.commands["tune"].make_context("tune", [*arguments], parent=parent):
        say_after_tune([*without])
    return capsys.readouterr().err


def test_after_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert after_run(capsys) == "next: `freeze-or-prune table` shows the results\n"
    named = after_run(capsys, "--name", "my sweep")
    assert named == "next: `freeze-or-prune table --name 'my sweep'` shows the results\n"
    offline = after_run(capsys, "--executor", "local", "--offline", "a/b", "--name", "x")
    assert offline == "next: `freeze-or-prune import a/b` stores the results in MLflow\n"
    for outcomes in ([names.FAILED], [names.DIVERGED], [names.FAILED, names.DIVERGED]):
        said = after_run(capsys, outcomes=outcomes)
        assert ("the same command trains the failed trials again" in said) is (names.FAILED in outcomes)
        assert ("a smaller --lr" in said) is (names.DIVERGED in outcomes)
        assert said.count("\n") == 1 and said.endswith("`freeze-or-prune table` shows the results\n")


def test_after_tune(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """`run` takes what `tune` took, except its search, its seeds and the name of its sweep."""
    (tmp_path / "s.toml").write_text("epochs = 7\n[what]\nrates = [0.9, 0.99]\nbudget = 3\n")
    given = ("--config", str(tmp_path / "s.toml"), "--search", "lr", "--seeds", "1000,", "--name", "t", "--no-dense")
    said = after_tune(capsys, *given)
    command = "python -m bench run --rates 0.9,0.99 --no-dense --epochs 7 --tuned"
    assert said == f"next: `{command}` trains with what is chosen\n"
    cli.commands["run"].make_context("run", shlex.split(command)[4:])
    assert after_tune(capsys, without=["freeze 0.9", "snip 0.9"]) == (
        "next: choose for the 2 cells named above, then `python -m bench run --tuned` trains with what is chosen\n"
    )
