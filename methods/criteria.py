"""The criteria: what scores the weights before training. Higher = keep live, everywhere.

A criterion maps (model, batches, loss, generator) and the fields of the method to name -> score, each of its weight's
shape. It computes on copies of parameters and buffers and never changes the model.
Letters: N images, C channels, H × W pixels, K classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor, nn

from bench.methods.channels import channel_random, channel_snip
from bench.methods.derivatives import curvature, gradient, leaves
from bench.methods.fisher import fisher
from bench.methods.maskable import maskable
from bench.methods.prospr import prospr
from bench.methods.types import Batches, Criterion, Loss, Scores


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
    product = curvature(model, weights, batches, tempered, g)
    return {name: weights[name].detach() * hg for name, hg in product.items()}


def magnitude(model: nn.Module, batches: Batches, loss: Loss, generator: np.random.RandomState) -> Scores:
    """Magnitude of the initial weight, |w|. Data-free.

    Departs from the paper: none proposes it at initialisation; a baseline in SynFlow and in Frankle et al. 2021.
    """
    return {name: w.detach().abs() for name, w in maskable(model).items()}


def small_magnitude(model: nn.Module, batches: Batches, loss: Loss, generator: np.random.RandomState) -> Scores:
    """The smallest weights, -|w|: PaFi's mask (Liao et al. 2023, arXiv:2305.16742), for pre-trained weights. Data-free.

    Departs from the paper: nothing known of the scores; which layers count is the method's matter.
    """
    return {name: -w.detach().abs() for name, w in maskable(model).items()}


def mean_gradient(model: nn.Module, batches: Batches, loss: Loss, generator: np.random.RandomState) -> Scores:
    """Magnitude of the mean gradient, |∂L/∂w|: SHiRA-Grad (Bhardwaj et al. 2024, arXiv:2406.13175).

    Departs from the paper: one class-balanced sample; which layers count is the method's matter.
    """
    return {name: g.abs() for name, g in gradient(model, leaves(model), batches, loss).items()}


def scale_free_magnitude(model: nn.Module, batches: Batches, loss: Loss, generator: np.random.RandomState) -> Scores:
    """Magnitude in units of its layer, |w| / std(layer), so that no layer is low only because of its fan-in. Data-free.

    Departs from the paper: none proposes it at initialisation. Ours: the standard deviation about the layer's mean,
    over all its weights (ddof 0). A layer whose weights are all equal has none, so its scores are no finite numbers.
    """
    return {name: w.detach().abs() / w.detach().std(correction=0) for name, w in maskable(model).items()}


def random(model: nn.Module, batches: Batches, loss: Loss, generator: np.random.RandomState) -> Scores:
    """Uniform random scores, drawn in the model's order from the trial's own stream. Data-free."""
    return {
        name: torch.from_numpy(generator.random_sample(tuple(w.shape))).to(w.device)
        for name, w in maskable(model).items()
    }


# No plug-in can add a row or change one: the key of a method has a row's name alone.
CRITERIA: Mapping[str, Criterion] = MappingProxyType(
    {
        "snip": snip,
        "grasp": grasp,
        "prospr": prospr,
        "magnitude": magnitude,
        "scale-free-magnitude": scale_free_magnitude,
        "random": random,
        "fisher": fisher,
        "gradient": mean_gradient,
        "small-magnitude": small_magnitude,
        "channel-snip": channel_snip,
        "channel-random": channel_random,
    }
)


def resolve(criterion: str | Criterion) -> Criterion:
    """The criterion of that name, or the function itself."""
    if callable(criterion):
        return criterion
    if criterion not in CRITERIA:
        raise ValueError(f"criterion {criterion!r}: must be one of {', '.join(CRITERIA)}, or a function")
    return CRITERIA[criterion]
