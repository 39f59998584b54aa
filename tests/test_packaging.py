"""One importable name: what a build holds, and how it lives with other people's files and packages of like names."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import textwrap
import zipfile
from pathlib import Path

import pytest
from checkout import ROOMS, ROOT, build, built_in_before
from command_line import bench, environment, stored
from environments import Environment

RUN = ("run", "--methods", "freeze", "--rates", "0.9", "--seeds", "1", "--epochs", "1")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout, built in before."""
    return built_in_before(tmp_path_factory.mktemp("source") / "checkout")


def files(wheel: Path) -> set[str]:
    return {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}


def test_a_wheel_holds_bench_and_nothing_else(wheel: Path) -> None:
    modules = {f"bench/{path.relative_to(ROOT / 'bench')}" for path in (ROOT / "bench").rglob("*.py")}
    for room in ROOMS:
        modules |= {f"bench/{path.relative_to(ROOT)}" for path in (ROOT / room).rglob("*.py")}
    figures = {f"bench/{path.relative_to(ROOT)}" for path in (ROOT / "results" / "published").glob("*.json")}
    tables = "bench/results/tables"
    page = {f"{tables}/html_page/page.html", f"{tables}/html_page/style.css"}
    schemas = {f"{tables}/schema/table-1.json", f"{tables}/schema/part-1.json"}
    assert len(modules) > 150 and len(figures) == 7
    assert files(wheel) == modules | figures | page | schemas | {"bench/py.typed", "bench/models/shapes.json"}


def test_a_wheel_of_the_source_archive_holds_the_same(source: Path, wheel: Path, tmp_path: Path) -> None:
    archive = build("build_sdist", source, tmp_path / "archive")
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    assert files(build("build_wheel", unpacked, tmp_path / "wheel")) == files(wheel)


def other_datasets(folder: Path) -> Path:
    """A distribution named datasets, with a package of that name, as Hugging Face has."""
    file, info = folder / "datasets-9.0-py3-none-any.whl", "datasets-9.0.dist-info"
    contents = {
        "datasets/__init__.py": "WHOSE = 'another'\n",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: datasets\nVersion: 9.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},,\n" for name in (*contents, f"{info}/RECORD"))
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in {**contents, f"{info}/RECORD": record}.items():
            archive.writestr(name, content)
    return file


def works(there: Environment, name: str, cwd: Path) -> bool:
    """Whether the package of a distribution does what it is for, from this environment's own files."""
    if name == "datasets":
        code = "import datasets; print(datasets.WHOSE, datasets.__file__)"
        expected = f"another {there.site / 'datasets' / '__init__.py'}\n"
    else:
        code = "import bench.datasets as d; print(len(d.load('digits').train_images), d.__file__)"
        expected = f"1437 {there.site / 'bench' / 'datasets' / '__init__.py'}\n"
    return there.run("python", "-P", "-c", code, cwd=cwd).stdout == expected


@pytest.mark.parametrize("order", [("datasets", "freeze-or-prune"), ("freeze-or-prune", "datasets")])
def test_another_distribution_of_the_name_datasets(order: tuple[str, str], wheel: Path, tmp_path: Path) -> None:
    """Installed in both orders each works, and goes on to when the other, older one is removed."""
    there, wheels = Environment(tmp_path / "env"), {"datasets": other_datasets(tmp_path), "freeze-or-prune": wheel}
    for name in order:
        there.install(wheels[name])
    assert all(works(there, name, tmp_path) for name in order)
    there.pip("uninstall", "--yes", order[0])
    assert works(there, order[1], tmp_path) and not works(there, order[0], tmp_path)


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A working folder whose own files have the names of ours."""
    folder = tmp_path / "hostile"
    for package in ("datasets", "results"):
        (folder / package).mkdir(parents=True)
        (folder / package / "__init__.py").write_text("raise SystemExit('the wrong package')\n")
    for module in ("models", "methods"):
        (folder / f"{module}.py").write_text("raise SystemExit('the wrong module')\n")
    return folder


def test_a_working_folder_of_like_names(hostile: Path) -> None:
    listed = bench(hostile, "list", "models")
    assert listed.returncode == 0 and "lenet-300-100" in listed.stdout, listed.stderr
    trained = bench(hostile, *RUN)
    assert trained.returncode == 0, trained.stderr
    assert [trial["status"] for trial in stored(hostile).values()] == ["FINISHED"] * 2


def test_the_installed_command(wheel: Path, hostile: Path, tmp_path: Path) -> None:
    """Its exit codes, and Ray's workers, in a folder with even a `bench.py`."""
    (hostile / "bench.py").write_text("raise SystemExit('the wrong module')\n")
    there = Environment(tmp_path / "env")
    there.install(wheel)
    wrong = there.run("freeze-or-prune", "run", "--rates", "1.5", cwd=hostile)
    assert (wrong.returncode, wrong.stdout) == (2, "") and wrong.stderr.startswith("error: rate 1.5: "), wrong.stderr
    trained = there.run("freeze-or-prune", *RUN, cwd=hostile)
    assert trained.returncode == 0, trained.stderr
    assert [trial["status"] for trial in stored(hostile).values()] == ["FINISHED"] * 2


PLUGIN = """
    import datasets
    from bench.methods import Method
    from bench.methods.maskable import maskable

    assert datasets.WHOSE == "another"


    def smallest(model, batches, loss, generator):
        import datasets  # what a worker of Ray's finds by itself
        from beside import SIGN

        assert datasets.WHOSE == "another"

        return {name: SIGN * w.detach().abs() for name, w in maskable(model).items()}


    METHODS = {"smallest": Method(criterion=smallest, background="freeze")}
"""


def test_in_a_checkout_a_library_finds_the_other_datasets(source: Path, tmp_path: Path) -> None:
    """By the command and by Ray's workers, started in the checkout, with a plug-in there given as a dotted name."""
    (source / "mine.py").write_text(textwrap.dedent(PLUGIN))
    (source / "beside.py").write_text("SIGN = -1\n")
    zipfile.ZipFile(other_datasets(tmp_path)).extractall(tmp_path / "site")
    command = (*RUN, "--plugin", "mine", "--methods", "smallest", "--no-dense")
    trained = subprocess.run(
        [sys.executable, "-m", "bench", *command],
        cwd=source,
        env={k: v for k, v in environment().items() if k != "PYTHONSAFEPATH"} | {"PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert trained.returncode == 0, trained.stderr
    assert [trial["status"] for trial in stored(source).values()] == ["FINISHED"]


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_is_not_imported_under_its_bare_name(room: str, source: Path) -> None:
    code = f"try:\n    import {room}\nexcept ImportError as error:\n    print(error)"
    variables = {**os.environ, "PYTHONPATH": str(source)}
    asked = subprocess.run([sys.executable, "-c", code], env=variables, cwd=source, capture_output=True, text=True)
    assert asked.stdout == f"No module named '{room}': import bench.{room} now\n", asked.stderr
