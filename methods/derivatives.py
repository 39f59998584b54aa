"""Derivatives of the loss by the weights, on copies of parameters and buffers: the model is never changed."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel

from bench.methods.maskable import maskable
from bench.methods.types import Batches, Loss, Scores


def leaves(model: nn.Module) -> dict[str, Tensor]:
    """Fresh differentiable copies of the maskable weights: gradients go here, never into the model."""
    return {name: w.detach().clone().requires_grad_() for name, w in maskable(model).items()}


def losses(
    model: nn.Module, weights: dict[str, Tensor], batches: Batches, loss: Loss
) -> Iterator[tuple[float, Tensor]]:
    """Yield (share of the sample, mean loss) per batch, with `weights` in place of the model's.

    Buffers are copies too, so BatchNorm's running statistics stay as they are.
    """
    total = sum(len(y) for _, y in batches)
    if total == 0:
        raise ValueError("criterion sample of 0 images: must be at least 1")
    for x, y in batches:
        buffers = {name: b.detach().clone() for name, b in model.named_buffers()}
        frozen = {name: p.detach() for name, p in model.named_parameters() if name not in weights}
        with sdpa_kernel(SDPBackend.MATH):  # the other kernels of attention have no second derivative
            batch_loss = loss(functional_call(model, {**frozen, **buffers, **weights}, (x,)), y)
        yield len(y) / total, batch_loss


def gradient(model: nn.Module, weights: dict[str, Tensor], batches: Batches, loss: Loss) -> dict[str, Tensor]:
    """∂L/∂w of the mean loss over all batches, at `weights`."""
    total = {name: torch.zeros_like(w) for name, w in weights.items()}
    for share, batch_loss in losses(model, weights, batches, loss):
        for name, g in zip(weights, torch.autograd.grad(batch_loss, list(weights.values())), strict=True):
            total[name] += share * g
    return total


def curvature(model: nn.Module, weights: dict[str, Tensor], batches: Batches, loss: Loss, direction: Scores) -> Scores:
    """H · `direction`, H the Hessian of the mean loss over all batches: gᵀ · `direction`, differentiated once more."""
    product = {name: torch.zeros_like(w) for name, w in weights.items()}
    for share, batch_loss in losses(model, weights, batches, loss):
        first = torch.autograd.grad(batch_loss, list(weights.values()), create_graph=True)
        slope = sum((g * direction[name]).sum() for name, g in zip(weights, first, strict=True))
        assert isinstance(slope, Tensor)
        for name, second in zip(
            weights, torch.autograd.grad(slope, list(weights.values()), allow_unused=True), strict=True
        ):
            if second is not None:  # a weight the gradient does not depend on: a model linear in it
                product[name] += share * second
    return product
