"""Networks of plug-ins and libraries on the command line: trained, listed, or refused in one line."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from command_line import called
from PIL import Image

from bench.trial.loading import module_name
from bench.trial.outside.rows import add

FILE = """
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

def small(classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 50), nn.ReLU(), nn.Linear(50, classes))

def dropped(classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 50), nn.Dropout(), nn.Linear(50, classes))

def normed(classes):
    return nn.Sequential(nn.Flatten(), weight_norm(nn.Linear(784, classes)))

MODELS = {"small": small, "dropped": dropped, "normed": normed}
"""
TRAINED = (
    "--executor", "local", "--offline", "kept", "--epochs", "1", "--seeds", "1", "--rates", "0.9", "--methods",
    "freeze,snip", "--no-dense",
)  # fmt: skip
COLOURED = ("--dataset", "folder:pictures", "--batch-size", "12", "--criterion-per-class", "2", "--lr", "0.01")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A plug-in, and pictures of three colours, 32 × 32."""
    (tmp_path / "mine.py").write_text(FILE)
    random = np.random.RandomState(0)
    for part, images in (("train", 10), ("test", 4)):
        for channel, colour in enumerate(("red", "green", "blue")):
            inside = tmp_path / "pictures" / part / colour
            inside.mkdir(parents=True)
            for number in range(images):
                pixels = random.randint(0, 150, (32, 32, 3))
                pixels[..., channel] += 100
                Image.fromarray(pixels.astype(np.uint8)).save(inside / f"{number}.png")
    yield tmp_path
    add([], module_name(tmp_path / "mine.py"))  # the commands ran in this process, whose tables have its rows


def trials(folder: Path) -> list[dict[str, object]]:
    lines = [line for file in (folder / "kept").glob("*.jsonl") for line in file.read_text().splitlines()]
    return [json.loads(line) for line in lines]


def refused(folder: Path, *arguments: str) -> str:
    process = called(folder, *arguments)
    assert process.returncode == 2 and process.stderr.count("\n") == 1
    assert not (folder / "kept").exists()
    return process.stderr


def test_layers_are_listed(folder: Path) -> None:
    command = ("list", "models", "--model", "small", "--plugin", "mine.py", "--classes", "4")
    process = called(folder, *command, "--format", "csv")
    rows = csv.DictReader(io.StringIO(process.stdout))
    assert [(r["layer"], r["shape"], r["maskable"], r["MACs"], r["note"]) for r in rows] == [
        ("1", "50x784 50", "39200", "39200", ""), ("3", "4x50 4", "200", "200", "head"),
    ]  # fmt: skip
    assert called(folder, *command, "--format", "github").stdout.splitlines()[-6:] == [
        "for images 1x28x28 and 4 classes",
        "39,454 parameters, 39,400 of them maskable, in 2 weights",
        "head: 3.weight",
        "39,400 multiply-accumulates per image",
        "sparse step: of 1.weight",
        "packs: vmap",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--plugin", "mine.py", "--model", "normed"),
            "model 'normed': layer 1 (ParametrizedLinear): its weight is computed from other tensors, as by weight "
            "norm; must be a parameter",
        ),
        (
            ("--plugin", "mine.py", "--model", "dropped", "--step", "sparse"),
            "step sparse of this network: it draws random numbers in training, which would fall on other units; must "
            "be dense or auto",
        ),
        (
            ("--plugin", "mine.py", "--model", "dropped", "--pack", "vmap"),
            "pack vmap: the network cannot be trained in packs (it draws random numbers in training, which would "
            "depend on the other trials of the pack); must be single or auto",
        ),
        (
            ("--model", "torchvision:resnet18"),
            "model 'torchvision:resnet18': takes images of 3 channels; the data set has 1",
        ),
    ],
)
def test_what_is_wrong_is_one_line(folder: Path, arguments: tuple[str, ...], message: str) -> None:
    assert refused(folder, "run", *TRAINED, *arguments) == f"error: {message}\n"


def test_a_network_of_a_library_that_is_not_there(folder: Path) -> None:
    said = refused(folder, "run", *TRAINED, "--model", "torchvision:resnet81")
    assert said.startswith("error: unknown model 'torchvision:resnet81': must be one of the ")
    assert said.endswith("of torchvision; did you mean torchvision:resnet18?\n")


def test_auxiliary_outputs_are_named(folder: Path) -> None:
    command = ("list", "models", "--model", "torchvision:googlenet", "--image-shape", "3x64x64", "--classes", "4")
    assert refused(folder, *command) == (
        "error: model 'torchvision:googlenet': its output is a GoogLeNetOutputs: must be one tensor of logits [images, "
        "4], in training too\n"
    )


@pytest.mark.parametrize(
    "model", ["timm:test_vit", pytest.param("torchvision:resnet18", marks=pytest.mark.slow), "small"]
)
def test_frozen_and_pruned_for_an_epoch(folder: Path, model: str) -> None:
    """The key of a network from outside has what it is made of; the stored network is read and verified."""
    library = model.partition(":")[0]
    if library == "timm" and not importlib.util.find_spec("timm"):
        pytest.skip("timm is not installed")
    given = ("--plugin", "mine.py") if model == "small" else COLOURED
    process = called(folder, "run", *TRAINED, *given, "--model", model)
    assert process.returncode == 0, process.stderr
    kept = trials(folder)
    assert {t["spec"]["method"]["background"] for t in kept} == {"freeze", "prune"}  # type: ignore[index]
    for trial in kept:
        assert trial["result"]["outcome"] == "done" and list(trial["spec"]["sources"]) == ["model"]  # type: ignore[index]
    file = next((folder / "kept").glob("*.frz"))
    plugin = ("--plugin", "mine.py") if model == "small" else ()
    assert called(folder, "verify", str(file), *plugin).returncode == 0
    assert called(folder, "verify", str(file)).returncode == 0 or model == "small"
    if model != "small":
        (folder / "pictures").rename(folder / "moved")
        lost = called(folder, "verify", str(file))
        assert lost.returncode == 1 and lost.stderr.endswith("; --dataset says where it is now\n")
        assert called(folder, "verify", str(file), "--dataset", "folder:moved").returncode == 0


def test_a_batch_of_one_image_is_refused_before_it_is_trained(folder: Path) -> None:
    said = refused(folder, "run", *TRAINED, *COLOURED, "--batch-size", "13", "--model", "torchvision:resnet18")
    assert said == (
        "error: batch-size 13: leaves 1 of 27 training images for the last batch, and model 'torchvision:resnet18' "
        "needs 2; must be another size\n"
    )


def test_narrow_finds_a_data_set_that_was_moved(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the networks of the store those on it; the others' data sets are found by their names."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlflow.db")
    run = ("run", "--executor", "local", "--epochs", "1", "--seeds", "1", "--rates", "0.9", "--methods", "snip")
    for what in ((*COLOURED, "--model", "resnet20"), ("--model", "lenet-300-100")):
        assert called(folder, *run, *what, "--no-dense").returncode == 0
    (folder / "pictures").rename(folder / "moved")
    narrow = ("narrow", "--value-dtype", "int8")
    lost = called(folder, *narrow, "--name", "folder:pictures-resnet20")
    assert lost.returncode == 1 and "; --dataset says where it is now\n" in lost.stderr
    other = called(folder, *narrow, "--name", "digits-lenet-300-100", "--dataset", "folder:moved")
    assert other.stderr == "error: dataset folder:moved: no network to be measured was trained on it\n"
    done = called(folder, *narrow, "--dataset", "folder:moved")
    assert done.returncode == 0 and "2 networks measured with narrower values" in done.stderr
