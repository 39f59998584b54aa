"""Layers of a frozen network, of which the live weights alone are trained. They stand in for Linear and Conv2d while
training; activations are as in `bench.engine.steps.sparse_layers`. B images of a batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d

from bench.engine.steps.csr_pattern import Pattern, padding
from bench.engine.steps.sparse_layers import Gradients, bias_gradient, dense_answer, images_last


class FrozenLayer(nn.Module):
    """A layer whose dead weights are not zero: a dense product, and the weight gradient at the live weights alone.

    `weight` is the model's own tensor; the live values are put into it at each step.
    """

    def __init__(
        self, pattern: Pattern, values: nn.Parameter, bias: Tensor | None, weight: Tensor, index: Tensor
    ) -> None:
        super().__init__()
        self.pattern, self.values, self.bias = pattern, values, bias
        self.trained: tuple[Tensor, Tensor | None] = (values, bias)
        self.weight, self.index = weight.detach(), index

    def put_values(self) -> None:
        """Write the live values into the weight."""
        self.weight.view(-1).index_copy_(0, self.index, self.trained[0].detach())


class FrozenLinear(FrozenLayer):
    """A frozen Linear layer."""

    def forward(self, x: Tensor) -> Tensor:
        """The output of x [B, inputs]."""
        out: Tensor = _FrozenLinear.apply(x, *self.trained, self)
        return out

    def answer(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The outputs [outputs, B] of inputs [inputs, B], without a graph; and the inputs."""
        self.put_values()
        return dense_answer(self.weight, self.trained[1], rows), rows

    def gradients(self, g: Tensor, kept: Tensor, needs: Sequence[bool]) -> Gradients:
        """The gradients of the inputs and of what is trained, from those of the outputs, g [outputs, B]."""
        for_x = self.weight.t() @ g if needs[0] else None
        for_values = self.pattern.weight_gradient(g, kept) if needs[1] else None
        return for_x, for_values, bias_gradient(self.trained[1], g)


class _FrozenLinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, values: Tensor, bias: Tensor | None, layer: FrozenLinear) -> Tensor:
        ctx.layer = layer
        y, ctx.rows = layer.answer(images_last(x))
        return y.t()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        for_x, *own = ctx.layer.gradients(images_last(gradients[0]), ctx.rows, ctx.needs_input_grad)
        return None if for_x is None else for_x.t(), *own, None


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
        return for_x, for_values, bias_gradient(layer.bias, g), None
