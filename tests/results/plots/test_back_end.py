"""Figures are files: no back end that the environment names for windows or notebooks has a say in them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from command_line import bench
from small_store import Store
from trial_frames import spec_of

NOTEBOOK = "module://not_installed.backend_inline"  # with it, matplotlib cannot be imported
IMPORT = """
import os
from bench.results.frame.back_end import import_matplotlib
import_matplotlib()
import matplotlib
print(os.environ["MPLBACKEND"], matplotlib.rcParams._get("backend") == "TkAgg")
"""


@pytest.mark.parametrize("name", [NOTEBOOK, "foo", "TkAgg"])
def test_matplotlib_is_imported(name: str) -> None:
    """The variable stays, for a process of the user's; so does a back end that is known."""
    command = ["env", f"MPLBACKEND={name}", sys.executable, "-c", IMPORT]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == (f"{name} {name == 'TkAgg'}\n", "")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a store of two methods and two seeds."""
    folder = tmp_path_factory.mktemp("store")
    store = Store(folder / "mlflow.db")
    for method in ("freeze", "snip"):
        for seed in range(2):
            store.add(spec_of(method, "0.9", seed), method, 0.9 + 0.01 * seed)
    return folder


def test_a_command_that_draws(folder: Path) -> None:
    done = bench(folder, "plot", "accuracy", "-o", "a.svg", MPLBACKEND=NOTEBOOK)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert "</svg>" in (folder / "a.svg").read_text()
