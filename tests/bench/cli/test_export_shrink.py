"""export --shrink: a network without its closed channels, for other programs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from bench import names
from bench.artefact import small_files
from bench.artefact.network_file import load
from bench.artefact.small_files import load_small
from bench.cli.cli import main
from bench.results.frame.collect import collect


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Method -> the run of its trial, in a store of this folder."""
    folder, before = tmp_path_factory.mktemp("small"), Path.cwd()
    os.chdir(folder)
    patch = pytest.MonkeyPatch()
    patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlflow.db")
    command = ["run", "--methods", "uniform-width,random-er-prune", "--rates", "0.9", "--seeds", "1", "--epochs", "1"]
    assert main([*command, "--executor", "local", "--model", "lenet-300-100", "--no-dense"]) == 0
    frame = collect(f"sqlite:///{folder}/mlflow.db")
    assert (frame["outcome"] == names.DONE).all()
    yield dict(zip(frame["method"], frame["run_id"], strict=True))
    patch.undo()
    os.chdir(before)


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_an_ordinary_state_with_its_widths(
    runs: dict[str, str], tmp_path: Path, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / f"small{suffix}"
    assert main(["export", runs["uniform-width"], "-o", str(file), "--shrink"]) == 0
    said = capsys.readouterr().err
    widths = json.loads(file.with_suffix(".widths.json").read_text())
    assert widths["widths"] == {"fc1": 33, "fc2": 11} and widths["macs"] == 784 * 33 + 33 * 11 + 110
    assert f"{widths['parameters']:,} of 266,610 parameters" in said
    small = load_small(file)
    assert sum(p.numel() for p in small.parameters()) == widths["parameters"] <= 26_661
    assert main(["export", runs["uniform-width"], "-o", str(tmp_path / "masked.frz")]) == 0
    masked, x = load(tmp_path / "masked.frz"), torch.randn(5, 1, 28, 28)
    with torch.no_grad():
        torch.testing.assert_close(small(x), masked(x), rtol=1e-5, atol=1e-6)
    if suffix == ".safetensors":
        with safe_open(file, "pt") as content:
            assert json.loads(content.metadata()["widths"]) == widths


def test_onnx_is_checked_against_the_network_with_closed_channels(
    runs: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    file = tmp_path / "small.onnx"
    assert main(["export", runs["uniform-width"], "-o", str(file), "--shrink"]) == 0
    assert main(["export", runs["uniform-width"], "-o", str(tmp_path / "masked.frz")]) == 0
    session = runtime.InferenceSession(file, providers=["CPUExecutionProvider"])
    for images in (1, 7):
        x = torch.randn(images, 1, 28, 28)
        with torch.no_grad():
            expected = load(tmp_path / "masked.frz")(x)
        (logits,) = session.run(["logits"], {"images": x.numpy()})
        torch.testing.assert_close(torch.from_numpy(logits), expected, rtol=1e-4, atol=1e-4)
    monkeypatch.setattr(small_files, "CLOSE", -1.0)
    capsys.readouterr()
    assert main(["export", runs["uniform-width"], "-o", str(tmp_path / "other.onnx"), "--shrink"]) == 2
    assert "logits in onnxruntime differ by" in capsys.readouterr().err
    assert not (tmp_path / "other.onnx").exists()


def test_the_extra_is_named_if_it_is_missing(
    runs: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(small_files, "ONNX_PACKAGES", ("no_such_package",))
    assert main(["export", runs["uniform-width"], "-o", str(tmp_path / "a.onnx"), "--shrink"]) == 2
    said = capsys.readouterr().err
    assert "an .onnx file: no_such_package must be installed; pip install 'freeze-or-prune[onnx]'" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-o", "a.frz", "--shrink"], "output a.frz with --shrink: must end in .safetensors, .pt or .onnx"),
        (["-o", "a.pt"], "output a.pt without --shrink: must end in .frz"),
        (
            ["-o", "a.frz", "--base", __file__],
            "--base without --value-dtype or --shrink: must be with one of them, which rebuild the network",
        ),
        (["-o", "a.pt", "--shrink", "--value-dtype", "int8"], "--shrink with --value-dtype: must be one of them"),
    ],
)
def test_what_does_not_go_together(
    runs: dict[str, str], capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert main(["export", runs["uniform-width"], *arguments]) == 2
    assert said in capsys.readouterr().err


def test_a_network_without_closed_channels_is_refused(
    runs: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = runs["random-er-prune"]
    assert main(["export", run, "-o", str(tmp_path / "a.pt"), "--shrink"]) == 2
    assert f"run {run}: every channel is read by some layer: must be a network with closed channels" in (
        capsys.readouterr().err
    )
    assert list(tmp_path.iterdir()) == []


def test_a_budget_below_the_floor_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["run", "--methods", "uniform-width", "--rates", "0.999", "--seeds", "1", "--executor", "local"]
    assert main([*command, "--model", "lenet-300-100"]) == 2
    assert (
        "uniform-width with model 'lenet-300-100' at rate 0.999: a budget of 266 parameters: must be at least 807 of "
        "the network's 266,610, its floor with 1 channel in each of its 2 groups"
    ) in capsys.readouterr().err
