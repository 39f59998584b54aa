"""The container and the environment files: what they name is there; they are built and run where the tools are."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from checkout import ROOMS, ROOT, copy_to
from command_line import environment

from bench import __version__

IMAGE = "freeze-or-prune-test"
SOURCE = {"pyproject.toml", "setup.cfg", "README.md", "bench", *ROOMS}


def done(command: Sequence[str], cwd: Path = ROOT, seconds: int = 3_000) -> str:
    """What a command prints, once it has done its work."""
    variables = {name: value for name, value in environment().items() if name != "PYTHONPATH"}
    process = subprocess.run(command, cwd=cwd, env=variables, capture_output=True, text=True, timeout=seconds)
    assert process.returncode == 0, process.stderr
    return process.stdout


def works(command: Sequence[str]) -> bool:
    """Whether a tool is there, and does anything."""
    return bool(shutil.which(command[0])) and not subprocess.run(command, capture_output=True, timeout=60).returncode


def test_the_container_is_built_from_what_a_wheel_is_built_from() -> None:
    """And no other file is sent to the machine that builds it."""
    copied = re.findall(r"^COPY (?!--)(.+) /source/?\S*$", (ROOT / "Dockerfile").read_text("utf-8"), re.M)
    sent = re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text("utf-8"), re.M)
    assert {name for names in copied for name in names.split()} == set(sent) == SOURCE


def test_the_user_of_the_container_is_not_root() -> None:
    lines = (ROOT / "Dockerfile").read_text("utf-8").splitlines()
    assert lines.index("USER bench") < lines.index('ENTRYPOINT ["python", "-m", "bench"]')


@pytest.mark.slow
def test_the_container() -> None:
    if not works(["docker", "info"]):
        pytest.skip("no docker daemon answers")
    done(["docker", "build", "--quiet", "--tag", IMAGE, "."])
    container = ["docker", "run", "--rm", IMAGE]
    assert done([*container, "--version"]) == f"freeze-or-prune {__version__}\n"
    assert "random-freeze" in done([*container, "list", "methods"])


@pytest.mark.slow
def test_conda(tmp_path: Path) -> None:
    if not works(["conda", "info"]):
        pytest.skip("conda is not installed")
    folder = str(tmp_path / "environment")
    done(["conda", "env", "create", "--quiet", "--prefix", folder, "--file", "environment.yml"])
    conda = ["conda", "run", "--prefix", folder, "python", "-m", "bench"]
    assert done([*conda, "--version"], tmp_path) == f"freeze-or-prune {__version__}\n"
    assert "random-freeze" in done([*conda, "list", "methods"], tmp_path)


@pytest.mark.slow
def test_uv(tmp_path: Path) -> None:
    """As on the page, but for the dependencies: what these two commands need, and not torch."""
    if not works(["uv", "--version"]):
        pytest.skip("uv is not installed")
    source, python = copy_to(tmp_path / "source"), str(tmp_path / "environment" / "bin" / "python")
    done(["uv", "venv", str(tmp_path / "environment")])
    done(["uv", "pip", "install", "--python", python, "--no-deps", str(source)], tmp_path)
    done(["uv", "pip", "install", "--python", python, "click", "numpy", "tabulate"], tmp_path)
    assert done([python, "-m", "bench", "--version"], tmp_path) == f"freeze-or-prune {__version__}\n"
    assert "random-freeze" in done([python, "-m", "bench", "list", "methods"], tmp_path)
