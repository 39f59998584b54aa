"""Where each channel of a network goes in one pass, seen below autograd: by whatever function it computes.

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
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

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
VIEWS = (ATEN.view, ATEN._unsafe_view, ATEN.squeeze, ATEN.unsqueeze)


class ChannelPass(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Within it, what becomes of the channels is noted: `layers` in the order in which they run, and `sets`."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.layers: dict[str, LayerPass] = {}
        self.ran: dict[str, int] = {}  # layer or BatchNorm -> its place in the order in which they run
        self.sets: list[ChannelSet] = []
        self._modules: dict[int, tuple[str, nn.Module]] = {}  # by the storage of a weight, or of running statistics
        for name, module in reversed([*model.named_modules()]):
            if isinstance(module, _ConvNd | nn.Linear):
                self._modules[_storage(module.weight)] = (name, module)
            elif isinstance(module, _BatchNorm) and module.running_mean is not None:
                self._modules[_storage(module.running_mean)] = (name, module)
        self._axes: dict[int, Axis] = {}
        self._kept: list[Tensor] = []  # so that no other tensor gets their identity

    def axis(self, x: object) -> Axis | None:
        """Whose channels the activation has."""
        return self._axes.get(id(x))

    def give(self, x: Tensor, axis: Axis | None) -> None:
        if axis is not None:
            self._axes[id(x)] = axis
            self._kept.append(x)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        rule = RULES.get(func.overloadpacket, _fixing)
        rule(self, args, result, func.overloadpacket.__name__.strip("_"))
        return result

    def layer(self, weight: object, kind: type[nn.Module]) -> tuple[str, nn.Module] | None:
        """The layer whose weight this is."""
        found = self._modules.get(_storage(weight)) if isinstance(weight, Tensor) else None
        return found if found is not None and isinstance(found[1], kind) else None

    def run(self, name: str, layer: LayerPass) -> None:
        """Note a layer that ran; one that runs again has no channels of its own."""
        if before := self.layers.get(name):
            before.positions += layer.positions
            for channels in (*before.sets, *layer.sets):
                channels.fix(f"{name} runs more than once")
            return
        self.layers[name] = layer
        self.ran[name] = len(self.ran)
        if layer.reads and not layer.depthwise:
            layer.reads.channels.root.readers.append((name, layer.reads.repeat))


def _storage(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


def _outputs(result: Any) -> Tensor:
    first: Tensor = result[0] if isinstance(result, tuple | list) else result
    return first


def _fixing(seen: ChannelPass, args: tuple[Any, ...], result: Any, name: str) -> None:
    """What may mix channels, move or forget them."""
    for leaf in tree_leaves(args):
        if (axis := seen.axis(leaf)) is not None:
            axis.channels.fix(f"enters {name}")


def _apart(seen: ChannelPass, args: tuple[Any, ...], result: Any, name: str) -> None:
    seen.give(_outputs(result), seen.axis(args[0]))


def _norm(seen: ChannelPass, args: tuple[Any, ...], result: Any, name: str) -> None:
    axis, found = seen.axis(args[0]), seen.layer(args[3], _BatchNorm)
    if axis is None:
        return
    if found is None:
        axis.channels.fix("enters a BatchNorm without running statistics")
        return
    axis.channels.root.norms.append((found[0], axis.repeat))
    seen.ran.setdefault(found[0], len(seen.ran))
    seen.give(_outputs(result), axis)


def _convolution(seen: ChannelPass, args: tuple[Any, ...], result: Any, name: str) -> None:
    x, weight, _, _, _, _, transposed, _, groups = args[:9]
    axis, found = seen.axis(x), seen.layer(weight, _ConvNd)
    if found is None or transposed or (axis and axis.repeat != 1):
        _fixing(seen, args, result, "a transposed convolution" if transposed else name)
        return
    layer, outputs = found[0], _outputs(result)
    depthwise = groups == weight.shape[0] == x.shape[1] and weight.shape[1] == 1 and groups > 1
    positions = prod(outputs.shape[2:])
    if depthwise and axis is not None:
        axis.channels.root.writers.append(layer)
        axis.channels.root.depthwise.append(layer)
        seen.run(layer, LayerPass(reads=axis, writes=axis.channels, depthwise=True, positions=positions))
        seen.give(outputs, axis)
        return
    _written(seen, layer, axis, outputs, positions, "its convolution has groups" if groups > 1 else "")


def _linear(seen: ChannelPass, args: tuple[Any, ...], result: Any, name: str) -> None:
    x, weight = args[-2:]
    found = seen.layer(weight, nn.Linear)
    if found is None or x.ndim != 2 or not _is_transposed(weight, found[1]):
        _fixing(seen, args, result, "a product")
        return
    several = "its inputs have more than one position" if x.shape[0] > 1 else ""
    _written(seen, found[0], seen.axis(x), _outputs(result), x.shape[0], several)


def _is_transposed(weight: Tensor, layer: Any) -> bool:
    """Whether a layer's weight stands in a product as in its own: inputs in rows."""
    return weight.shape == layer.weight.shape[::-1] and weight.stride(0) == 1


