"""The pages of docs/ and README.md: their Python runs, their commands parse, their site builds without a warning."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import click
import numpy as np
import pytest
import torch
from command_line import called, stored
from pages import PAGES, ROOT, blocks, commands

from bench import names
from bench.cli.cli import cli
from bench.metrics import final

SHORT = ("--rates", "0.9", "--seeds", "1", "--epochs", "1", "--executor", "local")
STORAGE, HOUSE = ROOT / "docs" / "storage.md", ROOT / "docs" / "house.md"


def test_a_stored_network_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert called(tmp_path, "run", "--methods", "freeze", "--no-dense", *SHORT).returncode == 0
    (trial,) = stored(tmp_path).values()
    assert called(tmp_path, "export", trial["run"][:8], "-o", "net.frz").returncode == 0
    (block,) = blocks(STORAGE, "python")
    (tmp_path / "load.py").write_text(block)
    monkeypatch.chdir(tmp_path)
    model = runpy.run_path("load.py")["model"]
    assert not model.training and model(torch.zeros(3, 1, 28, 28)).shape == (3, 10)


def test_training_in_python(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = blocks(HOUSE, "python")
    (tmp_path / "alone.py").write_text(block.replace("    seed=0,\n", "    seed=0,\n    epochs=2,\n"))
    trial = runpy.run_path(str(tmp_path / "alone.py"))["spec"]
    assert (trial.epochs, str(trial.rate)) == (2, "0.99")
    metrics = eval(capsys.readouterr().out, {"np": np})  # a dict of numbers, as Python prints it
    assert set(metrics) == set(final()) - {*names.OF_SOME}
    assert metrics[names.LIVE_WEIGHTS] == 2_662 and metrics[names.STORED_PARAMETERS] == 2_662 + 410


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_that_is_shown_is_one(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its options are there, and its values of the right kind; what it would do is not done."""
    monkeypatch.chdir(tmp_path)
    for name in ("DIR", "trials"):
        Path(name).mkdir()
    for name in ("net.frz", "base.frz", "sweep.toml"):
        Path(name).touch()
    for arguments in commands(page):
        if arguments[0] != "COMMAND":
            parse(cli, "python -m bench", arguments)


def parse(group: click.Group, path: str, arguments: list[str]) -> None:
    """Read a command line as click does. Raises click.UsageError if it is none."""
    context = click.Context(group, info_name=path)
    if arguments[0].startswith("-"):  # --help, --version
        assert arguments[0] in {flag for parameter in group.params for flag in parameter.opts} | {"--help"}, arguments
        return
    name, command, rest = group.resolve_command(context, arguments)
    assert command is not None
    if isinstance(command, click.Group):
        parse(command, f"{path} {name}", rest)
    elif rest:
        command.make_context(name, rest, parent=context)


@pytest.mark.slow
def test_the_site_has_a_page_for_every_command(tmp_path: Path) -> None:
    if not (find_spec("material") and find_spec("mkdocs")):
        pytest.skip("mkdocs-material is not installed")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    for row in cli.commands:
        file = tmp_path / "site" / "commands" / row / "index.html"
        assert file.exists() or row == "speed"
    flags = (tmp_path / "site" / "commands" / "run" / "index.html").read_text("utf-8")
    assert all(option.opts[0] in flags for option in cli.commands["run"].params)
