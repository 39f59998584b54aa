"""The borders between the rooms, read from the imports themselves."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import bench

# The rooms from the lowest to the highest: a file imports from its own room and from those before it.
ROOMS = (
    "channels", "methods", "models", "datasets", "", "stored_runs", "trial", "storage", "engine.setup", "engine.steps",
    "engine.measures", "artefact", "peft", "engine", "execution", "speed", "api", "cli",
)  # fmt: skip
ALONE = ("channels", "methods", "models", "datasets")  # rooms that import no other, but LOWEST and the first
LOWEST = (
    "names",
    "metrics",
    "mlflow_metrics",
    "masking",
    "messages",
    "canonical",
    "disk",
    "paging",
    "tags",
    "test_right",
    "references",
    "search_path",
)  # of the root; they import nothing of ours
# The same of `bench.results`, which imports SHARED alone.
RESULTS = ("frame", "statistics", "tables", "parts", "terminal", "paper", "plots", "page")
SHARED = {
    "bench.trial.protocol", "bench.trial.start", "bench.stored_runs.query", "bench.stored_runs.reading",
    *(f"bench.{name}" for name in LOWEST),
}  # fmt: skip
ONLY = {  # package -> the modules that may import it
    "ray": {
        f"bench.execution.{name}"
        for name in ("ray_machine.ray_process", "ray_machine.ray_token", "schedule", "stopping", "asha")
    },
    "optuna": {"bench.execution.asha"},
    "mlflow": {
        "bench.storage.mlflow_store",
        *(f"bench.storage.client.{name}" for name in ("opening", "writing", "run_files", "sweeps", "runs")),
        "bench.stored_runs.by_client",
    },
    "wandb": {"bench.storage.tracking.wandb_runs"},
    "bench.results": {
        "bench.cli.results_commands",
        *(f"bench.cli.plan.{name}" for name in ("command", "record", "listed", "looking")),
        *(f"bench.api.{name}" for name in ("comparison", "stored", "sweep_page", "views")),
    },
}
FRONT = ("bench", "bench.__main__")  # what a user imports or calls, which names what stands above
MOST = 20  # modules of a folder
NOT_INSTALLED = {"bench.results": {"reports"}}  # folders that only a checkout has


def modules() -> dict[str, Path]:
    """Module -> its file, of everything that is installed; the four rooms beside `bench/` are links in a checkout."""
    root = Path(bench.__file__).parent
    paths = [Path(folder) / f for folder, _, files in os.walk(root, followlinks=True) for f in files]
    named = {path: path.relative_to(root.parent).with_suffix("") for path in paths if path.suffix == ".py"}
    return {".".join(name.parts).removesuffix(".__init__"): path for path, name in sorted(named.items())}


MODULES = modules()
FOLDERS = {name: path.parent for name, path in MODULES.items() if path.name == "__init__.py"}


def room(module: str) -> str:
    """The room of `bench` that a module lies in; "" is the root."""
    inner = module.partition(".")[2]
    return next((r for r in sorted(ROOMS, key=len, reverse=True) if r and f"{inner}.".startswith(f"{r}.")), "")


def targets(path: Path) -> set[str]:
    """The modules of ours that a file imports."""
    named = (name for name in imports(path) if name.partition(".")[0] == "bench")
    return {name if name in MODULES else name.rpartition(".")[0] for name in named}


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


@pytest.mark.parametrize("module", [m for m in MODULES if not m.startswith("bench.results")])
def test_rooms_import_downwards(module: str) -> None:
    own = room(module)
    for target in targets(MODULES[module]):
        if target.startswith("bench.results") or module in FRONT:
            continue
        if target in {*SHARED, "bench"}:
            continue
        assert ROOMS.index(room(target)) <= ROOMS.index(own), f"{module} imports {target}"
        assert own not in ALONE or room(target) in (own, ROOMS[0]), f"{module} imports {target}"


@pytest.mark.parametrize("module", [m for m in MODULES if m.startswith("bench.results.")])
def test_rooms_of_results_import_downwards(module: str) -> None:
    own = module.split(".")[2]
    for target in targets(MODULES[module]):
        if target.startswith("bench.results."):
            assert RESULTS.index(target.split(".")[2]) <= RESULTS.index(own), f"{module} imports {target}"
        else:
            assert target in {*SHARED, "bench"}, f"{module} imports {target}"


@pytest.mark.parametrize("module", [f"bench.{name}" for name in LOWEST])
def test_the_lowest_modules_import_nothing_of_ours(module: str) -> None:
    assert targets(MODULES[module]) <= {"bench", "bench.names", "bench.metrics", "bench.masking"}


@pytest.mark.parametrize("module", MODULES)
def test_packages_of_few_files(module: str) -> None:
    named = imports(MODULES[module])
    tops = {name.partition(".")[0] for name in named}
    if module.startswith(("bench.results", "bench.methods", "bench.models", "bench.datasets")):
        assert "ray" not in tops
    if module.startswith("bench.results"):
        assert "torch" not in tops
    for package, allowed in ONLY.items():
        if any(f"{name}.".startswith(f"{package}.") for name in named) and not module.startswith(package):
            assert module in allowed, f"{module} imports {package}"


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_room_has_a_line_for_every_file(folder: str) -> None:
    """Its docstring is one line on the room, and one for each file and folder in it."""
    text = ast.get_docstring(ast.parse((FOLDERS[folder] / "__init__.py").read_text()))
    assert text is not None and len(text.splitlines()[0]) > 10
    lines = [line.group(1) for line in map(re.compile(r"(\w+)  +\S").match, text.splitlines()) if line]
    inside = {p.stem for p in FOLDERS[folder].iterdir() if p.suffix == ".py" or (p.is_dir() and p.name[0] != "_")}
    inside |= NOT_INSTALLED.get(folder, set())
    assert sorted(lines) == sorted(inside - {"__init__"})
    assert len(list(FOLDERS[folder].glob("*.py"))) <= MOST


def test_no_circle_of_files() -> None:
    """No two files import each other, directly or round a loop, at the top, in a function or for their types alone."""
    graph = {module: targets(path) - {module} for module, path in MODULES.items() if module not in FRONT}
    done: set[str] = set()

    def walk(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join((*path, module))
        if module not in done:
            for other in graph[module] - {*FRONT}:
                walk(other, (*path, module))
            done.add(module)

    for module in graph:
        walk(module, ())


HEAVY = ("torch", "ray", "mlflow", "sklearn", "pandas", "matplotlib")


@pytest.mark.parametrize(
    "code",
    [
        "import bench; from bench import *; assert bench.frame and bench.Comparison; dir(bench)",
        "import bench; bench.compare",
        "from bench import methods, models, datasets; import bench.trial.sweep, bench.trial.spec",
        "import bench.cli.run, bench.storage.destinations, bench.storage.offline_folder, bench.storage.store_uri",
        "import bench.execution.worker, bench.execution.ray_machine.ray_options, bench.execution.ray_machine.ray_logs",
        "from bench import datasets; datasets.check('digits')",
        "from bench.cli.cli import main; main(['--help'])",
        "from bench.cli.cli import main; main(['run', '--help'])",
        "from bench.cli.cli import main; main(['plot', '--help'])",
        "from bench.cli.cli import main; main(['run', '--device', 'cpu', '--print-config'])",
        "from bench.cli.cli import main; main(['completion', 'bash'])",
        "from bench.cli.cli import main; main(['speed', 'step', '--help'])",
        "from bench.cli.cli import main; main(['--version'])",
        "from bench.cli.cli import main; main(['list', 'methods'])",
        "from bench.cli.cli import main; main(['list', 'models'])",
        "from bench.cli.cli import main; main(['list', 'datasets', '--format', 'csv'])",
        "from bench.cli.cli import main; assert main(['run', '--rates', '1.5']) == 2",
        "from bench.cli.cli import main; assert main(['run', '--methods', 'frezee']) == 2",
        "from bench.cli.cli import main; assert main(['run', '--model', 'vgg']) == 2",
        "from bench.cli.cli import main; assert main(['run', '--epochs', '0']) == 2",
        "from bench.cli.cli import main; assert main(['run', '--offline', 'kept']) == 2",
        "from bench.cli.cli import main; assert main(['speed', 'step', '--model', 'vgg']) == 2",
        "from bench.cli.cli import main; assert main(['speed', 'trials', '--epochs', '0']) == 2",
        "import bench.execution.run, bench.speed.timed_run, bench.speed.bare",
        "import bench.cli.tune, bench.storage.choices, bench.trial.search",
        "from bench.cli.cli import main; assert main(['tune', '--search', 'lrr']) == 2",
    ],
)
def test_light_commands_import_nothing_heavy(code: str, tmp_path: Path) -> None:
    assert loaded(code, HEAVY, tmp_path) == "[]"


def test_the_commands_describe_themselves_without_numpy(tmp_path: Path) -> None:
    assert loaded("from bench.cli.cli import main; main(['--help'])", ("numpy", *HEAVY), tmp_path) == "[]"


def test_the_grid_is_told_before_anything_heavy_is_imported(tmp_path: Path) -> None:
    blocked = "sys.modules.update(dict.fromkeys(('torch', 'ray', 'mlflow')))"  # importing any of them raises
    code = f"import sys; {blocked}; from bench.cli.cli import main; main(['run'])"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    environment["XDG_STATE_HOME"] = str(tmp_path.with_name("state"))  # the report of this error
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert "ModuleNotFoundError" in done.stderr
    assert done.stderr.startswith("grid: 2 methods × 5 rates × 5 seeds + dense × 5 seeds = 55 trials\n")
    assert list(tmp_path.iterdir()) == []


def test_the_driver_of_a_sweep_needs_no_torch() -> None:
    code = "import bench.cli.run, bench.storage.mlflow_store, bench.execution.schedule, bench.execution.progress"
    assert loaded(code, ("torch", "sklearn", "torchvision"), Path.cwd()) == "[]"


def test_table_imports_neither_torch_nor_ray(tmp_path: Path) -> None:
    code = "from bench.cli.cli import main; assert main(['table']) == 2"
    assert loaded(code, ("torch", "ray"), tmp_path) == "[]"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [["table"], ["power"], ["plot", "accuracy", "-o", "a.gif"]])
def test_what_draws_no_plot_imports_no_matplotlib(command: list[str], tmp_path: Path) -> None:
    late = "import bench.results.parts.whole, bench.results.tables.power_table, bench.results.plots.plots"
    code = f"from bench.cli.cli import main; {late}; assert main({command}) == 2"
    assert loaded(code, ("matplotlib", "torch", "ray"), tmp_path) == "[]"
    assert list(tmp_path.iterdir()) == []


def loaded(code: str, modules: tuple[str, ...], folder: Path) -> str:
    """Run `code` in a fresh process; which of the modules it left imported."""
    check = f"{code}\nimport sys; print([m for m in {modules} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]