def _written(seen: ChannelPass, layer: str, axis: Axis | None, outputs: Tensor, positions: int, reason: str) -> None:
    """Note a layer that reads one set and writes another; both fixed if there is a reason."""
    writes = ChannelSet(outputs.shape[1], writers=[layer], fixed=reason)
    if reason and axis is not None:
        axis.channels.fix(f"is read by {layer}: {reason}")
    seen.sets.append(writes)
    seen.run(layer, LayerPass(reads=axis, writes=writes, depthwise=False, positions=positions))
    seen.give(outputs, Axis(writes))


def _together(seen: ChannelPass, args: tuple[Any, ...], result: Any, name: str) -> None:
    tensors = [x for x in args[:2] if isinstance(x, Tensor) and x.numel() > 1]
    axes = [axis for x in tensors if (axis := seen.axis(x))]
    if not axes:
        return
    first, outputs = axes[0], _outputs(result)
    for x in tensors:
        axis = seen.axis(x)
        if axis is not None and axis.repeat == first.repeat:
            first.channels.join(axis.channels)
        elif axis is not None or _channels_of(x, outputs) != 1:
            for met in (first, axis or first):
                met.channels.fix(f"enters {name} with what is no channel of a layer")
    seen.give(outputs, first)


def _channels_of(x: Tensor, outputs: Tensor) -> int:
    """The size of what meets the second dimension of the outputs when shapes are aligned at their ends."""
    position = 1 - (outputs.ndim - x.ndim)
    return x.shape[position] if position >= 0 else 1


def _reduced(seen: ChannelPass, args: tuple[Any, ...], result: Any, name: str) -> None:
    x, dims = args[0], args[1] if len(args) > 1 else None
    over = {d % x.ndim for d in (dims if isinstance(dims, list | tuple) else [])}
    (_apart if over and not over & {0, 1} else _fixing)(seen, args, result, name)


def _viewed(seen: ChannelPass, args: tuple[Any, ...], result: Any, name: str) -> None:
    """A view that leaves channels where they are, or puts the pixels of each side by side."""
    x, axis = args[0], seen.axis(args[0])
    if axis is None or (result.ndim >= 2 and result.shape[:2] == x.shape[:2]):
        seen.give(result, axis)
    elif result.ndim == 2 and x.ndim > 2 and result.shape == (x.shape[0], prod(x.shape[1:])):
        seen.give(result, Axis(axis.channels, axis.repeat * prod(x.shape[2:])))
    else:
        _fixing(seen, args, result, "a change of shape")


def _sliced(seen: ChannelPass, args: tuple[Any, ...], result: Any, name: str) -> None:
    pixels = len(args) < 2 or args[1] % args[0].ndim >= 2 or result.shape == args[0].shape
    (_apart if pixels else _fixing)(seen, args, result, name)


def _padded(seen: ChannelPass, args: tuple[Any, ...], result: Any, name: str) -> None:
    (_apart if result.shape[:2] == args[0].shape[:2] else _fixing)(seen, args, result, "padding of channels")


Rule = Callable[[ChannelPass, tuple[Any, ...], Any, str], None]
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
