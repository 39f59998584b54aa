"""What PX puts in place of ReLU and BatchNorm, and which functions it can see through. N images, C channels.

A path leads from a pixel to a class. Every function that a network calls must be a product with its weights, ReLU,
BatchNorm or linear without a shift; max pooling is taken as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from inspect import signature
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import batch_norm
from torch.overrides import TorchFunctionMode

BatchNorm = Literal["batch", "running"]
Row = Callable[..., Any]  # (function, *its arguments) -> what is computed in its place

RELU = ("relu", "relu_")
PRODUCTS = ("linear", *(f"conv{kind}{d}d" for kind in ("", "_transpose") for d in (1, 2, 3)))
SUMS = ("add", "add_", "__add__", "__iadd__", "__radd__", "cat", "concat", "concatenate", "stack")
FACTORS = ("mul", "mul_", "__mul__", "__imul__", "__rmul__")
QUOTIENTS = ("div", "div_", "__truediv__", "__itruediv__")
DROPOUTS = ("dropout", "dropout1d", "dropout2d", "dropout3d")
POOLINGS = tuple(f"{kind}_pool{d}d" for kind in ("avg", "adaptive_avg", "max", "adaptive_max") for d in (1, 2, 3))
LINEAR = (
    *POOLINGS,
    "mean", "sum", "flatten", "unflatten", "view", "reshape", "squeeze", "unsqueeze", "permute", "transpose", "movedim",
    "contiguous", "clone", "to", "chunk", "split", "narrow", "select", "__getitem__", "expand", "pixel_shuffle",
    "channel_shuffle", "zeros", "zeros_like", "new_zeros",
    "size", "dim", "numel", "__get__", "__len__", "is_contiguous", "_set_grad_enabled",
)  # fmt: skip
CONSTANT = 1e-24  # variance over squared mean, below which a channel is the same everywhere but for rounding


class Functions(TorchFunctionMode):
    """While it is entered, what stands in its rows is called in place of the functions of these names."""

    def __init__(self, rows: Mapping[str, Row], other: Row | None = None) -> None:
        super().__init__()
        self.rows, self.other = rows, other

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Called by torch with each function."""
        row = self.rows.get(func.__name__, self.other)
        return row(func, *args, **(kwargs or {})) if row else func(*args, **(kwargs or {}))


@dataclass(frozen=True)
class Layers:
    """The parameters of the products, by name, in the order in which they run."""

    weights: list[str] = field(default_factory=list)
    biases: list[str] = field(default_factory=list)


def layers_of(network: nn.Module, image: Tensor) -> Layers:
    """The layers that a pass of the network runs, which is in evaluation mode.

    Raises: ValueError if it calls a function that has no paths, naming the layer.
    """
    layers, tensors = Layers(), {id(t): n for n, t in (*network.named_parameters(), *network.named_buffers())}

    def product(func: Any, x: Tensor, weight: Tensor, bias: Tensor | None = None, *args: Any, **kwargs: Any) -> Any:
        if id(weight) not in tensors or (bias is not None and id(bias) not in tensors):
            raise ValueError(f"{layer()}: its weight is no parameter, which px needs")
        layers.weights.append(tensors[id(weight)])
        layers.biases.extend([] if bias is None else [tensors[id(bias)]])
        return func(x, weight, bias, *args, **kwargs)

    def checked(func: Any, *args: Any, **kwargs: Any) -> Any:
        if not _has_paths(func.__name__, args, kwargs, tensors):
            raise ValueError(f"{layer()}: calls {func.__name__}; must be ReLU or linear, which px needs")
        return func(*args, **kwargs)

    with torch.no_grad(), running(network) as layer, Functions(dict.fromkeys(PRODUCTS, product), checked):
        network(image)
    return layers


@contextmanager
def running(network: nn.Module) -> Iterator[Callable[[], str]]:
    """A function that names the module of the network that is running."""
    stack: list[str] = []
    handles = []
    for name, module in network.named_modules():
        title = f"layer {name or 'model'} ({type(module).__name__})"
        handles.append(module.register_forward_pre_hook(lambda _, __, title=title: stack.append(title)))
        handles.append(module.register_forward_hook(lambda _, __, ___: stack.pop() and None))
    try:
        yield lambda: stack[-1]
    finally:
        for handle in handles:
            handle.remove()


