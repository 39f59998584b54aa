"""Networks from outside, stored and read again: their code must be given, and be the trial's."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from odd_networks import RIGHT, images
from small_trials import spec

from bench.artefact import load
from bench.artefact.artefact import read
from bench.artefact.container import unseal
from bench.artefact.header import BaseRecord
from bench.engine.train import train
from bench.models import MODELS, ModelRow
from bench.trial.outside.sources import SOURCES
from bench.trial.plugins import Catalogue

SMALL = {"model": "odd", "batch_size": 20, "criterion_per_class": 2, "lr": 0.01, "validation_fraction": 0.25}
FILE = """
import torch
from torch import nn

class Scaled(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.register_buffer("table", torch.linspace(0, 1, 192))
        self.head, self.position = nn.Linear(192, classes), nn.Parameter(torch.randn(192))

    def forward(self, x):
        return self.head(x.flatten(1) * self.table + self.position)

MODELS = {"odd": Scaled}
"""


@pytest.mark.parametrize("method", ["freeze", "snip"])
@pytest.mark.parametrize(
    "name",
    [
        "tied weights",
        "attention and LayerNorm",
        "GroupNorm and InstanceNorm",
        "ConvTranspose2d",
        "Embedding",
        "Dropout",
    ],
)
def test_what_is_read_is_what_was_trained(name: str, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bit for bit: the checksums of initial weights, mask, weights and logits are in the file."""
    monkeypatch.setitem(MODELS, "odd", ModelRow(build=RIGHT[name]))
    (result,) = train([spec(method, "0.9", **SMALL)], images(), "cpu")
    assert (result.outcome, result.reason) == ("done", "")
    artefact = read(result.artefact)
    layers = {row["name"]: row["live"] for row in result.layers}
    assert {n: int(mask.sum()) for n, mask in artefact.masks.items()} == layers
    assert result.metrics["stored_parameters"] == sum(p.numel() for p in artefact.model.parameters()) - sum(
        int((~mask).sum()) for mask in artefact.masks.values()
    )


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A network of a plug-in, trained; then the plug-in is forgotten."""
    monkeypatch.setattr("bench.trial.outside.rows._rows", {})
    plugin = tmp_path / "mine.py"
    plugin.write_text(FILE)
    Catalogue([str(plugin)])
    (result,) = train([spec("freeze", "0.9", **SMALL)], images(), "cpu")
    del MODELS["odd"]
    monkeypatch.setattr("bench.trial.outside.rows._rows", {})
    del SOURCES["model", "odd"]
    file = tmp_path / "network.frz"
    file.write_bytes(result.artefact)
    return file


def test_whether_a_base_is_needed_is_told_without_the_plug_in(stored: Path) -> None:
    header = unseal(stored.read_bytes())[0]
    started = header.model_copy(update={"base": BaseRecord(key=64 * "0", weights=64 * "1")})
    assert not header.needs_base and started.needs_base
    assert "odd" not in MODELS


def test_the_plug_in_must_be_given_and_be_the_same(stored: Path) -> None:
    plugin = stored.with_name("mine.py")
    with pytest.raises(ValueError, match=r"network.frz: model 'odd' is of a plug-in: must be given, by --plugin FILE,"):
        load(stored)
    try:
        network = load(stored, plugins=[str(plugin)])
        assert network(torch.zeros(2, 3, 8, 8)).shape == (2, 5)
        plugin.write_text(FILE.replace("* self.table", "* 2 * self.table"))
        with pytest.raises(ValueError, match=r"network.frz: model 'odd': its source must be that of the trial, "):
            load(stored, plugins=[str(plugin)])
    finally:
        MODELS.pop("odd", None), SOURCES.pop(("model", "odd"), None)


def test_what_builds_it_can_be_given(stored: Path) -> None:
    with pytest.raises(ValueError, match=r"network.frz: model 'odd': its source must be that of the trial, "):
        load(stored, model=RIGHT["tied weights"])
    assert "odd" not in MODELS
