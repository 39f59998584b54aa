"""The tags that say where a trial ran."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import bench
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


def tags_of(source: Path) -> dict[str, str]:
    """The tags, as of a process of its own whose source lies there: a module remembers what it found."""
    found = importlib.util.find_spec("bench.storage.environment")
    assert found is not None and found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    module.SOURCE = source
    tags: dict[str, str] = module.environment()
    return tags


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "a.py").write_text("a = 1\n")
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "first"]):
        subprocess.run([*GIT, *command], cwd=tmp_path, check=True)
    return tmp_path


def test_commit_and_dirty_flag(checkout: Path) -> None:
    clean = tags_of(checkout)
    assert len(clean["mlflow.source.git.commit"]) == 40
    assert clean["bench.git_dirty"] == "false"
    (checkout / "mlflow.db").touch()
    assert tags_of(checkout) == clean
    (checkout / "bench" / "a.py").write_text("a = 2\n")
    assert tags_of(checkout) == {**clean, "bench.git_dirty": "true"}


def test_no_commit_outside_a_checkout_or_inside_somebody_elses(
    checkout: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    git = {"mlflow.source.git.commit", "bench.git_dirty"}
    assert git <= tags_of(checkout).keys()
    assert not git & tags_of(checkout / "bench").keys()
    assert not git & tags_of(tmp_path_factory.mktemp("plain")).keys()


def test_the_source_folder_counts_not_the_working_one(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Path(bench.__path__[0]).parent
    here = tags_of(source)
    monkeypatch.chdir(checkout)
    assert tags_of(source) == here == environment()
