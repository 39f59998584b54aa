"""Gradient norms on a fixed probe: whole network and per layer.

With g = ∂L/∂w of the cross-entropy at the effective weights and m the mask: ‖g‖₂, ‖m·g‖₂ and the mean |g_j| over all
maskable and over the live weights. BatchNorm uses batch statistics; its buffers stay as they are. Dropout is off.
P networks.

Effective gradient flow (Tessera et al. 2021, arXiv:2102.01670), of the whole network: EGF_p = (1/L) Σ_l ‖m_l·g_l‖_p/k_l
over the L layers that have k_l > 0 live weights. Departs from the paper: the formula is ours, after its description.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt

import torch
from torch import Tensor, nn
from torch.linalg import vector_norm
from torch.nn.functional import cross_entropy

from bench import names
from bench.engine.setup.modes import by_batch
from bench.engine.steps.batched_networks import BatchedNetworks, losses_of
from bench.methods.derivatives import gradient, leaves

Figures = dict[str, float]
Measured = tuple[Figures, dict[str, Figures]]  # of the whole network, and of each layer by weight name


def gradient_figures(model: nn.Module, masks: Mapping[str, Tensor], x: Tensor, y: Tensor) -> Measured:
    """The figures of the network (bench.metrics.GRADIENTS), and of each layer by weight name (names.PER_LAYER).

    A layer, or network, without a live weight has mean 0 over its live weights.
    """
    by_batch(model)
    gradients = gradient(model, leaves(model), [(x, y)], cross_entropy)
    (measured,) = _measured({n: g[None] for n, g in gradients.items()}, {n: m[None] for n, m in masks.items()})
    return measured


def stacked_figures(networks: BatchedNetworks, masks: Mapping[str, Tensor], x: Tensor, y: Tensor) -> list[Measured]:
    """The same of each of P batched networks, with masks [P, ...], on images x [P, B, C, H, W] with labels y [P, B]."""
    weights = leaves(networks.module)
    parameters = {name: p.detach() for name, p in networks.module.named_parameters()}
    buffers = {name: b.clone() for name, b in networks.module.named_buffers()}
    loss = losses_of(networks.logits_of({**parameters, **weights}, buffers, x, training=True), y).sum()
    gradients = torch.autograd.grad(loss, list(weights.values()))
    return _measured(dict(zip(weights, gradients, strict=True)), masks)


def _measured(gradients: Mapping[str, Tensor], masks: Mapping[str, Tensor]) -> list[Measured]:
    """The figures of P networks from gradients and masks [P, ...]."""
    sums = {name: _sums(g.flatten(1), masks[name].flatten(1)) for name, g in gradients.items()}
    per_network = zip(*sums.values(), strict=True)
    return [(_network_figures(layers), dict(zip(sums, map(_figures, layers), strict=True))) for layers in per_network]


def _network_figures(layers: Sequence[list[float]]) -> Figures:
    """The figures of a network from the sums of its layers."""
    return _figures([sum(column) for column in zip(*layers, strict=True)]) | _flow(layers)


def _flow(layers: Sequence[list[float]]) -> Figures:
    norms = [(sqrt(square), absolute, live) for _, square, _, absolute, _, live in layers if live]
    count = len(norms) or 1  # without a live weight there is no flow
    return {
        names.FLOW_1: sum(absolute / live for _, absolute, live in norms) / count,
        names.FLOW_2: sum(norm / live for norm, _, live in norms) / count,
        names.FLOW_SUM: sum(norm for norm, _, _ in norms),
    }


def _sums(g: Tensor, mask: Tensor) -> list[list[float]]:
    """Per network: Σg², Σ(mg)², Σ|g|, Σ|mg|, the number of weights, that of live ones; of g and mask [P, weights]."""
    live = g.masked_fill(~mask, 0.0)
    columns = [vector_norm(v, order, dim=1, dtype=torch.float64) ** order for order in (2, 1) for v in (g, live)]
    columns += [torch.full_like(columns[0], g.shape[1]), mask.sum(1, dtype=torch.float64)]
    rows: list[list[float]] = torch.stack(columns, 1).tolist()
    return rows


def _figures(sums: list[float]) -> Figures:
    square_all, square_live, abs_all, abs_live, weights, live = sums
    return {
        names.GRAD_NORM_ALL: sqrt(square_all),
        names.GRAD_NORM_LIVE: sqrt(square_live),
        names.GRAD_ABS_ALL: abs_all / weights,
        names.GRAD_ABS_LIVE: abs_live / live if live else 0.0,
    }
