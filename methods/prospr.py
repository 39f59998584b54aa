"""ProsPr's criterion: what a weight at the start means for the loss after a few steps of training."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from bench.methods.derivatives import curvature, gradient
from bench.methods.maskable import maskable
from bench.methods.types import Batches, Loss, Scores


def prospr(
    model: nn.Module,
    batches: Batches,
    loss: Loss,
    generator: np.random.RandomState,
    *,
    inner_steps: int = 3,
    inner_lr: float = 0.1,
    inner_momentum: float = 0.0,
    first_order: bool = False,
) -> Scores:
    """ProsPr, |∂L(θ_M)/∂c| at c = 1, θ_0 = c · w (Alizadeh et al. 2022, arXiv:2202.08132).

    θ_(t+1) = θ_t - lr · b_(t+1), b_(t+1) = momentum · b_t + ∂L/∂θ(θ_t), b_0 = 0: plain SGD of all parameters, biases
    and BatchNorm's included; the mask acts once, on the initial weights. By the chain rule the score is |w · v_0|, with
    v_M = ∂L/∂θ(θ_M) and, going back, v_t = v_(t+1) + H(θ_t) · p_t, p_t = momentum · p_(t+1) - lr · v_(t+1): a
    Hessian-vector product a step, in the memory of one. First order leaves H out: |w · ∂L/∂θ(θ_M)|.

    Departs from the paper: every step and the final loss see the same whole sample, where its code draws a new batch
    for each. Departs from its code: the first step's momentum is differentiated like the others'.
    Returns: name -> score of the weight's shape and dtype; in the precision of the model and the batches. Where the
    steps diverge, at an inner_lr too large for the network, the scores are not finite and every scope refuses them.
    """
    path = _path(model, batches, loss, inner_steps, inner_lr, inner_momentum)
    back = gradient(model, path[-1], batches, loss)
    pull = {name: torch.zeros_like(v) for name, v in back.items()}
    for point in [] if first_order else reversed(path[:-1]):
        pull = {name: inner_momentum * pull[name] - inner_lr * v for name, v in back.items()}
        bent = curvature(model, point, batches, loss, pull)
        back = {name: v + bent[name] for name, v in back.items()}
    return {name: (w.detach() * back[name]).abs() for name, w in maskable(model).items()}


def _path(
    model: nn.Module, batches: Batches, loss: Loss, steps: int, lr: float, momentum: float
) -> list[dict[str, Tensor]]:
    """All parameters before the first step and after each, as differentiable copies."""
    path = [{name: p.detach().clone().requires_grad_() for name, p in model.named_parameters()}]
    speed = {name: torch.zeros_like(p) for name, p in path[0].items()}
    for _ in range(steps):
        slope = gradient(model, path[-1], batches, loss)
        speed = {name: momentum * b + slope[name] for name, b in speed.items()}
        path.append({name: (p.detach() - lr * speed[name]).requires_grad_() for name, p in path[-1].items()})
    return path
