"""A copy of this checkout, and what is built of it."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("methods", "models", "datasets", "results")  # folders beside bench/, parts of it by links


def copy_to(folder: Path) -> Path:
    """The files that a build reads; skips the test if they are not at hand."""
    if not (ROOT / "pyproject.toml").is_file() or not (ROOT / "bench" / "methods").is_symlink():
        pytest.skip("the files of the checkout are not beside the tests")
    folder.mkdir()
    for file in ("pyproject.toml", "setup.cfg", "README.md"):
        shutil.copy(ROOT / file, folder)
    for room in ("bench", *ROOMS):
        shutil.copytree(ROOT / room, folder / room, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def built_in_before(folder: Path) -> Path:
    """As `copy_to`, with the left-overs of a build from when the rooms were packages of their own."""
    copy_to(folder)
    for room in ROOMS:
        (package := folder / "build" / "lib" / room).mkdir(parents=True)
        (package / "__init__.py").touch()
    return folder


def build(backend: str, source: Path, output: Path) -> Path:
    """What setuptools' `build_wheel` or `build_sdist` makes of a folder; needs no network."""
    if not importlib.util.find_spec("setuptools"):
        pytest.skip("setuptools is not installed")
    output.mkdir(exist_ok=True)
    code = f"import setuptools.build_meta as backend; backend.{backend}({str(output)!r})"
    subprocess.run([sys.executable, "-c", code], cwd=source, check=True, capture_output=True, timeout=300)
    (file,) = output.iterdir()
    return file
