"""The tail of a network, with its training step written out. B images of a batch, K classes.

On small layers, autograd and module calls take longer than the arithmetic. Activations stay [features, B] from the
start of the tail to the logits: no layer transposes, and the softmax runs across images, eight times as fast.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn.functional import max_pool2d, nll_loss, relu

from bench.engine.steps.frozen_layers import FrozenLinear
from bench.engine.steps.sparse_layers import FirstLayer, SparseLayer, images_first, images_last
from bench.engine.steps.tail_layers import DenseLinear, Flatten, Pool, Relu, TailLayer
from bench.models.structure.construction import generators, seeded
from bench.models.structure.stand_ins import is_as_declared


class FusedTail:
    """The layers of a network from its tail's start to the logits, and `head`, which is what comes before.

    Args: convolution: of the images, if it is the only reason why the tail does not start at them.
    """

    def __init__(self, head: nn.Module | None, layers: Sequence[TailLayer], convolution: nn.Conv2d | None) -> None:
        self.head, self.layers, self.convolution = head, tuple(layers), convolution
        self._trained = tuple(parameter for layer in layers for parameter in layer.trained)

    def loss(self, x: Tensor, labels: Tensor) -> Tensor:
        """The mean cross-entropy of images x, or of the values that it reads if the tail begins with a `FirstLayer`."""
        loss: Tensor = _Loss.apply(self.head(x) if self.head else x, labels, self.layers, *self._trained)
        return loss


class _Loss(torch.autograd.Function):
    """-1/B Σ log p[label], p = softmax(logits); its gradient by the logits is (p - [class is label]) / B."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, labels: Tensor, layers: tuple[TailLayer, ...], *trained: Tensor | None) -> Tensor:
        ctx.layers, ctx.labels, ctx.inputs, ctx.saved = layers, labels, x.shape[1:], []
        rows = images_last(x)
        for layer in layers:
            rows, saved = layer.outputs(rows)
            ctx.saved.append(saved)
        ctx.logs = rows.log_softmax(0)
        return nll_loss(ctx.logs.t(), labels)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (upstream,), labels = gradients, ctx.labels.unsqueeze(0)
        g = ctx.logs.exp()
        g.scatter_add_(0, labels, g.new_full((), -1).expand_as(labels)).mul_(upstream / labels.numel())
        needs = list(ctx.needs_input_grad)
        for_trained: list[Tensor | None] = []
        for i, layer in reversed([*enumerate(ctx.layers)]):
            needs_trained = [needs.pop() for _ in layer.trained][::-1]
            further = needs[0] or any(before.trained for before in ctx.layers[:i])
            g, *gradients_of_layer = layer.gradients(g, ctx.saved[i], (further, *needs_trained))
            for_trained[:0] = gradients_of_layer
            if not further:
                break
        return None if g is None else images_first(g, ctx.inputs), None, None, *for_trained


def fused_tail_of(
    model: nn.Module, module: nn.Module, replaced: Mapping[int, TailLayer], x: Tensor
) -> FusedTail | None:
    """The longest tail of the model whose step can be written out; None if it has none. Sets training mode.

    Args: module: the model after replacing its layers with those in `replaced`, by identity. x: some images.
    """
    graph = _traced(model.train())
    if graph is None:
        return None
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        _Shapes(fx.GraphModule(copy.deepcopy(model), graph)).run(x)
    layers = _tail_layers(model, graph, replaced)
    first = [i for i, (_, layer) in enumerate(layers) if isinstance(layer, FirstLayer)]
    start = first or [i for i, (_, layer) in enumerate(layers) if not isinstance(layer, Relu | Pool)]
    if not start:
        return None
    head = None if first else _until(module, graph, layers[start[0]][0])
    convolution = _convolution_of_images(model, layers[0][0])
    return FusedTail(head, [layer for _, layer in layers[start[0] :]], convolution)


