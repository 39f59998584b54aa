"""The loop of the iterative methods: score the masked net, keep fewer, again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

import torch
from torch import Tensor, nn

from bench.methods.maskable import maskable
from bench.methods.scopes import among_flat, comparable, global_scope, scored
from bench.methods.types import Masks, Scores


def in_rounds(
    weights: dict[str, Tensor],
    counts: Sequence[int],
    score: Callable[[dict[str, Tensor]], Scores],
    *,
    revive: bool = False,
    ties_fall: bool = False,
) -> Masks:
    """Masks after one round per count, each of exactly so many live weights over all layers together.

    Args: weights: at their initial values.
          score: scores at differentiable copies of the weights, the removed ones 0.
          revive: whether a removed weight may come back by its score; else the masks are nested.
          ties_fall: whether, in all rounds but the last, what scores as much as the highest that is removed is removed
          with it, so that fewer may be live; else the earlier of equals stays. Scores must be >= 0.
    """
    total = sum(w.numel() for w in weights.values())
    masks: Masks = {name: torch.ones_like(w, dtype=torch.bool) for name, w in weights.items()}
    for number, count in enumerate(counts, start=1):
        if count == 0:
            return {name: torch.zeros_like(mask) for name, mask in masks.items()}
        masked = {n: torch.where(masks[n], w.detach(), 0).requires_grad_() for n, w in weights.items()}
        scores = scored(score(masked), weights)
        if ties_fall and number < len(counts):
            masks = above(masks, scores, count)
        else:
            masks = global_scope(scores, 1 - Fraction(count, total)) if revive else among(masks, scores, count)
    return masks


def above(masks: Masks, scores: Scores, count: int) -> Masks:
    """The live weights that score more than the (N - count)-th lowest of all N weights; a removed one scores 0."""
    flat = torch.cat([torch.where(masks[n], s, 0).reshape(-1) for n, s in comparable(scores).items()])
    if count >= flat.numel():
        return masks
    highest_removed = torch.kthvalue(flat, flat.numel() - count).values
    return {n: mask & (scores[n] > highest_removed) for n, mask in masks.items()}


def whole(model: nn.Module) -> dict[str, Tensor]:
    """A one for every maskable weight, float64: "weights" for `in_rounds` whose copies are the mask itself."""
    return {name: torch.ones_like(w, dtype=torch.float64) for name, w in maskable(model).items()}


def among(masks: Masks, scores: Scores, count: int) -> Masks:
    """The `count` highest scores of live weights: a removed one loses to every live one, whatever the scores are."""
    live = torch.cat([mask.reshape(-1) for mask in masks.values()])
    if count > (before := int(live.sum())):
        raise ValueError(f"a round of {count} live weights after one of {before}: must be at most as many")
    mask = among_flat(live, torch.cat([s.reshape(-1) for s in comparable(scores).values()]), count)
    pieces = torch.split(mask, [m.numel() for m in masks.values()])
    return {name: piece.view(masks[name].shape) for name, piece in zip(masks, pieces, strict=True)}
