"""The classifier trained alone: a baseline. Imports no torch at the top."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

from bench.methods.base import Method, check_fixed
from bench.methods.counts import live_count
from bench.methods.types import Background, Batches, Criterion, Loss, Masks

if TYPE_CHECKING:
    import numpy as np
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class LastLayer(Method):
    """Train the weights of the last Linear layer, the classifier, and as ever biases and BatchNorm's scale and shift;
    all other weights keep their initial values. Its rate is the one that this leaves: `rate_of_last_layer`.

    Departs from random features as usually meant: biases and BatchNorm are trained too, as under every method here.
    """

    criterion: str | Criterion = "last-layer"
    background: Background = "freeze"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_fixed(self, "criterion", "scope", "background", "fade")
        if self.control == "shuffle":
            raise ValueError("control shuffle of LastLayer: must be another; each layer is live or dead as a whole")

    def select(
        self, model: nn.Module, batches: Batches, loss: Loss, rate: Fraction, generator: np.random.RandomState
    ) -> Masks:
        """The classifier live. Raises ValueError at a rate of another number of live weights."""
        import torch

        from bench.methods.maskable import head_of, maskable

        weights, (_, head) = maskable(model), head_of(model)
        total = sum(weight.numel() for weight in weights.values())
        if live_count(rate, total) != head.weight.numel():
            own = rate_of_last_layer(head.weight.numel(), total)
            raise ValueError(f"last-layer at rate {float(rate)}: must be {own}, its own with this network")
        return {name: torch.full_like(w, w is head.weight, dtype=torch.bool) for name, w in weights.items()}


def rate_of_last_layer(head: int, weights: int) -> Decimal:
    """The rate at which the live weights are as many as the classifier's: of the decimals that are, the shortest.

    Raises: ValueError if there are no other weights: that is dense training.

    >>> rate_of_last_layer(1_000, 266_200)
    Decimal('0.996243')
    """
    if head == weights:
        raise ValueError("last-layer: must be of a network with maskable weights beside its last layer's; use dense")
    digits, exact = 1, 1 - Fraction(head, weights)
    while live_count(Fraction(rate := Decimal(round(exact * 10**digits)).scaleb(-digits)), weights) != head:
        digits += 1
    return rate