def _traced(model: nn.Module) -> fx.Graph | None:
    """The calls of the model; None if a graph of them does not say all that it does."""
    copied = copy.deepcopy(model)
    before = _state(copied)
    try:
        with seeded(0):
            drawn = generators()
            graph = fx.Tracer().trace(copied)
            drawn = () if generators() != drawn else drawn
    except Exception:  # a model may do anything with the tracer's stand-in for its input; if that fails, it has no tail
        return None
    # What is computed from parameters alone would be a constant, and what a call leaves behind would happen once.
    constants = any("_tensor_constant" in str(node.target) for node in graph.nodes)
    return None if constants or not drawn or _state(copied) != before else graph


def _state(model: nn.Module) -> list[object]:
    """What a call could change of the model, as far as it can be compared: numbers, texts, versions of tensors."""
    plain = [
        (n, k, v) for n, m in model.named_modules() for k, v in vars(m).items() if isinstance(v, int | float | str)
    ]
    return [*plain, *((name, b._version) for name, b in model.named_buffers())]


def _convolution_of_images(model: nn.Module, node: fx.Node) -> nn.Conv2d | None:
    module = model.get_submodule(str(node.target)) if node.op == "call_module" else None
    return module if type(module) is nn.Conv2d and node.all_input_nodes[0].op == "placeholder" else None


def _tail_layers(
    model: nn.Module, graph: fx.Graph, replaced: Mapping[int, TailLayer]
) -> list[tuple[fx.Node, TailLayer]]:
    """The last layers, each with the node that is its only input and is not used elsewhere."""
    *pairs, (last, output) = pairwise(graph.nodes)
    layers: list[tuple[fx.Node, TailLayer]] = []
    for before, node in reversed(pairs if output.args == (last,) else []):
        layer = _tail_layer(model, node, replaced) if node.all_input_nodes == [before] else None
        if layer is None:
            break
        layers.insert(0, (before, layer))
    return layers


class _Shapes(fx.Interpreter):
    """Notes the shape of each node's output, without the images' dimension."""

    def run_node(self, n: fx.Node) -> Any:
        output = super().run_node(n)
        n.meta["shape"] = output.shape[1:] if isinstance(output, Tensor) else ()
        return output


def _tail_layer(model: nn.Module, node: fx.Node, replaced: Mapping[int, TailLayer]) -> TailLayer | None:
    shape = node.all_input_nodes[0].meta["shape"]
    if node.op == "call_module":
        module = model.get_submodule(str(node.target))
        if not is_as_declared(module):
            return None
        if isinstance(layer := replaced.get(id(module)), SparseLayer | FrozenLinear):
            return layer
        if type(module) is nn.Linear and id(module) not in replaced and len(shape) == 1:
            return DenseLinear(module)
        return Relu() if type(module) is nn.ReLU else None
    if node.target in (relu, torch.relu):
        return Relu()
    if node.target in ("flatten", torch.flatten) and (node.args[1:], node.kwargs, len(shape)) == ((1,), {}, 3):
        return Flatten(shape)
    return Pool(shape) if node.target is max_pool2d and _is_halving(node, shape) else None


def _is_halving(node: fx.Node, shape: Sequence[int]) -> bool:
    defaults = {"stride": None, "padding": 0, "dilation": 1, "ceil_mode": False, "return_indices": False}
    return node.args[1:] == (2,) and node.kwargs == defaults and len(shape) == 3 and not (shape[1] % 2 or shape[2] % 2)


def _until(module: nn.Module, graph: fx.Graph, last: fx.Node) -> nn.Module | None:
    """What the module does up to the node `last`; None if that is its input."""
    if last.op == "placeholder":
        return None
    head, copies = fx.Graph(), dict[fx.Node, fx.Node]()
    for node in graph.nodes:
        copies[node] = head.node_copy(node, copies.__getitem__)
        if node is last:
            break
    head.output(copies[last])
    return fx.GraphModule(module, head)
