"""Effective sparsity: which live weights lie on a path of live weights from the input to the output.

A property of the mask. In a pruned network a live weight without such a path is useless: it has no effect and no
gradient. A frozen network's forward pass is dense, so every live weight counts. Source: Vysogorets and Kempe 2021,
arXiv:2107.02306. Departs from the paper: a path begins at the input; a bias, which starts its own signal, does not
begin one.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from bench import names
from bench.engine.measures.moment import Moment
from bench.methods.maskable import maskable

# By the name of a function of torch: what hands a value on whatever it is, as far as paths go.
SAME = {
    "relu", "relu_", "relu6", "leaky_relu", "leaky_relu_", "elu", "elu_", "selu", "celu", "gelu", "silu", "mish",
    "hardtanh", "hardtanh_", "hardswish", "tanh", "tanh_", "sigmoid", "sigmoid_", "softplus", "prelu", "dropout",
    "dropout2d", "feature_dropout", "batch_norm", "layer_norm", "group_norm", "instance_norm", "rms_norm",
}  # fmt: skip
# What adds up, averages or moves values: it keeps what is not negative so, and leaves out no path.
LINEAR = {
    "linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "add",
    "add_", "iadd", "__add__", "__radd__", "__iadd__", "sum", "mean", "cat", "concat", "stack", "flatten", "unflatten",
    "view", "reshape", "permute", "transpose", "unsqueeze", "squeeze", "expand", "contiguous", "pad", "__getitem__",
    "chunk", "split", "avg_pool1d", "avg_pool2d", "avg_pool3d", "adaptive_avg_pool1d", "adaptive_avg_pool2d",
    "adaptive_avg_pool3d", "__get__", "size", "dim", "__len__", "pixel_shuffle", "clone", "t", "swapaxes", "movedim",
}  # fmt: skip
MEANS: Mapping[str, Callable[..., Any]] = {
    "max_pool2d": functional.avg_pool2d,
    "adaptive_max_pool2d": functional.adaptive_avg_pool2d,
}


class UnknownOperation(Exception):
    """An operation of which it is not known whether paths pass it."""


def unconnected(moment: Moment) -> dict[str, float]:
    """The number of disconnected live weights of a trial; none if an operation hides the paths, as a product does."""
    trial = moment.trial
    try:
        return {names.DISCONNECTED: disconnected(trial.model, trial.masks, trial.train.image_shape)}
    except UnknownOperation:
        return {}


def disconnected(model: nn.Module, masks: Mapping[str, Tensor], image_shape: tuple[int, ...]) -> int:
    """The number of live weights that lie on no path of live weights from an input value to a logit.

    A copy of the network in float64 computes with the masks for weights, on an image of ones. Biases are 0;
    normalisation and activations pass values on, pooling takes the mean: nothing is negative, so nothing cancels, and
    the derivative of the logits' sum with respect to a live weight is positive exactly if it lies on a path.

    Raises: UnknownOperation if the network computes with another function.
    """
    network = copy.deepcopy(model).cpu().double().eval()
    weights = maskable(network)
    with torch.no_grad():
        for tensor in (*network.parameters(), *network.buffers()):
            tensor.zero_()
        for name, weight in weights.items():
            mask = masks[name].cpu().double()
            # Divided by the largest number of inputs of a unit: otherwise values would overflow in a deep network.
            weight.copy_(mask / mask.flatten(1).sum(1).max().clamp(min=1))
    image = torch.ones(1, *image_shape, dtype=torch.float64)
    with ThreadPoolExecutor(1) as thread:  # a mode that the network never leaves ends with it
        logits = thread.submit(_passed_on, network, image).result()
    if not logits.requires_grad:
        return sum(int(mask.sum()) for mask in masks.values())
    slopes = torch.autograd.grad(logits.sum(), list(weights.values()), allow_unused=True)
    return sum(_without(slope, masks[name].cpu()) for slope, name in zip(slopes, weights, strict=True))


def _passed_on(network: nn.Module, image: Tensor) -> Tensor:
    with _Means():
        logits: Tensor = network(image)
    return logits


def _without(slope: Tensor | None, live: Tensor) -> int:
    return int(live.sum()) if slope is None else int((live & (slope == 0)).sum())


class _Means(TorchFunctionMode):
    """Within it, activations and normalisation hand values on, and max pooling is average pooling: a maximum passes on
    one of its inputs, but a path may use any.
    """

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        name, kwargs = function.__name__.removesuffix("_with_indices"), dict(kwargs or {})
        if name in SAME:
            return (*args, *kwargs.values())[0]
        if name in MEANS:
            return _average(MEANS[name], *args, **kwargs)
        if name not in LINEAR or (name == "pad" and any((*args[3:4], kwargs.get("value")))):
            raise UnknownOperation(name)
        return function(*args, **kwargs)


def _average(function: Callable[..., Any], x: Tensor, size: Any, *args: Any, **kwargs: Any) -> Tensor:
    """The mean over the windows of a maximum."""
    dilation, ceil_mode = kwargs.pop("dilation", 1), kwargs.pop("ceil_mode", False)
    kwargs.pop("return_indices", None)
    if dilation not in (1, (1, 1)) or len(args) > 2:
        raise UnknownOperation("a pooling with holes")
    given = {"ceil_mode": ceil_mode} if function is functional.avg_pool2d else {}
    averages: Tensor = function(x, size, *args, **kwargs, **given)
    return averages
