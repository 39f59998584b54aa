"""The end of a network as a chain whose training step is written out. B images of a batch, K classes.

On small layers, autograd and the calls of modules take longer than the arithmetic. Activations stay [features, B] from
the start of the chain to the logits: no layer transposes, and the softmax is taken across images, eight times as fast.
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
from bench.engine.steps.tail_layers import DenseLinear, Flatten, Link, Pool, Relu


class Chain:
    """What a network does before the chain, and the links from there to the logits.

    Args: convolution: of the images, where it is all that keeps the chain from starting at them.
    """

    def __init__(self, head: nn.Module | None, links: Sequence[Link], convolution: nn.Conv2d | None) -> None:
        self.head, self.links, self.convolution = head, tuple(links), convolution
        self._trained = tuple(parameter for link in links for parameter in link.trained)

    def loss(self, x: Tensor, labels: Tensor) -> Tensor:
        """The mean cross-entropy of images x; where the first link is a `FirstLayer`, of the values it reads."""
        loss: Tensor = _Loss.apply(self.head(x) if self.head else x, labels, self.links, *self._trained)
        return loss


class _Loss(torch.autograd.Function):
    """-1/B Σ log p[label], p = softmax(logits); its gradient by the logits is (p - [class is label]) / B."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, labels: Tensor, links: tuple[Link, ...], *trained: Tensor | None) -> Tensor:
        ctx.links, ctx.labels, ctx.inputs, ctx.kept = links, labels, x.shape[1:], []
        rows = images_last(x)
        for link in links:
            rows, kept = link.answer(rows)
            ctx.kept.append(kept)
        ctx.logs = rows.log_softmax(0)
        return nll_loss(ctx.logs.t(), labels)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (upstream,), labels = gradients, ctx.labels.unsqueeze(0)
        g = ctx.logs.exp()
        g.scatter_add_(0, labels, g.new_full((), -1).expand_as(labels)).mul_(upstream / labels.numel())
        needs = list(ctx.needs_input_grad)
        found: list[Tensor | None] = []
        for i, link in reversed([*enumerate(ctx.links)]):
            own = [needs.pop() for _ in link.trained][::-1]
            further = needs[0] or any(before.trained for before in ctx.links[:i])
            g, *others = link.gradients(g, ctx.kept[i], (further, *own))
            found[:0] = others
            if not further:
                break
        return None if g is None else images_first(g, ctx.inputs), None, None, *found


def chain_of(model: nn.Module, module: nn.Module, made: Mapping[int, Link], x: Tensor) -> Chain | None:
    """The longest end of the model that is a chain; None where it has none. Both are put into training mode.

    Args: module: the model with the layers in `made`, by identity, replaced. x: some images.
    """
    try:
        graph = fx.Tracer().trace(model.train())
    except Exception:  # a model may do anything with the stand-in for its input; where that fails, it is no chain
        return None
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        _Shapes(fx.GraphModule(copy.deepcopy(model), graph)).run(x)
    links = _links(model, graph, made)
    first = [i for i, (_, link) in enumerate(links) if isinstance(link, FirstLayer)]
    start = first or [i for i, (_, link) in enumerate(links) if not isinstance(link, Relu | Pool)]
    if not start:
        return None
    head = None if first else _until(module, graph, links[start[0]][0])
    convolution = _convolution_of_images(model, links[0][0])
    return Chain(head, [link for _, link in links[start[0] :]], convolution)


def _convolution_of_images(model: nn.Module, node: fx.Node) -> nn.Conv2d | None:
    module = model.get_submodule(str(node.target)) if node.op == "call_module" else None
    return module if type(module) is nn.Conv2d and node.all_input_nodes[0].op == "placeholder" else None


def _links(model: nn.Module, graph: fx.Graph, made: Mapping[int, Link]) -> list[tuple[fx.Node, Link]]:
    """The last links, each behind the node that is its one input and has no other use."""
    *pairs, (last, output) = pairwise(graph.nodes)
    found: list[tuple[fx.Node, Link]] = []
    for before, node in reversed(pairs if output.args == (last,) else []):
        link = _link(model, node, made) if node.all_input_nodes == [before] else None
        if link is None:
            break
        found.insert(0, (before, link))
    return found


class _Shapes(fx.Interpreter):
    """Notes the shape of what each node gives, without the images' dimension."""

    def run_node(self, n: fx.Node) -> Any:
        given = super().run_node(n)
        n.meta["shape"] = given.shape[1:] if isinstance(given, Tensor) else ()
        return given


def _link(model: nn.Module, node: fx.Node, made: Mapping[int, Link]) -> Link | None:
    shape = node.all_input_nodes[0].meta["shape"]
    if node.op == "call_module":
        module = model.get_submodule(str(node.target))
        if isinstance(layer := made.get(id(module)), SparseLayer | FrozenLinear):
            return layer
        if type(module) is nn.Linear and id(module) not in made and len(shape) == 1:
            return DenseLinear(module)
        return Relu() if type(module) is nn.ReLU else None
    if node.target in (relu, torch.relu):
        return Relu()
    if node.target in ("flatten", torch.flatten) and (node.args[1:], node.kwargs, len(shape)) == ((1,), {}, 3):
        return Flatten(shape)
    return Pool(shape) if node.target is max_pool2d and _halves(node, shape) else None


def _halves(node: fx.Node, shape: Sequence[int]) -> bool:
    plain = {"stride": None, "padding": 0, "dilation": 1, "ceil_mode": False, "return_indices": False}
    return node.args[1:] == (2,) and node.kwargs == plain and len(shape) == 3 and not (shape[1] % 2 or shape[2] % 2)


def _until(module: nn.Module, graph: fx.Graph, last: fx.Node) -> nn.Module | None:
    """What the module does up to the node `last`; None where that is its input."""
    if last.op == "placeholder":
        return None
    head, copies = fx.Graph(), dict[fx.Node, fx.Node]()
    for node in graph.nodes:
        copies[node] = head.node_copy(node, copies.__getitem__)
        if node is last:
            break
    head.output(copies[last])
    return fx.GraphModule(module, head)
