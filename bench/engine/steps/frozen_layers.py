"""Layers of a frozen network, of which only the live weights are trained. They stand in for Linear and Conv2d while
training; activations are as in `bench.engine.steps.sparse_layers`. B images of a batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d

from bench.engine.steps.csr_pattern import CsrPattern, padding
from bench.engine.steps.sparse_layers import Gradients, bias_gradient, dense_outputs, images_last


class FrozenLayer(nn.Module):
    """A layer whose dead weights are not zero: a dense product, and the weight gradient at the live weights only.

    `weight` is the model's own tensor; the live values are written into it at each step.
    """

    def __init__(
        self, pattern: CsrPattern, values: nn.Parameter, bias: Tensor | None, weight: Tensor, index: Tensor
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

    def outputs(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The outputs [outputs, B] of inputs [inputs, B], without a graph; and the inputs."""
        self.put_values()
        return dense_outputs(self.weight, self.trained[1], rows), rows

    def gradients(self, g: Tensor, inputs: Tensor, needs: Sequence[bool]) -> Gradients:
        """The gradients of the inputs and of the trained tensors, from those of the outputs, g [outputs, B]."""
        for_x = self.weight.t() @ g if needs[0] else None
        for_values = self.pattern.weight_gradient(g, inputs) if needs[1] else None
        return for_x, for_values, bias_gradient(self.trained[1], g)


class _FrozenLinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, values: Tensor, bias: Tensor | None, layer: FrozenLinear) -> Tensor:
        ctx.layer = layer
        y, ctx.rows = layer.outputs(images_last(x))
        return y.t()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        for_x, *for_trained = ctx.layer.gradients(images_last(gradients[0]), ctx.rows, ctx.needs_input_grad)
        return None if for_x is None else for_x.t(), *for_trained, None


class FrozenConv(FrozenLayer):
    """A frozen convolution; stride, padding and dilation are those of `conv`."""

    def __init__(self, pattern: CsrPattern, values: nn.Parameter, conv: nn.Conv2d, index: Tensor) -> None:
        super().__init__(pattern, values, conv.bias, conv.weight, index)
        self.geometry = (conv.stride, padding(conv), conv.dilation)

    def forward(self, x: Tensor) -> Tensor:
        """The output of x [B, C, H, W]."""
        out: Tensor = _FrozenConv.apply(x, self.values, self.bias, self)
        return out

    def input_gradient(self, g: Tensor, x: Tensor) -> Tensor:
        """The gradient of the inputs x, from that of the outputs; in the memory format of g."""
        stride, pad, dilation = self.geometry
        output_padding = [
            x.shape[2 + i] - ((g.shape[2 + i] - 1) * stride[i] - 2 * pad[i])
            - dilation[i] * (self.weight.shape[2 + i] - 1) - 1
            for i in (0, 1)
        ]  # fmt: skip
        return conv_transpose2d(g, self.weight, None, stride, pad, output_padding, 1, dilation)


class _FrozenConv(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, values: Tensor, bias: Tensor | None, layer: FrozenConv) -> Tensor:
        layer.put_values()
        ctx.save_for_backward(x)
        ctx.layer = layer
        return conv2d(x, layer.weight, bias, *layer.geometry)

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
