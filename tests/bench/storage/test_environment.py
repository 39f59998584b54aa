"""The tags that say where a trial ran."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench.storage import environment as module
from bench.storage.environment import environment

GIT = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c"]


def test_names_the_machine_and_the_versions() -> None:
    tags = environment()
    assert {"bench.host", "bench.os", "bench.cpu", "bench.cores", "bench.python", "bench.torch"} <= set(tags)
    assert all(isinstance(text, str) and text and len(text) < 500 for text in tags.values())


def test_imports_nothing_heavy() -> None:
    heavy = "{'torch', 'ray', 'mlflow', 'numpy'}"
    code = f"import sys, bench.storage.environment as e; e.environment(); print({heavy} & set(sys.modules))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "set()"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "a.py").write_text("a = 1\n")
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "first"]):
        subprocess.run([*GIT, *command], cwd=tmp_path, check=True)
    return tmp_path


def test_commit_and_dirty_flag(checkout: Path) -> None:
    clean = module._git(checkout)
    assert len(clean["mlflow.source.git.commit"]) == 40
    assert clean["bench.git_dirty"] == "false"
    (checkout / "mlflow.db").touch()
    assert module._git(checkout) == clean
    (checkout / "bench" / "a.py").write_text("a = 2\n")
    assert module._git(checkout) == {**clean, "bench.git_dirty": "true"}


def test_no_commit_outside_a_checkout_or_inside_somebody_elses(
    checkout: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert module._git(checkout / "bench") == {}
    assert module._git(tmp_path_factory.mktemp("plain")) == {}


def test_the_source_folder_counts_not_the_working_one(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module._fixed.cache_clear()
    here = environment()
    module._fixed.cache_clear()
    monkeypatch.chdir(checkout)
    assert environment() == here