def _has_paths(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], state: Mapping[int, str]) -> bool:
    """Whether a call is one that the paths pass."""
    if name in SUMS:  # of features alone: whatever else is added is a shift
        terms = [*args, *kwargs.values()] if "add" in name else args[0]
        return "alpha" not in kwargs and not any(_is_shift(term, state) for term in terms)
    if name in QUOTIENTS:  # by a number, and not rounded; a number over features is no factor
        return len(args) == 2 and not any(kwargs.values()) and _is_factor(args[1])
    if name in FACTORS:
        return len(args) == 2 and any(map(_is_factor, args))
    if name in DROPOUTS:
        return kwargs.get("training", True) is False or False in args[2:3]
    if name == "pad":
        return not kwargs.get("value") and not any(args[3:4])
    return name in LINEAR or name in RELU or name == "batch_norm"


def _is_factor(value: Any) -> bool:
    return isinstance(value, int | float) and value > 0


def _is_shift(term: Any, state: Mapping[int, str]) -> bool:
    """Whether a term of a sum is no features: a parameter, a buffer, or a number but 0."""
    return isinstance(term, nn.Parameter) or id(term) in state if isinstance(term, Tensor) else term != 0


def recorded(network: nn.Module, weights: Mapping[str, Tensor], x: Tensor) -> Iterator[Tensor]:
    """Where each ReLU lets pass, in the order in which they run, with `weights` in place of the network's."""
    patterns: list[Tensor] = []

    def relu(func: Any, x: Tensor, *args: Any, **kwargs: Any) -> Any:
        patterns.append(x > 0)
        return func(x, *args, **kwargs)

    with Functions(dict.fromkeys(RELU, relu)):
        functional_call(network, dict(weights), (x,))
    return iter(patterns)


def as_paths(
    batchnorm: BatchNorm,
    *,
    squared: bool,
    patterns: Iterator[Tensor] | None = None,
    layer: Callable[[], str] | None = None,
) -> Functions:
    """Enter it to run a network without its own nonlinearity.

    Args: patterns: what each ReLU is multiplied with; without them ReLU lets all pass.
          batchnorm: "running" for a constant factor of each channel, squared like a weight or one; "batch" for
          BatchNorm by the statistics of the pass.
          layer: names the layer that is running, if a BatchNorm all of whose channels are constant is an error.
    """
    relu = partial(_gated, patterns) if patterns is not None else _passed
    rows: dict[str, Row] = dict.fromkeys(RELU, relu)
    rows["batch_norm"] = partial(_by_batch, layer) if batchnorm == "batch" else partial(_by_factor, squared)
    return Functions(rows)


def _passed(func: Any, x: Tensor, inplace: bool = False) -> Tensor:
    return x if inplace or func.__name__ == "relu_" else x.clone()


def _gated(patterns: Iterator[Tensor], func: Any, x: Tensor, inplace: bool = False) -> Tensor:
    return x.mul_(next(patterns)) if inplace or func.__name__ == "relu_" else x * next(patterns)


def _by_batch(layer: Callable[[], str] | None, func: Any, *args: Any, **kwargs: Any) -> Tensor:
    """BatchNorm with the batch's statistics; a constant channel is 0 exactly, as without rounding."""
    call = _call(*args, **kwargs)
    x, weight, bias = call["input"], call["weight"], call["bias"]
    variance, mean = torch.var_mean(x, [0, *range(2, x.dim())], correction=0, keepdim=True)
    varied = variance > CONSTANT * mean.square()
    if layer and not varied.any():
        raise ValueError(f"{layer()}: is given the same everywhere by an image of ones; must be px:batchnorm=running")
    normed = torch.where(varied, (x - mean) * (variance + call["eps"]).rsqrt(), 0)
    normed = normed if weight is None else normed * _of_channels(weight, x)
    return normed if bias is None else normed + _of_channels(bias, x)


def _by_factor(squared: bool, func: Any, *args: Any, **kwargs: Any) -> Tensor:
    """BatchNorm as a weight of each channel, γ / √(σ² + ε): its square, or one; no shift."""
    call = _call(*args, **kwargs)
    x: Tensor = call["input"]
    if not squared:
        return x
    factor = call["running_var"].add(call["eps"]).rsqrt()
    factor = factor if call["weight"] is None else factor * call["weight"]
    return x * _of_channels(factor.square(), x)


def _call(*args: Any, **kwargs: Any) -> dict[str, Any]:
    """The arguments of a call of `batch_norm`, by name."""
    bound = signature(batch_norm).bind(*args, **kwargs)
    bound.apply_defaults()
    return bound.arguments


def _of_channels(values: Tensor, x: Tensor) -> Tensor:
    """[1, C, 1, …] of [C]."""
    return values.view(1, -1, *[1] * (x.dim() - 2))
