"""Networks with depthwise convolutions, squeeze and excitation and residual streams, trained to a budget."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from functools import cache

import pytest
import torch
from closing_networks import SHAPE
from small_trials import images, spec

from bench import names
from bench.artefact.artefact import read
from bench.datasets.images import ImageData
from bench.engine.setup.prepare import prepare
from bench.engine.train import train
from bench.execution.checked_sweep import check_selection
from bench.methods import METHODS
from bench.methods.maskable import maskable
from bench.models import MODELS
from bench.models.channels.surgery import shrunk
from bench.models.row import ModelRow
from bench.trial.protocol import ROWS
from bench.trial.sweep import Sweep

CLOSING = [name for name, method in METHODS.items() if method.closes_channels]


@cache
def data() -> ImageData:
    return images(160, 20)


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    """The networks stand in MODELS."""
    for name in ("mobile", "projected", "sized"):
        monkeypatch.setitem(
            MODELS, name, ModelRow(build=f"closing_networks:{name}", image_shape=SHAPE, note="of the tests")
        )


@pytest.mark.parametrize("name", CLOSING)
@pytest.mark.parametrize(("network", "stream"), [("mobile", False), ("mobile", True), ("projected", True)])
def test_trained_to_a_budget(name: str, network: str, stream: bool) -> None:
    one = spec(name, "0.5", model=network, epochs=2)
    one = replace(one, method=replace(one.method, stream=stream))
    if METHODS[name].changes_masks and network == "mobile":
        # `squeeze` has no BatchNorm by whose scale its channels could be closed
        with pytest.raises(ValueError, match=r"layer squeeze: must have a BatchNorm behind it"):
            check_selection(sweep_of(one.method, network))
        with pytest.raises(ValueError, match=r"layer squeeze: must have a BatchNorm behind it"):
            prepare(one, data(), "cpu")
        return
    (result,) = train([one], data(), "cpu")
    assert (result.outcome, result.reason) == (names.DONE, "")
    stored = read(result.artefact)
    assert stored.selection is not None
    small = shrunk(stored.model, stored.selection.channels, stored.selection.open)
    assert sum(p.numel() for p in small.parameters()) == result.metrics[names.STORED_PARAMETERS]
    total = result.metrics[names.TOTAL_PARAMETERS]
    others = total - sum(w.numel() for w in maskable(stored.model).values())  # biases, BatchNorm's scales and shifts
    # A small dense network has as many as a frozen one stores, which trains all of these and half of the weights.
    assert result.metrics[names.STORED_PARAMETERS] <= (total + others * (name == "small-dense")) / 2
    closed = {n for n, width in stored.selection.widths.items() if width < stored.selection.channels.widths[n]}
    streams = {n for n, group in stored.selection.channels.groups.items() if group.stream}
    assert closed and bool(streams) is stream
    if name == "uniform-width":
        assert closed == set(stored.selection.channels.groups)
    with torch.no_grad():
        x = torch.randn(2, *SHAPE)
        torch.testing.assert_close(small.eval()(x), stored.model(x), rtol=1e-4, atol=1e-5)


def sweep_of(method: object, network: str) -> Sweep:
    protocol = {name: row.default for name, row in ROWS.items()}
    protocol |= {"dataset": "small", "data_hash": "0", "model": network, "epochs": 1}
    return Sweep(
        methods={"closing": method}, rates=[Decimal("0.5")], seeds=[0], dense=False, classes=10, protocol=protocol,
    )  # fmt: skip


@pytest.mark.parametrize("name", ["uniform-width", "budget-gate"])
def test_a_network_that_cannot_be_cut_is_refused_before_training(name: str) -> None:
    with pytest.raises(ValueError) as refused:
        check_selection(sweep_of(METHODS[name], "sized"))
    assert str(refused.value).startswith(
        "closing with model 'sized' at rate 0.5: layer one (Conv2d): the network cannot be applied with fewer "
        "channels: RuntimeError: shape '[-1, 12, 7, 7]' is invalid for input of size"
    )
