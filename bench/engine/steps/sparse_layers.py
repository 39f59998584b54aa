"""Layers whose live weights are trained as one compact vector. They stand in for Linear and Conv2d while training.

B images of a batch. Inside, activations are [features, B] as `csr_pattern` wants them, the features of an image being
its channels at the first pixel, at the second, and so on; outside they are as usual, [B, features] or [B, C, H, W].
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from bench.engine.steps.csr_pattern import CsrPattern

Gradients = tuple[Tensor | None, Tensor | None, Tensor | None]  # of a layer's inputs, of its values, of its bias


class SparseLayer(nn.Module):
    """A layer that computes only with its live weights; it shares its bias with the layer it stands in for.

    `output_shape` is the shape of one image's output.
    """

    def __init__(
        self, pattern: CsrPattern, values: nn.Parameter, bias: Tensor | None, output_shape: tuple[int, ...]
    ) -> None:
        super().__init__()
        self.pattern, self.values, self.bias, self.output_shape = pattern, values, bias, output_shape
        # A plain attribute: looking up a parameter takes as long as a small operation.
        self.trained: tuple[Tensor, Tensor | None] = (values, bias)
        self._live = values.detach()  # if a bag's weights require a gradient, it keeps more than its sums

    def forward(self, x: Tensor) -> Tensor:
        """The output of x [B, ...]."""
        out: Tensor = _Sparse.apply(x, *self.trained, self)
        return out

    def outputs(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The outputs [outputs, B] of inputs [inputs, B], without a graph; and the inputs."""
        y = self.pattern.times(self._live, rows)
        if (bias := self.trained[1]) is not None:
            _add_bias(y, bias)
        return y, rows

    def gradients(self, g: Tensor, inputs: Tensor, needs: Sequence[bool]) -> Gradients:
        """The gradients of the inputs and of the trained tensors, from those of the outputs, g [outputs, B]."""
        for_x = self.pattern.transposed_times(self._live, g) if needs[0] else None
        for_values = self.pattern.weight_gradient(g, inputs) if needs[1] else None
        return for_x, for_values, bias_gradient(self.trained[1], g)


class FirstLayer(SparseLayer):
    """A Linear layer on the images themselves. It is given what it reads of them, and ignores its input.

    `given`: the values [B, used] of the batch's images that a live weight reads, and the outputs of the dead weights,
    [B, outputs], or None if those weights are zero.
    """

    given: tuple[Tensor, Tensor | None]

    def forward(self, x: Tensor) -> Tensor:
        """The output of the batch at hand."""
        return super().forward(self.given[0])

    def outputs(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The outputs [outputs, B] of the batch at hand, whose given values are `rows` [used, B]; and those."""
        (y, rows), dead = super().outputs(rows), self.given[1]
        return y if dead is None else y.add_(dead.t()), rows


class _Sparse(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, values: Tensor, bias: Tensor | None, layer: SparseLayer) -> Tensor:
        ctx.layer, ctx.inputs = layer, x.shape
        y, ctx.rows = layer.outputs(images_last(x))
        return images_first(y, layer.output_shape)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        for_x, *for_trained = ctx.layer.gradients(images_last(gradients[0]), ctx.rows, ctx.needs_input_grad)
        return None if for_x is None else images_first(for_x, ctx.inputs[1:]), *for_trained, None


def images_last(x: Tensor) -> Tensor:
    """[B, features] -> [features, B], [B, C, H, W] -> [H · W · C, B]; no copy if a Linear layer of ours computed x."""
    if x.ndim == 4:
        x = x.permute(0, 2, 3, 1).reshape(len(x), -1)  # a view if the channels come last
    return x.t().contiguous()


def images_first(y: Tensor, shape: tuple[int, ...]) -> Tensor:
    """[features, B] -> [B, features], a view; [H · W · C, B] -> [B, C, H, W], copied, with the channels last.

    Pooling is ten times as fast with the channels last, and any other layout would need a copy too.
    """
    if len(shape) == 1:
        return y.t()
    channels, height, width = shape
    return y.t().contiguous().view(-1, height, width, channels).permute(0, 3, 1, 2)


def dense_outputs(weight: Tensor, bias: Tensor | None, rows: Tensor) -> Tensor:
    """The outputs [outputs, B] of a Linear layer from inputs [inputs, B]."""
    return weight @ rows if bias is None else torch.addmm(bias.unsqueeze(1), weight, rows)


def _add_bias(y: Tensor, bias: Tensor) -> None:
    """Add a bias to outputs [..., channels, B], in place."""
    y = y if len(y) == len(bias) else y.view(-1, len(bias), y.shape[1])
    y.add_(bias.unsqueeze(1))


def bias_gradient(bias: Tensor | None, g: Tensor) -> Tensor | None:
    """The gradient of a bias from that of outputs [..., channels, B]."""
    if bias is None:
        return None
    return g.sum(1) if len(g) == len(bias) else g.view(-1, len(bias), g.shape[1]).sum((0, 2))
