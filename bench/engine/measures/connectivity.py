"""Effective sparsity: which live weights lie on a path of live weights from the input to the output.

A property of the mask. In a pruned network a live weight without such a path is useless: it has no effect and no
gradient. A frozen network's forward pass is dense, so every live weight counts. Source: Vysogorets and Kempe 2021,
arXiv:2107.02306. Departs from the paper: a path begins at the input; a bias, which starts its own signal, does not
begin one.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, max_pool2d
from torch.nn.modules.batchnorm import _BatchNorm
from torch.overrides import TorchFunctionMode

from bench import names
from bench.engine.measures.moment import Moment
from bench.methods.maskable import maskable


def unconnected(moment: Moment) -> dict[str, float]:
    """The number of disconnected live weights of a trial."""
    trial = moment.trial
    return {names.DISCONNECTED: disconnected(trial.model, trial.masks, trial.train.image_shape)}


def disconnected(model: nn.Module, masks: Mapping[str, Tensor], image_shape: tuple[int, ...]) -> int:
    """The number of live weights that lie on no path of live weights from an input value to a logit.

    A copy of the network in float64 computes with the masks for weights, on an image of ones. Biases are 0, BatchNorm
    passes values on, pooling takes the mean: nothing is negative, so nothing cancels, and the derivative of the logits'
    sum with respect to a live weight is positive exactly if it lies on a path.
    """
    network = copy.deepcopy(model).cpu().double().eval()
    weights = maskable(network)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        for name, weight in weights.items():
            mask = masks[name].cpu().double()
            # Divided by the largest number of inputs of a unit: otherwise values would overflow in a deep network.
            weight.copy_(mask / mask.flatten(1).sum(1).max().clamp(min=1))
    for module in network.modules():
        if isinstance(module, _BatchNorm):
            module.forward = _same  # type: ignore[assignment, method-assign]
    with _Means():
        logits = network(torch.ones(1, *image_shape, dtype=torch.float64))
    if not logits.requires_grad:
        return sum(int(mask.sum()) for mask in masks.values())
    slopes = torch.autograd.grad(logits.sum(), list(weights.values()), allow_unused=True)
    return sum(_without(slope, masks[name].cpu()) for slope, name in zip(slopes, weights, strict=True))


def _without(slope: Tensor | None, live: Tensor) -> int:
    return int(live.sum()) if slope is None else int((live & (slope == 0)).sum())


def _same(x: Tensor) -> Tensor:
    return x


class _Means(TorchFunctionMode):
    """Within it, max pooling is average pooling: a maximum passes on one of its inputs, but a path may use any."""

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        return _average(*args, **kwargs) if function is max_pool2d else function(*args, **kwargs)


def _average(x: Tensor, kernel_size: Any, stride: Any = None, padding: Any = 0, **kwargs: Any) -> Tensor:
    assert kwargs.get("dilation", 1) in (1, (1, 1)), "no model pools with holes"
    return avg_pool2d(x, kernel_size, stride, padding, kwargs.get("ceil_mode", False))
