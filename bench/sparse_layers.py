"""Layers whose live weights are trained as one compact vector. They stand in for Linear and Conv2d while training.

B images of a batch. Inside, activations are [features, B] as `bench.pattern` wants them, features of an image being its
channels at the first place, at the second, and so on; outside they look as usual, [B, features] or [B, C, H, W].
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d

from bench.pattern import Pattern, padding


class SparseLayer(nn.Module):
    """A layer that computes with its live weights alone; a bias is shared with the layer it stands in for.

    `outputs` is the shape of one image's output.
    """

    def __init__(self, pattern: Pattern, values: nn.Parameter, bias: Tensor | None, outputs: tuple[int, ...]) -> None:
        super().__init__()
        self.pattern, self.values, self.bias, self.outputs = pattern, values, bias, outputs
        self.trained = (values, bias)  # a plain attribute: a parameter's look-up takes as long as a small operation

    def forward(self, x: Tensor) -> Tensor:
        """The output of x [B, ...]."""
        out: Tensor = _Sparse.apply(x, *self.trained, self, None)
        return out


class FirstLayer(SparseLayer):
    """A Linear layer on the images themselves. It is handed what it reads of them, and ignores its input.

    `given`: the values [B, used] of the batch's images that a live weight reads, and what the dead weights answer to
    the images, [B, outputs], or None where they are zero.
    """

    given: tuple[Tensor, Tensor | None]

    def forward(self, x: Tensor) -> Tensor:
        """The output of the batch at hand."""
        pixels, answer = self.given
        out: Tensor = _Sparse.apply(pixels, *self.trained, self, answer)
        return out


class _Sparse(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, values: Tensor, bias: Tensor | None, layer: SparseLayer, answer: Tensor | None
    ) -> Tensor:
        rows = images_last(x)
        ctx.layer, ctx.inputs, ctx.rows = layer, x.shape, rows
        y = layer.pattern.times(values, rows)
        if answer is not None:
            y.add_(answer.t())
        if bias is not None:
            _add_bias(y, bias)
        return images_first(y, layer.outputs)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        layer, g = ctx.layer, images_last(gradients[0])
        for_x = for_values = None
        if ctx.needs_input_grad[0]:
            for_x = images_first(layer.pattern.transposed_times(layer.trained[0].detach(), g), ctx.inputs[1:])
        if ctx.needs_input_grad[1]:
            for_values = layer.pattern.weight_gradient(g, ctx.rows)
        return for_x, for_values, _bias_gradient(layer.trained[1], g), None, None


class FrozenLayer(nn.Module):
    """A layer whose dead weights are not zero: a dense product, and the weight gradient at the live weights alone.

    `weight` is the model's own tensor; the live values are put into it at each step.
    """

    def __init__(
        self, pattern: Pattern, values: nn.Parameter, bias: Tensor | None, weight: Tensor, index: Tensor
    ) -> None:
        super().__init__()
        self.pattern, self.values, self.bias = pattern, values, bias
        self.weight, self.index = weight.detach(), index

    def put_values(self) -> None:
        """Write the live values into the weight."""
        self.weight.view(-1).index_copy_(0, self.index, self.values.detach())


class FrozenLinear(FrozenLayer):
    """A frozen Linear layer."""

    def forward(self, x: Tensor) -> Tensor:
        """The output of x [B, inputs]."""
        out: Tensor = _FrozenLinear.apply(x, self.values, self.bias, self)
        return out


class _FrozenLinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, values: Tensor, bias: Tensor | None, layer: FrozenLinear) -> Tensor:
        layer.put_values()
        rows = images_last(x)
        ctx.layer, ctx.rows = layer, rows
        y = layer.weight @ rows if bias is None else torch.addmm(bias.unsqueeze(1), layer.weight, rows)
        return y.t()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        layer, g = ctx.layer, images_last(gradients[0])
        for_x = (layer.weight.t() @ g).t() if ctx.needs_input_grad[0] else None
        for_values = layer.pattern.weight_gradient(g, ctx.rows) if ctx.needs_input_grad[1] else None
        return for_x, for_values, _bias_gradient(layer.bias, g), None


class FrozenConv(FrozenLayer):
    """A frozen convolution; `conv` says how it strides and pads."""

    def __init__(self, pattern: Pattern, values: nn.Parameter, conv: nn.Conv2d, index: Tensor) -> None:
        super().__init__(pattern, values, conv.bias, conv.weight, index)
        self.how = (conv.stride, padding(conv), conv.dilation)

    def forward(self, x: Tensor) -> Tensor:
        """The output of x [B, C, H, W]."""
        out: Tensor = _FrozenConv.apply(x, self.values, self.bias, self)
        return out

    def input_gradient(self, g: Tensor, x: Tensor) -> Tensor:
        """The gradient of the inputs x, from that of the outputs; in the memory format of g."""
        stride, pad, dilation = self.how
        rest = [
            x.shape[2 + i] - ((g.shape[2 + i] - 1) * stride[i] - 2 * pad[i])
            - dilation[i] * (self.weight.shape[2 + i] - 1) - 1
            for i in (0, 1)
        ]  # fmt: skip
        return conv_transpose2d(g, self.weight, None, stride, pad, rest, 1, dilation)


class _FrozenConv(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, values: Tensor, bias: Tensor | None, layer: FrozenConv) -> Tensor:
        layer.put_values()
        ctx.save_for_backward(x)
        ctx.layer = layer
        return conv2d(x, layer.weight, bias, *layer.how)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (x,), layer, (gradient,) = ctx.saved_tensors, ctx.layer, gradients
        for_x = for_values = None
        if ctx.needs_input_grad[0]:
            for_x = layer.input_gradient(gradient, x)
        g = images_last(gradient)
        if ctx.needs_input_grad[1]:
            for_values = layer.pattern.weight_gradient(g, images_last(x))
        return for_x, for_values, _bias_gradient(layer.bias, g), None


def images_last(x: Tensor) -> Tensor:
    """[B, features] -> [features, B], [B, C, H, W] -> [H · W · C, B]; no copy where a Linear layer of ours made x."""
    if x.ndim == 4:
        x = x.permute(0, 2, 3, 1).reshape(len(x), -1)  # a view where the channels come last
    return x.t().contiguous()


def images_first(y: Tensor, shape: tuple[int, ...]) -> Tensor:
    """[features, B] -> [B, features], a view; [H · W · C, B] -> [B, C, H, W], copied, with the channels last.

    Pooling with the channels last is ten times as fast as otherwise, and in any other layout would copy too.
    """
    if len(shape) == 1:
        return y.t()
    channels, height, width = shape
    return y.t().contiguous().view(-1, height, width, channels).permute(0, 3, 1, 2)


def _add_bias(y: Tensor, bias: Tensor) -> None:
    """Add a bias to outputs [..., channels, B], in place."""
    y = y if len(y) == len(bias) else y.view(-1, len(bias), y.shape[1])
    y.add_(bias.unsqueeze(1))


def _bias_gradient(bias: Tensor | None, g: Tensor) -> Tensor | None:
    if bias is None:
        return None
    return g.sum(1) if len(g) == len(bias) else g.view(-1, len(bias), g.shape[1]).sum((0, 2))
