"""`table` and `report --cite` as they are called: what a terminal gets, what a pipe gets, and what is refused."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import COMMAND, environment
from small_store import Store
from trial_frames import METHODS, spec_of

from bench.cli.cli import main

ACCURACY = {"snip": 0.5, "freeze": 0.55, "dense": 0.9}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    made = Store(folder / "mlflow.db")
    for seed in range(3):
        for method, accuracy in ACCURACY.items():
            spec = spec_of(method, "0" if method == "dense" else "0.9", seed)
            made.add(spec, method, accuracy + seed / (100 if method == "snip" else 101))
    assert set(ACCURACY) <= set(METHODS)
    return folder


@pytest.fixture
def folder(store: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(store)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return store


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(arguments) == 0
    return capsys.readouterr().out


def test_a_pipe_gets_markdown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = printed(capsys, "table")
    assert made.startswith("# Freeze or prune?\n") and "| freeze   | snip     |" in made
    assert made == printed(capsys, "table", "--format", "github")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_the_answer_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    shown = {}
    for name, options in {"short": (), "full": ("--full",), "markdown": ("--format", "github")}.items():
        monkeypatch.setattr(sys, "stdout", Terminal())
        assert main(["table", *options]) == 0
        shown[name] = sys.stdout.getvalue()
    assert shown["short"].startswith("• At 0.9 freezing SNIP's weights gains")
    assert "What each rate stores" in shown["full"] and "What each rate stores" not in shown["short"]
    assert shown["markdown"].startswith("# Freeze or prune?")


def test_full_adds_what_is_left_out_by_default(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = printed(capsys, "table", "--full")
    assert "No sanity control of a shown method" in made and "No published figure is known" in made
    assert made == printed(capsys, "table", "--controls", "--published")
    assert "published" not in printed(capsys, "table", "--full", "--metric", "train_loss").lower()


@pytest.mark.parametrize("format", ["github", "latex", "csv", "html", "json"])
def test_a_part_in_every_format(format: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = printed(capsys, "table", "--part", "difference", "--format", format)
    assert "lenet-5-caffe" in made.lower() and "What each rate" not in made
    if format == "json":
        assert json.loads(made)["part"] == "difference"


def test_the_citation_is_printed_and_nothing_is_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(folder.iterdir())
    made = printed(capsys, "report", "--cite")
    assert "FreezeNet~\\cite{wimmer2020freezenet,lee2019snip}" in made and "@inproceedings{lee2019snip," in made
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["table", "--part", "acuracy"], "unknown part 'acuracy': must be one of accuracy, pairs, difference, "),
        (["table", "--part", "tuned"], "part tuned: nothing that is shown of the store has it"),
        (["table", "--part", "storage", "--full"], "--part storage with --full: must be one of both"),
        (["table", "--part", "storage", "--ranks"], "--part storage with --ranks: must be one of both"),
        (["report"], "--output and --cite: must be one of both; "),
        (["report", "--cite", "-o", "page.md"], "--output and --cite: must be one of both; "),
        (
            ["table", "--margin", "x%"],
            "margin 'x%': must be a number, or a percentage of the reference's errors, as 10%",
        ),
        (["table", "--margin", "0%"], "margin 0%: must be above 0% and below 100%"),
        (["table", "--margin-points", "2"], "margin-points 2 of the table: must be left out"),
    ],
)
def test_what_is_refused(arguments: list[str], message: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(folder.iterdir())
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {message}") and error.count("\n") == 1
    assert sorted(folder.iterdir()) == before


def test_the_margin_of_the_largest_rate(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Dense is 35 to 40 points above both."""
    assert "| < 0.9" in printed(capsys, "table", "--part", "start")
    made = printed(capsys, "table", "--part", "start", "--margin-points", "37.5")
    assert "within 37.5 points of the method's own dense network" in made
    assert "| freeze   | ≥ 0.9" in made and "| snip     | < 0.9" in made


@pytest.mark.slow
def test_in_a_real_terminal(folder: Path) -> None:
    ours, theirs = pty.openpty()
    size = {"COLUMNS": "80", "LINES": "50", "TERM": "xterm"}
    process = subprocess.Popen([*COMMAND, "table"], cwd=folder, env=environment() | size, stdout=theirs)
    os.close(theirs)
    read = b""
    while True:
        try:
            block = os.read(ours, 4096)
        except OSError:  # the other end is closed
            break
        if not block:
            break
        read += block
    os.close(ours)
    assert process.wait(timeout=60) == 0
    assert read.decode().startswith("• At 0.9 freezing SNIP's weights gains")
