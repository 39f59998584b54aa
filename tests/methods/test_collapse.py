"""Layer collapse that a published curve shows, from masks only."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from math import prod, sqrt

import numpy as np
import torch
from torch import Tensor, nn

from bench.methods import METHODS
from bench.methods.maskable import maskable
from bench.models import build
from bench.results.tables.published import published


def initialised() -> nn.Module:
    """ResNet-18 as SynFlow's repository draws it: convolutions N(0, 2 / fan_out), the classifier U(±1/√fan_in)."""
    model, draws = build("resnet18", 10), np.random.RandomState(0)
    for weight in maskable(model).values():
        shape = tuple(weight.shape)
        if len(shape) == 4:
            values = draws.standard_normal(shape) * sqrt(2 / (shape[0] * prod(shape[2:])))
        else:
            values = draws.uniform(-1, 1, shape) / sqrt(shape[1])
        with torch.no_grad():
            weight.copy_(torch.from_numpy(values))
    return model


def live(model: nn.Module, compression: str) -> dict[str, int]:
    """Live weights per layer under global magnitude at N / live = 10^compression."""
    rate = 1 - 1 / Decimal(10) ** Decimal(compression)

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        raise AssertionError("magnitude needs no data")

    masks = METHODS["magnitude-prune"].select(model, [], loss, Fraction(rate), np.random.RandomState(0))
    return {name: int(mask.sum()) for name, mask in masks.items()}


def test_magnitude_collapses_resnet18_at_the_published_compression() -> None:
    """The classifier's weights are bounded by 1/√512 = 0.0442, less than the global threshold from 10^1.25 on."""
    model = initialised()
    at = {compression: live(model, compression) for compression in ("0.5", "1", "1.25", "2")}
    classifier = {compression: counts["fc.weight"] for compression, counts in at.items()}
    assert 350 < classifier["1"] < 500 < classifier["0.5"]  # about 423 of 5,120 by the distributions
    assert classifier["1.25"] == classifier["2"] == 0
    assert all(counts[name] for counts in at.values() for name in counts if name == "conv1.weight")
    curve = {row.rate: row.accuracy for row in published() if _is_curve(row)}
    assert curve["0.9"] == 94.40 and curve["0.943766"] == curve["0.99"] == 10.0


def _is_curve(row: object) -> bool:
    fields = vars(row)
    named = (fields["dataset"], fields["model"], fields["criterion"], fields["note"])
    return named == ("cifar10", "resnet18", "magnitude", "")
