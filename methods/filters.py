"""Whole filters: the masks of scope `filter`.

A filter is a row of a weight, an entry of its first dimension with all that belongs to it: what writes one output
channel of a convolution or one unit of a Linear layer (of a transposed convolution, what reads one input channel).

Ours: the rows of the classifier are filters as any other layer's, so that all scopes share one budget over the same
weights. A class whose row is dead keeps its initial values in a frozen network, and its bias alone in a pruned one.
"""

from __future__ import annotations

import torch
from torch import Tensor

from bench.methods.types import Masks, Scores


def whole_filters(scores: Scores, budget: int) -> Masks:
    """Filters by the mean of their elements' scores, over all layers, each taken that fits into the rest of the budget.

    One that does not fit is skipped, and smaller ones of lower score still come; of equal scores the earlier is first.
    So at most `budget` weights are live, and what is left of it is less than any dead filter.

    Ours: the mean is taken in float64. Masks of rising rates need not be nested: a small budget can take small filters
    where a larger one takes a large one.
    """
    masks = {name: torch.zeros_like(s, dtype=torch.bool) for name, s in scores.items()}
    filters = [(name, row) for name, s in scores.items() for row in range(len(s))]
    means = torch.cat([_means(s) for s in scores.values()])
    for index in means.argsort(descending=True, stable=True).tolist():
        name, row = filters[index]
        if (size := _size(scores[name])) <= budget:
            masks[name][row] = True
            budget -= size
    return masks


def check_filters(masks: Masks, budget: int) -> None:
    """Raise ValueError if filters are live in part, more weights than the budget, or a dead filter would still fit."""
    left = budget - sum(int(mask.sum()) for mask in masks.values())
    if left < 0:
        raise ValueError(f"masks of {budget - left} live weights in whole filters: must be at most {budget}")
    for name, mask in masks.items():
        live, size = mask.reshape(len(mask), -1).sum(1), _size(mask)
        if bool(((live != 0) & (live != size)).any()):
            raise ValueError(f"mask of {name}: filters are live in part; of scope filter each must be live or dead")
        if bool((live == 0).any()) and size <= left:
            raise ValueError(f"mask of {name}: a dead filter of {size} weights fits into the {left} left; must be live")


def _means(scores: Tensor) -> Tensor:
    """The mean score of each row, on the CPU; of equal elements exactly their value."""
    rows = scores.detach().cpu().double().reshape(len(scores), -1)
    least = rows.amin(1, keepdim=True)
    return (least + (rows - least).mean(1, keepdim=True)).view(-1)


def _size(rows: Tensor) -> int:
    """Elements of a row."""
    return rows[0].numel()
