"""The first contact with a card, in its tiny form on the CPU: every step runs, and none takes the others with it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.speed.first_contact import driver
from bench.speed.first_contact.__main__ import main
from bench.speed.first_contact.driver import STEPS, Step, carry_out, is_right
from bench.speed.first_contact.scene import Scene

TINY = ["--device", "cpu", "--tiny"]
# What a machine lacks that has torch and torchvision alone: of these packages no file is found.
ALONE = """
import sys
from importlib.machinery import PathFinder
LACKING = {"pydantic", "constriction", "platformdirs", "ray", "mlflow", "click", "tabulate", "sklearn", "scipy", "rich"}
class Lacking(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in LACKING else PathFinder.find_spec(name, path, target)
sys.meta_path[sys.meta_path.index(PathFinder)] = Lacking
from bench.speed.first_contact.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


def figures(name: str, tmp_path: Path) -> dict[str, Any]:
    """What a step finds in its tiny form, in a process that has few packages."""
    file = tmp_path / "part.json"
    lacking = "LACKING = set()\n" if name == "shortage" else ""
    code = ALONE.replace("class Lacking", f"{lacking}class Lacking")
    command = [sys.executable, "-c", code, *TINY, "--step", name, "--json", str(file), "--seconds", "300"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2_000:]
    found: dict[str, Any] = json.loads(file.read_text())
    assert not [key for key in found if key.startswith(("failed", "left out"))], found
    return found


def test_device(tmp_path: Path) -> None:
    found = figures("device", tmp_path)
    assert found["packages"]["torch"] == torch.__version__.partition("+")[0] or found["packages"]["torch"]
    assert found["product, float32, TFLOP/s"] >= 0 and found["GB free"] > 0


@pytest.mark.slow
def test_parity(tmp_path: Path) -> None:
    found = figures("parity", tmp_path)
    assert len(found) == 2 * 2 * (2 + 3)  # precisions × whether recorded × kinds of the two networks
    for words, compared in found.items():
        assert compared["dead weights held"] and compared["repeats bit for bit"], words
        largest = max(compared["largest difference from the CPU, of each trial"])
        assert largest == 0 if "single" in words else 0 < largest < (1e-12 if "float64" in words else 1e-6), words


def test_recording(tmp_path: Path) -> None:
    found = figures("recording", tmp_path)  # on the CPU nothing is recorded: both ways are one
    assert [differences == [0.0] * 4 for differences in found.values()] == [True] * 3


def test_shortage(tmp_path: Path) -> None:
    found = figures("shortage", tmp_path)
    assert found["no limit"] == {"outcomes": ["done"], "trials ended": 2, "trials begun": 2}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["grid", "loop", "packs"])
def test_speeds(name: str, tmp_path: Path) -> None:
    found = figures(name, tmp_path)
    if name == "grid":
        assert set(found) == {"unfold", "vmap"}
        for row in found.values():
            assert (row["trials"], row["packs of the grid"]) == (3, 52) and row["ms of a step"] > 0
    elif name == "loop":
        base = found["researcher's loop"]["ms of a step"]
        single = found["single"]
        assert single["ratio"] == pytest.approx(base / single["ms of a trial's step"], abs=0.01)
        assert set(found) > {"pack of 2, vmap", "pack of 2, unfold"}
    else:
        assert {model: result["auto"] for model, result in found.items()} == {
            "lenet-5-caffe": "unfold", "resnet20": "vmap"
        }  # fmt: skip
        assert all(len(result["rows"]) == 2 for result in found.values())


def test_a_step_that_fails_or_hangs_takes_no_other_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two steps of which one is unknown to its process, and one that there is no time for."""
    file = tmp_path / "known.json"
    monkeypatch.setitem(STEPS, "none", Step(work="bench.nothing:step", seconds=60))
    monkeypatch.setitem(STEPS, "bare", Step(work="bench.nothing:step", seconds=60, needs=("no_such_package",)))
    monkeypatch.setitem(STEPS, "late", Step(work="bench.nothing:step", seconds=driver.LEAST / 2))
    known = carry_out(["none", "bare", "late", "device"], file, 10.0, TINY)
    assert json.loads(file.read_text()) == known and not is_right(known)
    states = {name: step["state"] for name, step in known["steps"].items()}
    assert states["none"].startswith("failed: code 2: ") and "invalid choice: 'none'" in states["none"]
    assert states["bare"] == "left out: needs no_such_package"
    assert states["late"] == "left out: no time left"
    assert states["device"] == "done" and known["steps"]["device"]["figures"]["machine"]
    assert is_right({"steps": {name: known["steps"][name] for name in ("bare", "late", "device")}})


def test_a_figure_that_fails_is_noted_and_the_step_goes_on() -> None:
    kept: list[dict[str, Any]] = []
    scene = Scene(device="cpu", tiny=True, data_root=None, until=0.0, keep=lambda figures: kept.append({**figures}))
    with scene.trying("division"):
        scene.note("quotient", 1 / 0)
    assert kept == [{"failed: division": "ZeroDivisionError: division by zero"}]
    assert not is_right({"steps": {"one": {"state": "done", "figures": kept[0]}}})
    assert list(scene.in_time(["late"])) == [] and kept[-1]["left out for want of time, from"] == "late"


def test_wrong_arguments(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert main(["--json", str(tmp_path / "a.json")]) == 2
    assert "device cuda: torch finds none here; --device cpu --tiny tries the steps" in capsys.readouterr().err
    assert main(["--json", str(tmp_path / "a.json"), *TINY, "--only", "speed"]) == 2
    assert "step 'speed': must be one of device, parity," in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
