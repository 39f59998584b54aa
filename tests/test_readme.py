"""The Python of README.md does what the README says, as it stands there."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import called, stored

from bench import names
from bench.metrics import final

README = (Path(__file__).parents[1] / "README.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
PLUG_IN, LOAD, TRAIN = "METHODS = {", "load(", "train([spec]"
SHORT = ("--rates", "0.9", "--seeds", "1", "--epochs", "1", "--executor", "local")


def block(text: str) -> str:
    """The one block of Python with this text in it, and none of the others'."""
    (found,) = (block for block in BLOCKS if [t for t in (PLUG_IN, TRAIN, LOAD) if t in block][:1] == [text])
    return str(found)


def test_every_block_is_run_here() -> None:
    assert sorted(BLOCKS) == sorted(map(block, (PLUG_IN, LOAD, TRAIN)))


def test_the_plug_in(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(block(PLUG_IN))
    done = called(tmp_path, "run", "--plugin", "mine.py", "--methods", "small-freeze,small-prune", *SHORT)
    assert done.returncode == 0, done.stderr
    outcomes = {trial[names.METHOD]: trial[names.OUTCOME] for trial in stored(tmp_path).values()}
    assert outcomes == dict.fromkeys(("dense", "small-freeze", "small-prune"), names.DONE)


def test_a_stored_network_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert called(tmp_path, "run", "--methods", "freeze", "--no-dense", *SHORT).returncode == 0
    (trial,) = stored(tmp_path).values()
    assert called(tmp_path, "export", trial["run"][:8], "-o", "net.frz").returncode == 0
    (tmp_path / "load.py").write_text(block(LOAD))
    monkeypatch.chdir(tmp_path)
    model = runpy.run_path("load.py")["model"]
    assert not model.training and model(torch.zeros(3, 1, 28, 28)).shape == (3, 10)


def test_training_in_python(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shorter = block(TRAIN).replace("    seed=0,\n", "    seed=0,\n    epochs=2,\n")
    (tmp_path / "alone.py").write_text(shorter)
    trial = runpy.run_path(str(tmp_path / "alone.py"))["spec"]
    assert (trial.epochs, str(trial.rate)) == (2, "0.99")
    metrics = eval(capsys.readouterr().out, {"np": np})  # a dict of numbers, as Python prints it
    assert set(metrics) == set(final())
    assert metrics[names.LIVE_WEIGHTS] == 2_662 and metrics[names.STORED_PARAMETERS] == 2_662 + 410
