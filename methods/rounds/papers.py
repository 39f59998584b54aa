"""The papers' methods in rounds: `select` loops over the masked model. Imports no torch at the top."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from bench.methods.rounds.iterative import Iterative
from bench.methods.types import Batches, Criterion, Loss, Masks

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn

    from bench.methods.types import Scores


@dataclass(frozen=True, kw_only=True)
class IterativeSNIP(Iterative):
    """SNIP in rounds: score |w · ∂L/∂w| on the net pruned so far; what is removed never returns (de Jorge et al. 2021,
    arXiv:2006.09081).

    Departs from the paper: one class-balanced sample for all rounds, exact counts.
    """

    criterion: str | Criterion = "snip"

    def select(
        self, model: nn.Module, batches: Batches, loss: Loss, rate: Fraction, generator: np.random.RandomState
    ) -> Masks:
        """See `Method.select`."""
        from bench.methods.derivatives import gradient, leaves
        from bench.methods.rounds.loop import in_rounds

        def score(masked: dict[str, Tensor]) -> Scores:
            return {n: (masked[n].detach() * g).abs() for n, g in gradient(model, masked, batches, loss).items()}

        weights = leaves(model)
        return in_rounds(weights, self.counts(weights, rate), score)


@dataclass(frozen=True, kw_only=True)
class FORCE(Iterative):
    """SNIP in rounds, but what is removed may return: score |w_initial · ∂L/∂θ|, θ the masked net (de Jorge et al.
    2021, arXiv:2006.09081).

    Departs from the paper: one class-balanced sample for all rounds, exact counts. Departs from its code, which scores
    with the negative log-likelihood of raw logits: the loss is the training loss.
    """

    criterion: str | Criterion = "force"

    def select(
        self, model: nn.Module, batches: Batches, loss: Loss, rate: Fraction, generator: np.random.RandomState
    ) -> Masks:
        """See `Method.select`."""
        from bench.methods.derivatives import gradient, leaves
        from bench.methods.rounds.loop import in_rounds

        weights = leaves(model)

        def score(masked: dict[str, Tensor]) -> Scores:
            return {n: (weights[n].detach() * g).abs() for n, g in gradient(model, masked, batches, loss).items()}

        return in_rounds(weights, self.counts(weights, rate), score, revive=True)


@dataclass(frozen=True, kw_only=True)
class SynFlow(Iterative):
    """Keep the weights that most synaptic flow passes, |θ · ∂R/∂θ|, in 100 rounds; without data (Tanaka et al. 2020,
    arXiv:2006.05467).

    R is the sum of the outputs for an image of ones, all weights, biases and statistics replaced by their absolute
    values, BatchNorm in evaluation mode, in float64: whatever the protocol's statistics and precision are.

    Departs from the paper's code: counts rounded half up in every round, where it truncates the number removed; of
    equal scores the earlier weight is kept.
    """

    criterion: str | Criterion = "synflow"
    rounds: int = 100

    def select(
        self, model: nn.Module, batches: Batches, loss: Loss, rate: Fraction, generator: np.random.RandomState
    ) -> Masks:
        """See `Method.select`."""
        from bench.methods.maskable import maskable
        from bench.methods.rounds.loop import in_rounds
        from bench.methods.rounds.synflow import ones, positive, synaptic_flow

        flowing = positive(model)
        weights = maskable(flowing)
        image = ones(batches, next(iter(weights.values())))
        return in_rounds(weights, self.counts(weights, rate), lambda masked: synaptic_flow(flowing, masked, image))
