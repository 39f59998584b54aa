"""Iterative selection on the same interface: `select` loops over the masked model. Imports no torch at the top."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import floor
from typing import TYPE_CHECKING

from methods.base import Background, Batches, Criterion, Loss, Masks, Method
from methods.counts import live_count

if TYPE_CHECKING:
    import numpy as np
    from torch import nn


@dataclass(frozen=True, kw_only=True)
class IterativeSNIP(Method):
    """SNIP in rounds: score |w · ∂L/∂w| on the net pruned so far; what is removed never returns (de Jorge et al. 2021,
    arXiv:2006.09081).

    Round t of n keeps round-half-up(N · d^(t/n)) weights, d = 1 - rate, and the last exactly `live_count`. While
    selecting, removed weights are 0 whatever the background, as in the paper.

    Departs from the paper: one class-balanced sample for all rounds, exact counts.
    """

    criterion: str | Criterion = "snip"
    background: Background = "prune"
    rounds: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rounds < 1:
            raise ValueError(f"rounds {self.rounds}: allowed is a whole number >= 1")
        for name, value, allowed in (("criterion", self.criterion, "snip"), ("scope", self.scope, "global")):
            if value != allowed:
                raise ValueError(f"{name} {value!r} of iterative SNIP: allowed is {allowed!r}")

    def select(
        self, model: nn.Module, batches: Batches, loss: Loss, rate: Fraction, generator: np.random.RandomState
    ) -> Masks:
        """See `Method.select`."""
        import torch

        from methods.criteria import gradient, leaves
        from methods.scopes import check, global_scope

        weights = leaves(model)
        total = sum(w.numel() for w in weights.values())
        masks: Masks = {name: torch.ones_like(w, dtype=torch.bool) for name, w in weights.items()}
        for count in schedule(rate, total, self.rounds):
            if count == 0:
                return {name: torch.zeros_like(mask) for name, mask in masks.items()}
            effective = {n: torch.where(masks[n], w.detach(), 0).requires_grad_() for n, w in weights.items()}
            gradients = gradient(model, effective, batches, loss)
            scores = {n: (effective[n].detach() * g).abs() for n, g in gradients.items()}
            check(scores)
            # Below every saliency, so that a removed weight loses to a live one of saliency 0 as well.
            ranked = {n: s.masked_fill(~masks[n], -1) for n, s in scores.items()}
            masks = global_scope(ranked, 1 - Fraction(count, total))
        return masks


def schedule(rate: Fraction, total: int, rounds: int) -> list[int]:
    """Live weights after each round: geometric in the density, the last exact.

    >>> schedule(Fraction("0.99"), 10_000, 2)
    [1000, 100]
    """
    counts = [floor(total * float(1 - rate) ** (t / rounds) + 0.5) for t in range(1, rounds)]
    return [*counts, live_count(rate, total)]
