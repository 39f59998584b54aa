"""The blocks of docs/extending.md, put where their first lines say into a copy of the source, do what the page says."""

from __future__ import annotations

import csv
import io
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import bench

PAGE = Path(__file__).parents[1] / "docs" / "extending.md"
BLOCKS = re.findall(r"^```python\n# (\S+)\n(.*?)^```$", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
MOST = 14  # lines of code in a block
PLUGINS = ("large.py", "band.py", "network.py", "data.py", "update.py", "schedule.py")  # in the order of the page
WITH_PLUGINS = tuple(argument for plugin in PLUGINS for argument in ("--plugin", plugin))
TRIALS = (
    "run", *WITH_PLUGINS, "--methods", "large-freeze,large-prune,band:start=100",
    "--rates", "0.9", "--seeds", "1", "--epochs", "2", "--executor", "local", "--dataset", "bright",
    "--criterion-per-class", "4", "--model", "two-layers",
    "--optimizer", "sign", "--lr", "0.001", "--schedule", "linear", "--label-smoothing", "0.1",
)  # fmt: skip


def put(folder: Path, name: str, lines: str) -> None:
    """Write a new file, or add to the file of that name what the block adds to it."""
    inner = name if name.partition("/")[0] == "bench" else f"bench/{name}"
    file = folder / inner
    if name.endswith("trial/protocol.py"):  # a field: into the class
        source = file.read_text("utf-8")
        first = "    weight_decay: float"
        assert source.count(first) == 1
        field = "".join(f"    {line}\n" for line in lines.splitlines())
        file.write_text(source.replace(first, field + first), "utf-8")
    else:
        with file.open("a", encoding="utf-8") as stream:
            stream.write(f"\n\n{lines}")


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the source with every block in it, and the plug-ins beside it."""
    folder = tmp_path_factory.mktemp("extended")
    shutil.copytree(Path(bench.__file__).parent, folder / "bench", ignore=shutil.ignore_patterns("*.pyc", "reports"))
    plugins = [lines for name, lines in BLOCKS if name == "mine.py"]
    for plugin, lines in zip(PLUGINS, plugins, strict=True):
        (folder / plugin).write_text(lines, "utf-8")
    for name, lines in BLOCKS:
        if name != "mine.py":
            put(folder, name, lines)
    return folder


def called(folder: Path, *arguments: str) -> str:
    """What a command of the copy prints on stdout."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    environment |= {"PYTHONPATH": str(folder)}
    command = [sys.executable, "-m", "bench", *arguments]
    process = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    return process.stdout


def test_every_block_says_where_it_goes_and_is_short() -> None:
    assert len(BLOCKS) == PAGE.read_text("utf-8").count("```python")
    assert [name for name, lines in BLOCKS if len(re.findall(r"^.*\S", lines, re.M)) > MOST] == []
    existing = {name for name, _ in BLOCKS if (PAGE.parents[1] / name).exists()}
    assert existing == {name for name, lines in BLOCKS if re.search(r"^[A-Z]+\[|: float = row", lines, re.M)}


def test_the_files_that_the_page_names_are_there() -> None:
    table = PAGE.read_text("utf-8").partition("| to add |")[2].partition("\n\n")[0]
    named = [name for name in re.findall(r"`([\w/]+\.py)`", table) if "NAME" not in name]
    assert named and all((PAGE.parents[1] / name).is_file() for name in named)


def test_trials_of_everything_that_is_added(extended: Path) -> None:
    """One sweep of own methods on an own network and data set, by an own optimizer, schedule, field and metric."""
    called(extended, *TRIALS)
    fields = ["optimizer", "schedule", "label_smoothing"]
    figures = ["live_weights", "weight_norm", "test_accuracy"]
    columns = ",".join(["method", "dataset", "model", *(f"spec.{name}" for name in fields), *figures])
    listed = called(extended, "list", "trials", "--format", "csv", "--columns", columns)
    rows = {row["method"]: row for row in csv.DictReader(io.StringIO(listed))}
    assert set(rows) == {"dense", "large-freeze", "large-prune", "band:start=100"}
    for row in rows.values():
        assert (row["dataset"], row["model"]) == ("bright", "two-layers")
        assert [row[f"spec.{name}"] for name in fields] == ["sign", "linear", "0.1"]
        assert float(row["weight_norm"]) > 0 and 0 <= float(row["test_accuracy"]) <= 1
    weights = 784 * 50 + 50 * 10
    assert {name: float(row["live_weights"]) for name, row in rows.items()} == {
        "dense": weights, "large-freeze": weights / 10, "large-prune": weights / 10, "band:start=100": weights / 10
    }  # fmt: skip


def test_everything_that_is_added_is_shown(extended: Path) -> None:
    assert "two-layers" in called(extended, "list", "models", *WITH_PLUGINS)
    assert "bright" in called(extended, "list", "datasets", *WITH_PLUGINS)
    text = " ".join(called(extended, "run", "--help").split())
    assert "--label-smoothing FLOAT Share of a label" in text
    table = called(extended, "table", "--metric", "weight_norm", "--reference", "large-prune")
    assert "Last epoch: norm of the weights" in table
    assert "Protocol: sign, " in table and "linear schedule" in table and "label smoothing 0.1" in table
    assert "own model (source " in table and "own optimizer (source " in table and "own schedule (source " in table
