"""Methods that begin with all weights live. Imports no torch at the top."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from bench.methods.base import Method
from bench.methods.types import Batches, Loss, Masks

if TYPE_CHECKING:
    import numpy as np
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class DenseAtFirst(Method):
    """A method that begins with all weights live, up to its first moment."""

    def start_rate(self, rate: Fraction) -> Fraction:
        """All weights are live until the first moment."""
        return Fraction(0)

    def select(
        self, model: nn.Module, batches: Batches, loss: Loss, rate: Fraction, generator: np.random.RandomState
    ) -> Masks:
        """All weights live. Raises ValueError at any rate but 0."""
        from bench.methods.papers import Dense

        return Dense().select(model, batches, loss, rate, generator)
