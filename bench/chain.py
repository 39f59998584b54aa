"""A training step written out, for a network that is a chain of Linear layers and ReLUs. B images, K classes.

On layers this small, autograd and the calls of modules take longer than the arithmetic. Activations stay [features, B]
from the images to the logits: no layer transposes, and the softmax is taken across images, eight times as fast.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import torch
from torch import Tensor, fx, nn
from torch.nn.functional import nll_loss, relu

from bench.sparse_layers import Gradients, bias_gradient, dense_answer


class Layer(Protocol):
    """A linear map of activations [features, B]."""

    trained: tuple[Tensor, Tensor | None]  # its weights, or the live ones; its bias

    def answer(self, rows: Tensor) -> Tensor:
        """The outputs [outputs, B] of inputs [inputs, B], in memory of their own."""

    def gradients(self, g: Tensor, rows: Tensor, needs: Sequence[bool]) -> Gradients:
        """The gradients of the inputs and of what is trained, where needed, from those of the outputs."""


class DenseLinear:
    """A Linear layer as it is."""

    def __init__(self, layer: nn.Linear) -> None:
        self.trained: tuple[Tensor, Tensor | None] = (layer.weight, layer.bias)

    def answer(self, rows: Tensor) -> Tensor:
        """The outputs [outputs, B] of inputs [inputs, B]."""
        return dense_answer(*self.trained, rows)

    def gradients(self, g: Tensor, rows: Tensor, needs: Sequence[bool]) -> Gradients:
        """The gradients of the inputs, the weight and the bias from those of the outputs, g [outputs, B]."""
        weight, bias = self.trained
        return weight.t() @ g if needs[0] else None, g @ rows.t() if needs[1] else None, bias_gradient(bias, g)


@dataclass(frozen=True)
class Link:
    """A layer, and whether a ReLU follows."""

    layer: Layer
    relu: bool


class Chain:
    """The links from the images to the logits."""

    def __init__(self, links: Sequence[Link]) -> None:
        self.links = tuple(links)
        self._trained = tuple(parameter for link in links for parameter in link.layer.trained)

    def loss(self, x: Tensor, labels: Tensor) -> Tensor:
        """The mean cross-entropy of images x [B, ...], of which the first layer reads all values."""
        loss: Tensor = _Loss.apply(x.flatten(1).t().contiguous(), labels, self, *self._trained)
        return loss


class _Loss(torch.autograd.Function):
    """-1/B Σ log p[label], p = softmax(logits); its gradient by the logits is (p - [class is label]) / B."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, labels: Tensor, chain: Chain, *trained: Tensor | None) -> Tensor:
        ctx.chain, ctx.labels, ctx.rows = chain, labels, [rows]
        for link in chain.links:
            rows = link.layer.answer(rows)
            ctx.rows.append(rows.relu_() if link.relu else rows)
        ctx.logs = rows.log_softmax(0)
        return nll_loss(ctx.logs.t(), labels)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (upstream,), labels = gradients, ctx.labels.unsqueeze(0)
        g = ctx.logs.exp()
        g.scatter_add_(0, labels, g.new_full((), -1).expand_as(labels)).mul_(upstream / labels.numel())
        found: list[Tensor | None] = []
        for i, link in reversed([*enumerate(ctx.chain.links)]):
            if link.relu:
                g = torch.ops.aten.threshold_backward(g, ctx.rows[i + 1], 0)
            g, *own = link.layer.gradients(g, ctx.rows[i], (i > 0, ctx.needs_input_grad[3 + 2 * i]))
            found[:0] = own
        return None, None, None, *found


def chain_of(model: nn.Module, made: Mapping[int, Layer]) -> Chain | None:
    """The model as a chain, with the layers in `made`, by identity, replaced; None where it is anything else."""
    try:
        nodes = list(fx.Tracer().trace(model).nodes)
    except Exception:  # a model may do anything with the stand-in for its input; where that fails, it is no chain
        return None
    links: list[Link] = []
    for before, node in pairwise(nodes):
        if node.all_input_nodes != [before]:
            return None
        layer = model.get_submodule(str(node.target)) if node.op == "call_module" else None
        if type(layer) is nn.Linear:
            links.append(Link(made.get(id(layer), DenseLinear(layer)), relu=False))
        elif links and (type(layer) is nn.ReLU or node.target in (relu, torch.relu)):
            links[-1] = Link(links[-1].layer, relu=True)
        elif node.op != "output" and (links or not _flattens(node)):
            return None
    return Chain(links) if links else None


def _flattens(node: fx.Node) -> bool:
    return node.target in ("flatten", torch.flatten) and node.args[1:] == (1,) and not node.kwargs
