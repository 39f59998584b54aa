"""Beside Hugging Face's datasets and transformers, in a folder whose files have the names of our rooms."""

from __future__ import annotations

import subprocess
import textwrap
from pathlib import Path

import pytest
from command_line import stored
from environments import Environment

from bench import __version__

pytestmark = pytest.mark.slow
NEIGHBOURS = ("datasets", "transformers")
NAMES = ("bench", "datasets", "methods", "models", "results")
RUN = ("run", "--rates", "0.9", "--seeds", "1", "--epochs", "1", "--no-dense")
USE = """
import datasets, transformers
print(datasets.Dataset.from_dict({"x": [1, 2]}).num_rows, transformers.BertConfig().model_type)
"""
PLUGIN = """
    from bench.methods import Method
    from bench.methods.maskable import maskable


    def smallest(model, batches, loss, generator):
        import datasets
        import transformers

        rows = datasets.Dataset.from_dict({"x": [1, 2]}).num_rows
        assert (rows, transformers.BertConfig().model_type) == (2, "bert")
        return {name: -w.detach().abs() for name, w in maskable(model).items()}


    METHODS = {"smallest": Method(criterion=smallest, background="freeze")}
"""


@pytest.fixture
def there(tmp_path: Path) -> Environment:
    """An environment with the neighbours' dependencies; skips the test if no index answers."""
    environment = Environment(tmp_path / "env")
    try:
        environment.pip("install", *NEIGHBOURS)
        environment.pip("install", "--no-deps", "--ignore-installed", *NEIGHBOURS)  # here, whatever there is beside
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no index of packages answers: {error.stderr.decode()[-200:]}")
    return environment


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A working folder in which each of our names is a file or a package that ends the process."""
    (folder := tmp_path / "hostile").mkdir()
    for name in NAMES:
        if name in ("datasets", "results"):
            (folder / name).mkdir()
        file = folder / name / "__init__.py" if (folder / name).is_dir() else folder / f"{name}.py"
        file.write_text(f"raise SystemExit('the wrong {name}')\n")
    return folder


def neighbours_work(there: Environment, folder: Path) -> bool:
    return there.run("python", "-P", "-c", USE, cwd=folder).stdout == "2 bert\n"


def bench_works(there: Environment, folder: Path) -> bool:
    """The version and a list, by the command."""
    version = there.run("freeze-or-prune", "--version", cwd=folder).stdout
    return (
        version == f"freeze-or-prune {__version__}\n"
        and "random-freeze" in there.run("freeze-or-prune", "list", "methods", cwd=folder).stdout
    )


def test_both_orders_of_installation_and_removal(
    there: Environment, wheel: Path, hostile: Path, tmp_path: Path
) -> None:
    """Each works beside the other, workers included, and goes on to when the other is removed."""
    there.install(wheel)
    assert neighbours_work(there, hostile) and bench_works(there, hostile)
    (tmp_path / "mine.py").write_text(textwrap.dedent(PLUGIN))
    trained = there.run("freeze-or-prune", *RUN, "--plugin", "../mine.py", "--methods", "freeze,smallest", cwd=hostile)
    assert trained.returncode == 0, trained.stderr
    assert [trial["status"] for trial in stored(hostile).values()] == ["FINISHED"] * 2
    there.pip("uninstall", "--yes", *NEIGHBOURS)
    assert bench_works(there, hostile)
    there.pip("install", "--no-deps", "--ignore-installed", *NEIGHBOURS)
    assert neighbours_work(there, hostile) and bench_works(there, hostile)
    there.pip("uninstall", "--yes", "freeze-or-prune")
    assert neighbours_work(there, hostile)
    assert not (there.scripts / "freeze-or-prune").exists() and not (there.site / "bench").exists()
