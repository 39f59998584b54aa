"""A sweep on some classes of a data set, as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import called, stored

from bench.datasets import row_of

SHORT = ("--methods", "freeze,snip", "--rates", "0.9", "--seeds", "1", "--epochs", "1", "--no-dense")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a sweep on five of the digits."""
    folder = tmp_path_factory.mktemp("classes")
    done = called(folder, "run", "--dataset", "digits:classes=0-4", *SHORT, "--executor", "local")
    assert done.returncode == 0, done.stderr
    return folder


def test_the_same_classes_listed_otherwise_train_nothing(store: Path) -> None:
    done = called(store, "run", "--dataset", "digits:classes=4,3,0-2", *SHORT, "--executor", "local")
    assert done.returncode == 0 and "2 trials: 2 done before, 0 to train" in done.stderr


def test_its_trials_know_it_by_one_name_and_hash(store: Path) -> None:
    specs = [json.loads(trial["bench.spec"]) for trial in stored(store).values()]
    known = {(spec["dataset"], spec["data_hash"]) for spec in specs}
    assert len(specs) == 2 and known == {("digits:classes=0-4", row_of("digits:classes=0-4").content_hash)}


def test_the_table_knows_its_test_images(store: Path) -> None:
    done = called(store, "table")
    assert done.returncode == 0, done.stderr
    assert "## digits:classes=0-4 · lenet-300-100" in done.stdout
    assert "That is 0.9 of the 181 test images." in done.stdout


def test_its_export_is_verified(store: Path) -> None:
    trial, _ = stored(store).values()
    assert called(store, "export", trial["run"][:8], "-o", "net.frz").returncode == 0
    verified = called(store, "verify", "net.frz")
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_what_chooses_no_classes_is_told_in_one_line(tmp_path: Path) -> None:
    done = called(tmp_path, "run", "--dataset", "digits:classes=0-12", *SHORT, "--executor", "local")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1].endswith("data set 'digits:classes=0-12': class 12: must be 0 to 9")
    assert list(tmp_path.iterdir()) == []
