"""NTK-SAP's score: how much the mask decides how far a step of the weights moves the outputs, over redrawn weights."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _BatchNorm

from bench.methods.maskable import with_head
from bench.methods.types import Batches, Scores


@dataclass(frozen=True, kw_only=True)
class Draw:
    """What is random in one term of the sum, float64."""

    images: Tensor  # standard normal
    weights: Mapping[str, Tensor]  # every maskable weight, and that of a hidden head, drawn anew
    steps: Mapping[str, Tensor]  # standard normal, of the weights' shapes


def draws(model: nn.Module, batches: Batches, redraws: int, generator: np.random.RandomState) -> Iterator[Draw]:
    """One for each redraw and batch, of whose images only the shape is looked at.

    Raises: ValueError if there is no image.
    """
    if not any(len(x) for x, _ in batches):
        raise ValueError("criterion sample of 0 images: must be at least 1, for the shape of an image")
    weights = with_head(model)
    device = batches[0][0].device
    for _ in range(redraws):
        for x, _ in batches:
            yield Draw(
                weights={name: _reordered(w, generator) for name, w in weights.items()},
                images=torch.from_numpy(generator.standard_normal(x.shape)).to(device),
                steps={
                    name: torch.from_numpy(generator.standard_normal(w.shape)).to(w.device)
                    for name, w in weights.items()
                },
            )


def _reordered(weight: Tensor, generator: np.random.RandomState) -> Tensor:
    """The weights of a layer in a random order: of independent entries of one law, a draw from that law."""
    order = torch.from_numpy(generator.permutation(weight.numel())).to(weight.device)
    return weight.detach().double().reshape(-1)[order].view(weight.shape)


def sensitivity(model: nn.Module, mask: Mapping[str, Tensor], draws: Iterable[Draw], epsilon: float) -> Scores:
    """|∂S/∂m| at `mask`, S the sum over draws and images of ‖f(x; m · w) - f(x; m · (w + ε · z))‖²; 0 where m is.

    Both terms depend on the mask; BatchNorm normalises both by the statistics that the first has on the draw's images,
    which are constants. The model's own maskable weights are never used.
    """
    network = copy.deepcopy(model).double().eval().requires_grad_(False)
    for norm in _norms(network):
        norm.momentum = 1.0  # the statistics of the last batch alone
    slopes = {name: torch.zeros_like(m) for name, m in mask.items()}
    for draw in draws:
        fixed = {name: m.detach() for name, m in mask.items()}
        _take_statistics(network, _masked(draw.weights, fixed), draw.images)
        moved = {name: draw.weights[name] + epsilon * z for name, z in draw.steps.items()}
        outputs = (_outputs(network, mask, weights, draw.images) for weights in (draw.weights, moved))
        change = next(outputs) - next(outputs)
        for name, slope in zip(mask, _slopes(change.square().sum(), mask), strict=True):
            slopes[name] += slope
    return {name: slope.abs() * (mask[name].detach() != 0) for name, slope in slopes.items()}


def _norms(network: nn.Module) -> Iterator[_BatchNorm]:
    return (module for module in network.modules() if isinstance(module, _BatchNorm))


@torch.no_grad()
def _take_statistics(network: nn.Module, weights: Mapping[str, Tensor], images: Tensor) -> None:
    """Give the network's BatchNorms the statistics of these images, if it has any."""
    norms = list(_norms(network))
    if norms:
        for norm in norms:
            norm.train()
        functional_call(network, dict(weights), (images,))
        network.eval()


def _outputs(network: nn.Module, mask: Mapping[str, Tensor], weights: Mapping[str, Tensor], images: Tensor) -> Tensor:
    outputs: Tensor = functional_call(network, _masked(weights, mask), (images,))
    return outputs


def _masked(weights: Mapping[str, Tensor], mask: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights under the mask; those that have none, of a hidden head, are live."""
    return {name: mask[name] * w if name in mask else w for name, w in weights.items()}


def _slopes(total: Tensor, mask: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
    return torch.autograd.grad(total, list(mask.values()), materialize_grads=True)
