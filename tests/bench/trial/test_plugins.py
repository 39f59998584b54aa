"""A plug-in written against the names of before is told in one line what to import now."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from checkout import ROOMS, copy_to
from command_line import bench

from bench.cli.cli import main
from bench.trial.plugins import Catalogue


@pytest.fixture(params=["checkout", "install"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder; the folders of the rooms are on the path, as in a checkout, or are not, as in an install."""
    clean = [entry for entry in sys.path if not (Path(entry) / "methods" / "__init__.py").is_file()]
    more = [str(copy_to(tmp_path / "checkout"))] if request.param == "checkout" else []
    monkeypatch.setattr(sys, "path", [*clean, *more])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said_of(room: str, line: str) -> str:
    """Python's error of that import, another if a library of this name is installed; and what to import now."""
    with pytest.raises(ImportError) as error:
        exec(line)
    advice = f": import bench.{room} now"
    return f"{error.type.__name__}: {str(error.value).removesuffix(advice)}{advice}"


def test_modules_beside_a_file_are_found_by_the_console_script(tmp_path: Path) -> None:
    """Whose Python looks neither in the working folder nor in that of the file."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "criteria.py").write_text("def largest(model, batches, loss, generator):\n    return {}")
    method = "Method(criterion=criteria.largest, background='freeze')"
    lines = ["from bench.methods import Method", "import criteria", f"METHODS = {{'beside': {method}}}"]
    (tmp_path / "mine" / "plugin.py").write_text("\n".join(lines))
    listed = bench(tmp_path, "list", "methods", "--plugin", "mine/plugin.py", "--format", "csv", PYTHONSAFEPATH="1")
    assert (listed.returncode, listed.stderr) == (0, "")
    assert "\nbeside," in listed.stdout


@pytest.mark.parametrize("line", ["from {0} import Row", "import {0}.rows"])
@pytest.mark.parametrize("plugin", ["old.py", "old"])
@pytest.mark.parametrize("room", ROOMS)
def test_a_plugin(
    room: str, plugin: str, line: str, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "old.py").write_text(line.format(room))
    monkeypatch.delitem(sys.modules, "old", raising=False)
    assert main(["list", "methods", "--plugin", plugin]) == 2
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"error: plug-in '{plugin}': {said_of(room, line.format(room))}\n")


@pytest.mark.parametrize("room", ROOMS)
def test_an_entry_point(room: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = folder / "third_party-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: third-party\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[bench.methods]\nold = third_party_{room}:METHOD\n")
    (folder / f"third_party_{room}.py").write_text(f"from {room} import Row")
    monkeypatch.syspath_prepend(str(folder))
    with pytest.raises(ValueError) as error:
        Catalogue()["old"]
    assert str(error.value) == f"plug-in 'old': {said_of(room, f'from {room} import Row')}"


def test_in_rays_workers(tmp_path: Path) -> None:
    """What a criterion imports only when it is called."""
    lines = [
        "from bench.methods import Method",
        *(f"def {room}(model, batches, loss, generator):\n    import {room}.rows" for room in ROOMS),
        f"METHODS = {{f.__name__: Method(criterion=f, background='freeze') for f in ({', '.join(ROOMS)})}}",
    ]
    (tmp_path / "old.py").write_text("\n".join(lines))
    options = ("--plugin", "old.py", "--rates", "0.9", "--seeds", "1", "--epochs", "1", "--no-dense")
    trained = bench(tmp_path, "run", "--methods", ",".join(ROOMS), *options)
    assert trained.returncode == 1, trained.stderr
    for room in ROOMS:
        assert f"failed: {said_of(room, f'import {room}.rows')} (" in trained.stderr
