"""The loop of the iterative methods: score the masked net, keep fewer, again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

import torch
from torch import Tensor

from bench.methods.scopes import check, global_scope
from bench.methods.types import Masks, Scores


def in_rounds(
    weights: dict[str, Tensor],
    counts: Sequence[int],
    score: Callable[[dict[str, Tensor]], Scores],
    *,
    revive: bool = False,
) -> Masks:
    """Masks after one round per count, each of exactly so many live weights over all layers together.

    Args: weights: at their initial values.
          score: scores at differentiable copies of the weights, the removed ones 0.
          revive: whether a removed weight may come back by its score; else the masks are nested.
    """
    total = sum(w.numel() for w in weights.values())
    masks: Masks = {name: torch.ones_like(w, dtype=torch.bool) for name, w in weights.items()}
    for count in counts:
        if count == 0:
            return {name: torch.zeros_like(mask) for name, mask in masks.items()}
        scores = score({n: torch.where(masks[n], w.detach(), 0).requires_grad_() for n, w in weights.items()})
        check(scores)
        if not revive:  # below every score, so that a removed weight loses to a live one of score 0 as well
            scores = {n: s.masked_fill(~masks[n], -1) for n, s in scores.items()}
        masks = global_scope(scores, 1 - Fraction(count, total))
    return masks
