"""The layers of a fused tail (`bench.engine.steps.fused_tail`) besides the sparse ones. B images of a batch.

Activations are [features, B] as `bench.engine.steps.csr_pattern` wants them; of an image [C, H, W] they are ordered
[H, W, C].
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from bench.engine.steps.sparse_layers import bias_gradient, dense_outputs


class TailLayer(Protocol):
    """A function of activations, with its gradients written out."""

    trained: tuple[Tensor | None, ...]  # its parameters

    def outputs(self, rows: Tensor) -> tuple[Tensor, Any]:
        """The outputs, and what `gradients` needs to know of this call."""

    def gradients(self, g: Tensor, saved: Any, needs: Sequence[bool]) -> tuple[Tensor | None, ...]:
        """The gradients of the inputs and of each parameter, if needed, from those of the outputs."""


class DenseLinear:
    """A Linear layer as it is."""

    def __init__(self, layer: nn.Linear) -> None:
        self.trained: tuple[Tensor | None, ...] = (layer.weight, layer.bias)
        self.weight, self.bias = layer.weight, layer.bias

    def outputs(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The outputs [outputs, B] of inputs [inputs, B], and the inputs."""
        return dense_outputs(self.weight, self.bias, rows), rows

    def gradients(self, g: Tensor, inputs: Tensor, needs: Sequence[bool]) -> tuple[Tensor | None, ...]:
        """The gradients of the inputs, the weight and the bias from those of the outputs, g [outputs, B]."""
        for_x = self.weight.t() @ g if needs[0] else None
        return for_x, g @ inputs.t() if needs[1] else None, bias_gradient(self.bias, g)


class Relu:
    """max(x, 0), in place: no layer before it reads its outputs again."""

    trained: tuple[Tensor | None, ...] = ()

    def outputs(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The outputs, which `gradients` needs too."""
        return rows.relu_(), rows

    def gradients(self, g: Tensor, saved: Tensor, needs: Sequence[bool]) -> tuple[Tensor | None, ...]:
        """The gradient where the output is above 0."""
        return (torch.ops.aten.threshold_backward(g, saved, 0),)


class Flatten:
    """An image's features from the order [H, W, C] to [C, H, W], as a Linear layer on a flattened image has them."""

    trained: tuple[Tensor | None, ...] = ()

    def __init__(self, shape: Sequence[int]) -> None:
        channels, height, width = shape
        self.order = torch.arange(channels * height * width).view(height, width, channels).permute(2, 0, 1).reshape(-1)
        self.inverse = self.order.argsort()

    def outputs(self, rows: Tensor) -> tuple[Tensor, None]:
        """The same features in the other order."""
        return rows.index_select(0, self.order), None

    def gradients(self, g: Tensor, saved: None, needs: Sequence[bool]) -> tuple[Tensor | None, ...]:
        """The gradients in the order of the inputs."""
        return (g.index_select(0, self.inverse),)


class Pool:
    """Max pooling over 2 × 2 pixels; of equal maxima the first gets the gradient.

    Two halvings, of the columns and of the rows: of a pair, max(a, b) passes its gradient to b where b - a > 0.
    """

    trained: tuple[Tensor | None, ...] = ()

    def __init__(self, shape: Sequence[int]) -> None:
        channels, height, width = shape
        self.pairs = (height // 2, 2, width // 2, 2, channels)

    def outputs(self, rows: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """The outputs [H/2 · W/2 · C, B], and the differences of the pairs."""
        left, right = rows.view(*self.pairs, -1).unbind(3)
        above, below = torch.maximum(left, right).unbind(1)
        return torch.maximum(above, below).view(-1, rows.shape[1]), (right - left, below - above)

    def gradients(self, g: Tensor, saved: tuple[Tensor, Tensor], needs: Sequence[bool]) -> tuple[Tensor | None, ...]:
        """The gradients of the inputs [H · W · C, B]."""
        columns, rows = saved
        return (_split(_split(g.view(rows.shape), rows, 1), columns, 3).view(-1, g.shape[1]),)


def _split(g: Tensor, difference: Tensor, dim: int) -> Tensor:
    """The gradients of pairs, stacked along `dim`, from those of their maxima."""
    shape = list(g.shape)
    shape.insert(dim, 2)
    pairs = g.new_empty(shape)
    first, second = pairs.unbind(dim)
    torch.ops.aten.threshold_backward.grad_input(g, difference, 0, grad_input=second)
    torch.sub(g, second, out=first)
    return pairs
