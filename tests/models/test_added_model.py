"""One row and one function are a model: all that is known of a network follows from the network itself."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from pathlib import Path

import pytest
import torch
from small_trials import images
from torch import Tensor, nn

from bench.cli.cli import main
from bench.engine.train import train
from bench.methods import METHODS
from bench.models import MODELS, ModelRow, build
from bench.models.shapes import FILE, built_shapes, write_shapes
from bench.trial.sweep import Sweep

IMAGE = (1, 28, 28)
SHAPES = {"hidden.weight": (20, 784), "hidden.bias": (20,), "norm.weight": (20,), "norm.bias": (20,)}


class Backwards(nn.Module):
    """The layer that runs last is registered first."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.last = nn.Linear(20, classes)
        self.norm = nn.BatchNorm1d(20)
        self.hidden = nn.Linear(784, 20)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.last(torch.relu(self.norm(self.hidden(x.flatten(1)))))
        return logits


class Shared(nn.Module):
    """One weight under two names, and one that no layer holds."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(3))
        self.first = nn.Linear(784, 784, bias=False)
        self.second = nn.Linear(784, 784, bias=False)
        self.second.weight = self.first.weight
        self.unused = nn.Linear(2, 2)
        self.last = nn.Linear(784, classes * classes)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.last(self.second(self.first(x.flatten(1)))) * self.scale[0]
        return logits


@pytest.fixture
def backwards(monkeypatch: pytest.MonkeyPatch) -> ModelRow:
    """The model "backwards", in MODELS for the test's duration."""
    row = ModelRow(build=f"{__name__}:Backwards", image_shape=IMAGE, note="the last layer first")
    monkeypatch.setitem(MODELS, "backwards", row)
    return row


@pytest.mark.parametrize("classes", [2, 10])
def test_shapes_are_in_the_order_in_which_the_layers_run(backwards: ModelRow, classes: int) -> None:
    expected = {**SHAPES, "last.weight": (classes, 20), "last.bias": (classes,)}
    assert list(backwards.shapes(classes).items()) == list(expected.items())
    assert next(name for name, _ in build("backwards", classes).named_parameters()) == "last.weight"


def test_it_is_listed_with_its_counts(backwards: ModelRow, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "models", "--format", "csv"]) == 0
    (listed,) = (row for row in csv.DictReader(io.StringIO(capsys.readouterr().out)) if row["name"] == "backwards")
    expected = {"image": "1x28x28", "parameters": "15950", "maskable": "15880", "note": "the last layer first"}
    assert listed == {"name": "backwards", **expected}


@pytest.mark.parametrize(("rate", "step"), [("0.6", "dense"), ("0.8", "sparse")])
def test_it_trains_with_the_step_of_its_shapes(backwards: ModelRow, rate: str, step: str) -> None:
    """A fifth of the weights live is few enough of a layer on the images, and too many of one behind it."""
    protocol = {"dataset": "small", "data_hash": "0", "model": "backwards", "step": "auto", "pack": "auto"}
    sweep = Sweep(
        methods={"freeze": METHODS["freeze"]}, rates=[Decimal(rate)], seeds=[0], dense=False, classes=10,
        protocol={**protocol, "precision": "float32", "epochs": 1},
    )  # fmt: skip
    (spec,) = sweep.trials()
    assert spec.step == step
    (result,) = train([spec], images(), "cpu")
    assert (result.outcome, result.reason) == ("done", "")
    assert result.metrics["total_parameters"] == 15_950


def test_a_shared_weight_has_its_first_name_and_what_does_not_run_stands_last() -> None:
    expected = {
        "scale": (3,), "first.weight": (784, 784), "last.weight": (9, 784), "last.bias": (9,),
        "unused.weight": (2, 2), "unused.bias": (2,),
    }  # fmt: skip
    assert list(built_shapes(f"{__name__}:Shared", IMAGE, 3).items()) == list(expected.items())


def test_what_is_written_is_what_is_kept(tmp_path: Path) -> None:
    """All of MODELS; a test's network as well, but for one whose shapes no marker can say."""
    written = tmp_path / "shapes.json"
    rows = {row.build: row.image_shape for row in MODELS.values()}
    write_shapes(rows, written)
    assert written.read_text() == FILE.read_text()
    write_shapes({f"{__name__}:{name}": IMAGE for name in ("Backwards", "Shared")}, written)
    head = {"last.weight": ["classes", 20], "last.bias": ["classes"]}
    assert json.loads(written.read_text()) == {f"{__name__}:Backwards": {n: list(s) for n, s in SHAPES.items()} | head}
