"""The criteria: what scores the weights before training. Higher = keep live, everywhere.

A criterion maps (model, batches, loss, generator) and the method's own fields to name -> score, each of its weight's
shape. It computes on copies of parameters and buffers and never changes the model.
Letters: N images, C channels, H × W pixels, K classes.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from methods.base import Batches, Criterion, Loss, Scores
from methods.maskable import maskable


def snip(model: nn.Module, batches: Batches, loss: Loss, generator: np.random.RandomState) -> Scores:
    """SNIP connection sensitivity, |w · ∂L/∂w| (Lee et al. 2019, arXiv:1810.02340).

    Departs from the paper: not divided by the sum of all scores, which no ranking can see.
    Args:    batches: (x [N,C,H,W] float, y [N] int64) pairs; the loss is averaged over all of them.
    Returns: name -> score of the weight's shape and dtype.
    """
    weights = leaves(model)
    gradients = gradient(model, weights, batches, loss)
    return {name: (weights[name].detach() * g).abs() for name, g in gradients.items()}


def grasp(
    model: nn.Module, batches: Batches, loss: Loss, generator: np.random.RandomState, *, temperature: float = 200.0
) -> Scores:
    """GraSP, +w · Hg with the loss at logits / T (Wang et al. 2020, arXiv:2002.07376).

    Removing weight j changes the gradient flow gᵀg by -2 w_j (Hg)_j to first order. The paper removes the largest
    -w·Hg; so the weights to keep have the largest +w·Hg, and that is the score.

    Departs from the paper: g and Hg see the same whole sample (its code splits it into halves to save memory, which
    changes no rank without BatchNorm); not divided by |sum of scores|, which no ranking can see.
    """

    def tempered(logits: Tensor, labels: Tensor) -> Tensor:
        return loss(logits / temperature, labels)

    weights = leaves(model)
    g = gradient(model, weights, batches, tempered)
    product = {name: torch.zeros_like(w) for name, w in weights.items()}
    for share, batch_loss in losses(model, weights, batches, tempered):
        first = torch.autograd.grad(batch_loss, list(weights.values()), create_graph=True)
        flow = sum((a * b).sum() for a, b in zip(first, g.values(), strict=True))
        assert isinstance(flow, Tensor)
        for name, second in zip(
            weights, torch.autograd.grad(flow, list(weights.values()), allow_unused=True), strict=True
        ):
            if second is not None:  # a weight the gradient does not depend on: a model linear in it
                product[name] += share * second
    return {name: weights[name].detach() * hg for name, hg in product.items()}


def magnitude(model: nn.Module, batches: Batches, loss: Loss, generator: np.random.RandomState) -> Scores:
    """Magnitude of the initial weight, |w|. Data-free.

    Departs from the paper: none proposes it at initialisation; a baseline in SynFlow and in Frankle et al. 2021.
    """
    return {name: w.detach().abs() for name, w in maskable(model).items()}


def random(model: nn.Module, batches: Batches, loss: Loss, generator: np.random.RandomState) -> Scores:
    """Uniform random scores, drawn in the model's order from the trial's own stream. Data-free."""
    return {
        name: torch.from_numpy(generator.random_sample(tuple(w.shape))).to(w.device)
        for name, w in maskable(model).items()
    }


CRITERIA: dict[str, Criterion] = {"snip": snip, "grasp": grasp, "magnitude": magnitude, "random": random}


def resolve(criterion: str | Criterion) -> Criterion:
    """The criterion of that name, or the function itself."""
    if callable(criterion):
        return criterion
    if criterion not in CRITERIA:
        raise ValueError(f"criterion {criterion!r}: allowed are {', '.join(CRITERIA)}, or a function")
    return CRITERIA[criterion]


def leaves(model: nn.Module) -> dict[str, Tensor]:
    """Fresh differentiable copies of the maskable weights: gradients go here, never into the model."""
    return {name: w.detach().clone().requires_grad_() for name, w in maskable(model).items()}


def losses(
    model: nn.Module, weights: dict[str, Tensor], batches: Batches, loss: Loss
) -> Iterator[tuple[float, Tensor]]:
    """Yield (share of the sample, mean loss) per batch, with `weights` in the place of the model's own.

    Buffers are copies too, so BatchNorm's running statistics stay as they are.
    """
    total = sum(len(y) for _, y in batches)
    if total == 0:
        raise ValueError("criterion sample of 0 images: allowed is at least 1")
    for x, y in batches:
        buffers = {name: b.detach().clone() for name, b in model.named_buffers()}
        frozen = {name: p.detach() for name, p in model.named_parameters() if name not in weights}
        yield len(y) / total, loss(functional_call(model, {**frozen, **buffers, **weights}, (x,)), y)


def gradient(model: nn.Module, weights: dict[str, Tensor], batches: Batches, loss: Loss) -> dict[str, Tensor]:
    """∂L/∂w of the mean loss over all batches, at `weights`."""
    total = {name: torch.zeros_like(w) for name, w in weights.items()}
    for share, batch_loss in losses(model, weights, batches, loss):
        for name, g in zip(weights, torch.autograd.grad(batch_loss, list(weights.values())), strict=True):
            total[name] += share * g
    return total
