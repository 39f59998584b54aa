"""The classifier alone: its rate follows from the network, exactly."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest

from bench import models
from bench.methods import LastLayer, has_rates
from bench.methods.counts import live_count
from bench.methods.last_layer import rate_of_last_layer
from bench.methods.maskable import head_of, maskable
from bench.models import MODELS
from bench.trial.networks import head_and_weights

SMALL = [name for name, row in MODELS.items() if row.maskable(10) < 3_000_000]


@pytest.mark.parametrize("classes", [2, 10, 100])
@pytest.mark.parametrize("model", MODELS)
def test_its_rate_leaves_exactly_the_classifier(model: str, classes: int) -> None:
    head, weights = head_and_weights(model, classes, None)
    rate = rate_of_last_layer(head, weights)
    assert live_count(Fraction(rate), weights) == head
    digits = -rate.as_tuple().exponent  # type: ignore[operator]
    fewer = round(1 - Fraction(head, weights), digits - 1)
    assert live_count(fewer, weights) != head  # it is the shortest


@pytest.mark.parametrize("model", SMALL)
def test_the_last_linear_layer_of_ours_is_known_from_its_shapes(model: str) -> None:
    network = models.build(model, 7)
    weights = sum(weight.numel() for weight in maskable(network).values())
    assert head_and_weights(model, 7, None) == (head_of(network)[1].weight.numel(), weights)


def test_a_network_of_one_layer_has_nothing_else() -> None:
    with pytest.raises(ValueError, match=r"maskable weights beside its last layer's; use dense"):
        rate_of_last_layer(7_840, 7_840)
    assert rate_of_last_layer(1_000, 2_000) == Decimal("0.5")


def test_fields() -> None:
    assert not has_rates(LastLayer())
    with pytest.raises(ValueError, match="control shuffle of LastLayer"):
        LastLayer(control="shuffle")
    with pytest.raises(ValueError, match="background 'prune' of LastLayer: must be 'freeze'"):
        LastLayer(background="prune")
