"""SynFlow's score: how much of the network's flow passes through a weight."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.func import functional_call

from bench.methods.types import Batches, Scores


def positive(model: nn.Module, power: int = 1) -> nn.Module:
    """A float64 copy in evaluation mode with |v|^power for every parameter and buffer v."""
    flowing = copy.deepcopy(model).double().eval().requires_grad_(False)
    for value in (*flowing.parameters(), *flowing.buffers()):
        if value.is_floating_point():  # the others count or choose: they carry no flow
            value.abs_().pow_(power)
    return flowing


def ones(batches: Batches, like: Tensor) -> Tensor:
    """One image of ones [1, C, H, W] of the sample's shape; nothing else of the sample is looked at."""
    if not batches:
        raise ValueError("criterion sample of 0 images: must be at least 1, for the shape of an image")
    return torch.ones(1, *batches[0][0].shape[1:], dtype=like.dtype, device=like.device)


def synaptic_flow(model: nn.Module, weights: Mapping[str, Tensor], image: Tensor) -> Scores:
    """|θ · ∂R/∂θ| at θ = `weights`, R the sum of the `positive` model's outputs for `image`.

    Without biases the scores of a layer that all flow passes sum to R: conserved from layer to layer.
    """
    total = functional_call(model, dict(weights), (image,)).sum()
    slopes = torch.autograd.grad(total, list(weights.values()))
    return {name: (w.detach() * g).abs() for (name, w), g in zip(weights.items(), slopes, strict=True)}
