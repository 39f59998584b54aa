"""What each operation of a pass does with channels.

An activation [N, C, ...] has an axis: whose channels stand in its second dimension. What keeps channels apart, as ReLU
or pooling, hands the axis on; what adds two activations up makes one set of channels of both; whatever is not known to
keep them apart fixes them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from bench.models.channels.flow import Flow
from bench.models.channels.sets import Axis, ChannelSet, LayerPass

ATEN = torch.ops.aten
# Elementwise, or over the pixels of each channel by itself.
APART = (
    ATEN.relu, ATEN.relu_, ATEN.threshold, ATEN.hardtanh, ATEN.hardtanh_, ATEN.leaky_relu, ATEN.leaky_relu_, ATEN.elu,
    ATEN.elu_, ATEN.gelu, ATEN.silu, ATEN.silu_, ATEN.mish, ATEN.softplus, ATEN.sigmoid, ATEN.sigmoid_, ATEN.tanh,
    ATEN.tanh_, ATEN.hardswish, ATEN.hardswish_, ATEN.hardsigmoid, ATEN.hardsigmoid_, ATEN.clamp, ATEN.clamp_min,
    ATEN.abs, ATEN.neg, ATEN.square, ATEN.max_pool2d_with_indices, ATEN.avg_pool2d, ATEN._adaptive_avg_pool2d,
    ATEN.adaptive_max_pool2d, ATEN.clone, ATEN._to_copy, ATEN.detach, ATEN.alias, ATEN.native_dropout,
)  # fmt: skip
TOGETHER = (
    ATEN.add, ATEN.add_, ATEN.sub, ATEN.sub_, ATEN.mul, ATEN.mul_, ATEN.div, ATEN.div_, ATEN.maximum, ATEN.minimum,
)  # fmt: skip  # elementwise of two activations
REDUCED = (ATEN.mean, ATEN.sum, ATEN.amax)  # over some dimensions
NORMS = (ATEN.native_batch_norm, ATEN.cudnn_batch_norm, ATEN._native_batch_norm_legit_no_training)
SUMS = ("add", "sub")
WEIGHT_OF: Mapping[Any, int] = {ATEN.convolution: 1, ATEN.mm: 1, ATEN.addmm: 2}  # which argument is a layer's weight
VIEWS = (ATEN.view, ATEN._unsafe_view, ATEN.squeeze, ATEN.unsqueeze, ATEN.expand)


def _outputs(result: Any) -> Tensor:
    first: Tensor = result[0] if isinstance(result, tuple | list) else result
    return first


def fixing(flow: Flow, args: tuple[Any, ...], result: Any, name: str) -> None:
    """What may mix channels, move or forget them."""
    for leaf in tree_leaves(args):
        if (axis := flow.axis(leaf)) is not None:
            axis.channels.fix(f"enters {name}")


def _apart(flow: Flow, args: tuple[Any, ...], result: Any, name: str) -> None:
    flow.give(_outputs(result), flow.axis(args[0]))


def _norm(flow: Flow, args: tuple[Any, ...], result: Any, name: str) -> None:
    axis, norm = flow.axis(args[0]), flow.norm(args[3])
    if axis is None:
        return
    if norm is None:
        axis.channels.fix("enters a BatchNorm without running statistics")
        return
    flow.normalise(norm, axis)
    flow.give(_outputs(result), axis)


def _convolution(flow: Flow, args: tuple[Any, ...], result: Any, name: str) -> None:
    x, weight, _, _, _, _, transposed, _, groups = args[:9]
    axis, layer = flow.axis(x), _own_layer(flow, weight, name)
    if layer is None or transposed or (axis and axis.repeat != 1):
        fixing(flow, args, result, "a transposed convolution" if transposed else name)
        return
    outputs, positions = _outputs(result), prod(_outputs(result).shape[2:])
    depthwise = groups == weight.shape[0] == x.shape[1] and weight.shape[1] == 1 and groups > 1
    if depthwise and axis is not None:
        axis.channels.root.writers.append(layer)
        axis.channels.root.depthwise.append(layer)
        flow.run(layer, LayerPass(reads=axis, writes=axis.channels, depthwise=True, positions=positions))
        flow.give(outputs, axis)
        return
    _written(flow, layer, axis, outputs, positions, "its convolution has groups" if groups > 1 else "")


def _linear(flow: Flow, args: tuple[Any, ...], result: Any, name: str) -> None:
    x, weight = args[-2:]
    layer = _own_layer(flow, weight, "a product")
    if layer is None:
        fixing(flow, args, result, "a product")
        return
    several = "its inputs have more than one position" if x.shape[0] > 1 else ""
    _written(flow, layer, flow.axis(x), _outputs(result), x.shape[0], several)


def _own_layer(flow: Flow, weight: Tensor, name: str) -> str | None:
    """The layer whose weight enters as in its own forward pass: as it is, that of a Linear layer transposed.

    None if there is none; one whose weight enters otherwise is noted.
    """
    layer, module = flow.layer(weight)
    if module is None:
        return None
    own = module.weight.t() if isinstance(module, nn.Linear) else module.weight
    if (weight.shape, weight.stride()) == (own.shape, own.stride()):
        return layer
    flow.misuse(layer, name)
    return None


def _written(flow: Flow, layer: str, axis: Axis | None, outputs: Tensor, positions: int, reason: str) -> None:
    """Note a layer that reads one set and writes another; both fixed if there is a reason."""
    writes = ChannelSet(outputs.shape[1], writers=[layer], fixed=reason)
    if reason and axis is not None:
        axis.channels.fix(f"is read by {layer}: {reason}")
    flow.sets.append(writes)
    flow.run(layer, LayerPass(reads=axis, writes=writes, depthwise=False, positions=positions))
    flow.give(outputs, Axis(writes))


def _together(flow: Flow, args: tuple[Any, ...], result: Any, name: str) -> None:
    """What joins the sets of two activations; a sum of two makes both part of a residual stream."""
    tensors = [x for x in args[:2] if isinstance(x, Tensor) and x.numel() > 1]
    axes = [axis for x in tensors if (axis := flow.axis(x))]
    if not axes:
        return
    first, outputs = axes[0], _outputs(result)
    for x in tensors:
        axis = flow.axis(x)
        if axis is not None and axis.repeat == first.repeat and x.ndim == outputs.ndim:
            _join(flow, first.channels.root, axis.channels.root, name)
        elif axis is not None or _channels_of(x, outputs) != 1:
            for met in (first, axis or first):
                met.channels.fix(f"enters {name} with what is no channel of a layer")
    if name == "div" and (divisor := flow.axis(args[1])) is not None:
        divisor.channels.fix("is a divisor, which a closed channel would make 0")
    flow.give(outputs, first)


def _join(flow: Flow, one: ChannelSet, two: ChannelSet, name: str) -> None:
    if one is not two:
        if name in SUMS:
            flow.add_up(one, two)
        one.join(two)


def _channels_of(x: Tensor, outputs: Tensor) -> int:
    """The size of what meets the second dimension of the outputs when shapes are aligned at their ends."""
    position = 1 - (outputs.ndim - x.ndim)
    return x.shape[position] if position >= 0 else 1


def _reduced(flow: Flow, args: tuple[Any, ...], result: Any, name: str) -> None:
    x, dims = args[0], args[1] if len(args) > 1 else None
    over = {d % x.ndim for d in (dims if isinstance(dims, list | tuple) else [])}
    (_apart if over and not over & {0, 1} else fixing)(flow, args, result, name)


def _viewed(flow: Flow, args: tuple[Any, ...], result: Any, name: str) -> None:
    """A view that leaves channels where they are, or puts the pixels of each side by side."""
    x, axis = args[0], flow.axis(args[0])
    if axis is None or (result.ndim >= 2 and result.shape[:2] == x.shape[:2]):
        flow.give(result, axis)
    elif result.ndim == 2 and x.ndim > 2 and result.shape == (x.shape[0], prod(x.shape[1:])):
        flow.give(result, Axis(axis.channels, axis.repeat * prod(x.shape[2:])))
    else:
        fixing(flow, args, result, "a change of shape")


def _sliced(flow: Flow, args: tuple[Any, ...], result: Any, name: str) -> None:
    pixels = len(args) < 2 or args[1] % args[0].ndim >= 2 or result.shape == args[0].shape
    (_apart if pixels else fixing)(flow, args, result, name)


def _padded(flow: Flow, args: tuple[Any, ...], result: Any, name: str) -> None:
    (_apart if result.shape[:2] == args[0].shape[:2] else fixing)(flow, args, result, "padding of channels")


Rule = Callable[[Flow, tuple[Any, ...], Any, str], None]
RULES: Mapping[Any, Rule] = {
    **dict.fromkeys(APART, _apart),
    **dict.fromkeys(TOGETHER, _together),
    **dict.fromkeys(REDUCED, _reduced),
    **dict.fromkeys(NORMS, _norm),
    **dict.fromkeys(VIEWS, _viewed),
    ATEN.convolution: _convolution,
    ATEN.mm: _linear,
    ATEN.addmm: _linear,
    ATEN.slice: _sliced,
    ATEN.constant_pad_nd: _padded,
}
