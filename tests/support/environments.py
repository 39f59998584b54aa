"""A virtual environment with a wheel of this project in it, as a user has it."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from importlib.util import find_spec
from pathlib import Path

import pytest
from command_line import environment


class Environment:
    """A virtual environment in which the dependencies are there, and this project is not."""

    def __init__(self, folder: Path) -> None:
        if not find_spec("pip"):
            pytest.skip("pip is not installed")
        venv.create(folder, symlinks=True)
        self.scripts = folder / "bin"
        self.site = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
        self.site.joinpath("dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n")

    def install(self, wheel: Path) -> None:
        """Here, though the dependencies' folder may have it as well: that of an installation under test."""
        self.pip("install", "--no-deps", "--no-index", "--no-compile", "--ignore-installed", str(wheel))

    def pip(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "pip", "--python", str(self.scripts / "python"), *arguments]
        subprocess.run(command, check=True, capture_output=True, timeout=300)

    def run(self, command: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
        variables = {k: v for k, v in environment().items() if k != "PYTHONPATH"}
        return subprocess.run(
            [str(self.scripts / command), *arguments],
            cwd=cwd,
            env=variables,
            capture_output=True,
            text=True,
            timeout=300,
        )
