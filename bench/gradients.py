"""Gradient norms on a fixed probe: whole network and per layer.

With g = ∂L/∂w of the cross-entropy at the effective weights and m the mask: ‖g‖₂, ‖m·g‖₂ and the mean |g_j| over all
maskable and over the live weights. BatchNorm uses batch statistics; its buffers stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt

from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from bench import names
from methods.criteria import gradient, leaves

PROBE = 256  # images: the first of the training split, un-augmented


def gradient_figures(
    model: nn.Module, masks: Mapping[str, Tensor], x: Tensor, y: Tensor
) -> tuple[dict[str, float], dict[str, dict[str, float]]]:
    """The four figures of the network, and of each layer by weight name.

    A layer, or network, without a live weight has mean 0 over its live weights.
    """
    model.train()
    gradients = gradient(model, leaves(model), [(x, y)], cross_entropy)
    sums = {name: _sums(g.double(), masks[name]) for name, g in gradients.items()}
    total = [sum(column) for column in zip(*sums.values(), strict=True)]
    return _figures(total), {name: _figures(s) for name, s in sums.items()}


def _sums(g: Tensor, mask: Tensor) -> list[float]:
    live = g[mask]
    return [
        float(g.square().sum()), float(live.square().sum()), float(g.abs().sum()), float(live.abs().sum()),
        g.numel(), live.numel(),
    ]  # fmt: skip


def _figures(sums: list[float]) -> dict[str, float]:
    square_all, square_live, abs_all, abs_live, weights, live = sums
    return {
        names.GRAD_NORM_ALL: sqrt(square_all),
        names.GRAD_NORM_LIVE: sqrt(square_live),
        names.GRAD_ABS_ALL: abs_all / weights,
        names.GRAD_ABS_LIVE: abs_live / live if live else 0.0,
    }
