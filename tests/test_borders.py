"""The borders between the rooms, read from the imports themselves."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOMS = ("bench", "methods", "models", "datasets", "results")
FORBIDDEN = {
    "methods": {"bench", "models", "datasets", "results", "ray", "mlflow"},
    "models": {"bench", "methods", "datasets", "results", "ray", "mlflow"},
    "datasets": {"bench", "methods", "models", "results", "ray", "mlflow"},
    "results": {"torch", "ray", "methods", "models", "datasets"},
    "bench": set(),
}
ONLY = {  # package -> the files that may import it
    "ray": {"bench/schedule.py", "bench/asha.py"},
    "optuna": {"bench/asha.py"},
    "mlflow": {"bench/tracking.py", "results/collect.py", "results/history.py"},
    "results": {"bench/commands.py"},
}


def room(name: str) -> Path:
    spec = find_spec(name)
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent


def files() -> Iterator[tuple[str, Path]]:
    for name in ROOMS:
        for path in sorted(room(name).rglob("*.py")):
            yield f"{name}/{path.relative_to(room(name))}", path


def imports(path: Path) -> set[str]:
    """Every module a file imports, at the top or inside a function."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
            assert node.level == 0, f"{path}: relative import"
    return found


@pytest.mark.parametrize(("name", "path"), list(files()), ids=[name for name, _ in files()])
def test_borders(name: str, path: Path) -> None:
    modules = imports(path)
    tops = {module.partition(".")[0] for module in modules}
    own = name.partition("/")[0]
    assert not tops & FORBIDDEN[own]
    for package, allowed in ONLY.items():
        if package in tops and own != package:
            assert name in allowed, f"{name} imports {package}"
    if own == "results":
        assert {m for m in modules if m.startswith("bench")} <= {"bench.names"} | {
            m for m in modules if m.startswith("bench.names.")
        }


def test_imports_go_in_one_direction() -> None:
    """No two files of a room import each other, directly or round a loop, at the top of the file."""
    graph: dict[str, set[str]] = {}
    for name, path in files():
        module = name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        top = ast.Module(
            [n for n in ast.parse(path.read_text()).body if isinstance(n, ast.Import | ast.ImportFrom)], []
        )
        graph[module] = set()
        for node in ast.walk(top):
            if isinstance(node, ast.ImportFrom) and node.module:
                graph[module] |= {node.module, *(f"{node.module}.{a.name}" for a in node.names)}
    graph = {m: {i for i in found if i in graph and i != m} for m, found in graph.items()}
    done: set[str] = set()

    def walk(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join((*path, module))
        if module not in done:
            for other in graph[module]:
                walk(other, (*path, module))
            done.add(module)

    for module in graph:
        walk(module, ())


HEAVY = ("torch", "ray", "mlflow", "sklearn", "pandas", "matplotlib")


@pytest.mark.parametrize(
    "code",
    [
        "import methods, models, datasets, bench.sweep, bench.spec",
        "import bench.run, bench.places, bench.spool, bench.store, bench.worker, bench.ray_options",
        "import datasets; datasets.check('digits')",
        "import bench.cli; bench.cli.main(['--help'])",
        "import bench.cli; bench.cli.main(['run', '--help'])",
        "import bench.cli; bench.cli.main(['plot', '--help'])",
        "import bench.cli; bench.cli.main(['list', 'methods'])",
        "import bench.cli; bench.cli.main(['list', 'models'])",
        "import bench.cli; bench.cli.main(['list', 'datasets', '--format', 'csv'])",
        "import bench.cli; assert bench.cli.main(['run', '--rates', '1.5']) == 2",
        "import bench.cli; assert bench.cli.main(['run', '--methods', 'frezee']) == 2",
        "import bench.cli; assert bench.cli.main(['run', '--model', 'vgg']) == 2",
        "import bench.cli; assert bench.cli.main(['run', '--epochs', '0']) == 2",
        "import bench.cli; assert bench.cli.main(['run', '--offline', 'kept']) == 2",
        "import bench.cli; assert bench.cli.main(['speed', '--model', 'vgg']) == 2",
        "import bench.cli; assert bench.cli.main(['speed', '--machine', '--epochs', '0']) == 2",
        "import bench.timed_run, bench.bare",
        "import bench.tune, bench.chosen, bench.search",
        "import bench.cli; assert bench.cli.main(['tune', '--search', 'lrr']) == 2",
    ],
)
def test_light_commands_import_nothing_heavy(code: str, tmp_path: Path) -> None:
    assert loaded(code, HEAVY, tmp_path) == "[]"


def test_the_grid_is_told_before_anything_heavy_is_imported(tmp_path: Path) -> None:
    blocked = "sys.modules.update(dict.fromkeys(('torch', 'ray', 'mlflow')))"  # importing any of them raises
    code = f"import sys; {blocked}; import bench.cli; bench.cli.main(['run'])"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert "ModuleNotFoundError" in done.stderr
    assert done.stderr.startswith("grid: 2 methods × 5 rates × 5 seeds + dense × 5 seeds = 55 trials\n")
    assert list(tmp_path.iterdir()) == []


def test_the_driver_of_a_sweep_needs_no_torch() -> None:
    code = "import bench.run, bench.tracking, bench.schedule, bench.progress"
    assert loaded(code, ("torch", "sklearn", "torchvision"), Path.cwd()) == "[]"


def test_table_imports_neither_torch_nor_ray(tmp_path: Path) -> None:
    code = "import bench.cli; assert bench.cli.main(['table']) == 2"
    assert loaded(code, ("torch", "ray"), tmp_path) == "[]"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [["table"], ["power"], ["plot", "accuracy", "-o", "a.gif"]])
def test_what_draws_no_plot_imports_no_matplotlib(command: list[str], tmp_path: Path) -> None:
    code = (
        f"import bench.cli, results.tables, results.power_table, results.plots; assert bench.cli.main({command}) == 2"
    )
    assert loaded(code, ("matplotlib", "torch", "ray"), tmp_path) == "[]"
    assert list(tmp_path.iterdir()) == []


def loaded(code: str, modules: tuple[str, ...], folder: Path) -> str:
    """Run `code` in a fresh process; which of the modules it left imported."""
    check = f"{code}\nimport sys; print([m for m in {modules} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]
