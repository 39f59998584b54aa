"""Layers replaced by others: which can be, and whether the network then calls what replaces them."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from bench.models.structure.construction import generators, seeded
from bench.models.structure.layers import weights_of

HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def is_as_declared(module: nn.Module) -> bool:
    """Whether it computes what its class says: without hooks, and with the class's own `forward`."""
    return "forward" not in vars(module) and not any(getattr(module, hooks) for hooks in HOOKS)


def replaceable(model: nn.Module) -> dict[str, nn.Module]:
    """The layers of a type that can be replaced, by weight name: plain Linear and Conv2d with a weight of their own."""
    names = {id(weight): name for name, weight in weights_of(model).items()}
    modules = [m for m in model.modules() if type(m) is nn.Linear or (type(m) is nn.Conv2d and _plain(m))]
    owners = [id(m.weight) for m in model.modules() if isinstance(getattr(m, "weight", None), Tensor)]
    return {names[id(m.weight)]: m for m in modules if owners.count(id(m.weight)) == 1 and is_as_declared(m)}


def _plain(conv: nn.Conv2d) -> bool:
    return conv.groups == 1 and conv.padding_mode == "zeros" and not isinstance(conv.padding, str)


def twin(module: nn.Module, replacements: Mapping[int, nn.Module]) -> nn.Module:
    """The module after replacing its submodules with those in `replacements`, by identity; all else is shared."""
    if id(module) in replacements:
        return replacements[id(module)]
    children = {name: twin(child, replacements) for name, child in module._modules.items() if child is not None}
    if all(children[name] is child for name, child in module._modules.items() if child is not None):
        return module
    copied = copy.copy(module)
    copied._modules = {**module._modules, **children}
    return copied


class StandIn(nn.Module):
    """A layer without its attributes, as one that replaces it; counts its calls."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer, self.calls = [layer], 0  # in a list: not a submodule
        self.suited = True  # whether each call has had one row, or one image, for each image of the batch

    def forward(self, x: Tensor) -> Tensor:
        """The layer's output."""
        self.calls += 1
        self.suited &= x.ndim == (4 if isinstance(self.layer[0], nn.Conv2d) else 2)
        output: Tensor = self.layer[0](x)
        return output


def steppable(model: nn.Module, x: Tensor) -> dict[str, nn.Module]:
    """The replaceable layers that the network needs for one call only, in training on images x.

    Not one that runs twice or never, and none whose weight or other attributes are used elsewhere. None at all if the
    network draws random numbers in training: a layer with another memory layout would be given others.
    """
    layers = {} if _draws(model, x) else replaceable(model)
    together = _called_once(model, layers, x)
    if together is not None:
        return {name: layers[name] for name in together}
    return {name: layer for name, layer in layers.items() if _called_once(model, {name: layer}, x)}


def _draws(model: nn.Module, x: Tensor) -> bool:
    """Whether the network draws from a global generator in training."""
    with seeded(0), torch.no_grad():
        before = generators()
        copy.deepcopy(model).train()(x)
        return generators() != before


def _called_once(model: nn.Module, layers: Mapping[str, nn.Module], x: Tensor) -> list[str] | None:
    """Those of the layers that are called once if all are replaced; None if the network then fails or differs."""
    memo: dict[int, Any] = {}
    copied = copy.deepcopy(model, memo).train()
    stand_ins = {name: StandIn(memo[id(layer)]) for name, layer in layers.items()}
    replaced = twin(copied, {id(memo[id(layer)]): stand_ins[name] for name, layer in layers.items()})
    with torch.no_grad():
        try:
            with seeded(0):
                output = replaced(x)
        except Exception:  # it wants more of a layer than its output
            return None
        with seeded(0):
            if not torch.equal(output, copied(x)):
                return None
    return [name for name, stand_in in stand_ins.items() if stand_in.calls == 1 and stand_in.suited]
