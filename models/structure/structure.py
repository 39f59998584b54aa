"""Structure: all that is found of a network from outside, for images of one shape and a number of classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from bench.messages import one_line
from bench.models.factory import built
from bench.models.initialise import rules_of
from bench.models.initialisers import he_normal
from bench.models.structure.batching import no_batching
from bench.models.structure.construction import random_parameters, seeded
from bench.models.structure.layers import WEIGHTED, check_types, names_of, weights_of
from bench.models.structure.one_pass import OnePass, one_pass
from bench.models.structure.stand_ins import steppable
from bench.models.structure.values import example, values_of
from bench.references import Reference

Shape = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A layer with parameters."""

    name: str
    kind: str  # its class
    shapes: Mapping[str, Shape]  # parameter -> shape, of the parameters that no layer before it has
    weight: str  # the weight that can be masked; "" if it has none
    runs: int  # how often it is called in a pass; 0 if others compute with its parameters


@dataclass(frozen=True, kw_only=True)
class Structure:
    """What is found. Of a network that is refused there is none: a ValueError of one line says why."""

    layers: tuple[Layer, ...]  # in the order in which they run
    head: str  # the weight that gives the classes; "" if no single one does
    macs: Mapping[str, int]  # parameter -> multiply-accumulates of its products, for one image
    steppable: frozenset[str]  # weights whose layers a sparse step can replace
    random: frozenset[str]  # parameters that the construction draws at random
    channels_last: bool  # the layout of its images
    is_random: bool  # whether it draws random numbers in training
    needs_two: bool  # whether a batch of one image cannot be trained on
    on: str  # the device of the inspection, and why if it is not meta

    @property
    def shapes(self) -> dict[str, Shape]:
        """The shape of every parameter by name, in the order in which the layers run."""
        return {name: shape for layer in self.layers for name, shape in layer.shapes.items()}

    @property
    def no_sparse_step(self) -> str:
        """Why no layer can be stepped sparsely; "" if one can."""
        if self.steppable:
            return ""
        if self.is_random:
            return "it draws random numbers in training, which would fall on other units"
        return "it has no plain Linear or Conv2d layer that runs once and whose weight is used nowhere else"

    @property
    def weights(self) -> dict[str, Shape]:
        """The shapes of the weights that can be masked."""
        shapes = self.shapes
        return {name: shapes[name] for name in dict.fromkeys(layer.weight for layer in self.layers) if name}


def structure_of(build: Reference, image_shape: Shape, classes: int) -> Structure:
    """What is found of the network.

    Raises: ValueError, in one line that names the layer, if it could not be trained in part, rebuilt or judged.
    """
    network = partial(built, build, classes, image_shape)
    with seeded(0):
        model = network()
        check_types(model)
        random = random_parameters(model, network)
        rules_of(model, he_normal, random)
        on, single_pass, layers = _inspected(network, image_shape, classes)
        values = values_of(model, image_shape)
        layout = torch.channels_last if values.channels_last else torch.contiguous_format
        replaced = steppable(model, example(image_shape).float().to(memory_format=layout))
    suited = {n for n, layer in replaced.items() if isinstance(layer, nn.Linear) or values.channels_last}
    return Structure(
        layers=layers,
        head=_head(layers, single_pass, classes),
        macs={name: use.macs for name, use in single_pass.uses.items() if use.macs},
        steppable=frozenset(suited),
        random=random,
        channels_last=values.channels_last,
        is_random=values.is_random,
        needs_two=values.needs_two,
        on=on,
    )


def _inspected(
    network: Callable[[], nn.Module], image_shape: Shape, classes: int
) -> tuple[str, OnePass, tuple[Layer, ...]]:
    """The pass on the meta device; on the CPU if the network cannot run there."""
    try:
        with torch.device("meta"):
            model = network()
        on, single_pass = "meta", one_pass(model, image_shape, classes)
    except Exception as error:
        model = network()
        single_pass = one_pass(model, image_shape, classes)
        on = f"cpu, since on the meta device it raises {one_line(error)}"
    return on, single_pass, tuple(_layers(model, single_pass.ran))


def _layers(model: nn.Module, ran: list[str]) -> Iterator[Layer]:
    """The layers with parameters, in the order in which they run; those that do not run themselves stand last."""
    names, weights, modules = names_of(model), weights_of(model), dict(model.named_modules(remove_duplicate=False))
    runs, shown = Counter(ran), set[str]()
    for name in dict.fromkeys([*ran, *dict(model.named_modules())]):
        module = modules[name]
        parameters = {names[id(p)]: tuple(p.shape) for p in module.parameters(recurse=False)}
        if parameters:
            weight = names[id(module.weight)] if isinstance(module, WEIGHTED) else ""
            shapes = {n: shape for n, shape in parameters.items() if n not in shown}
            shown |= parameters.keys()
            weight = weight if weight in weights else ""
            yield Layer(name=name, kind=type(module).__name__, shapes=shapes, weight=weight, runs=runs[name])


def _head(layers: tuple[Layer, ...], single_pass: OnePass, classes: int) -> str:
    """The weight of the layer that runs last, if it has an output for each class."""
    shapes = {name: shape for layer in layers for name, shape in layer.shapes.items()}
    weights = {layer.name: layer.weight for layer in layers if layer.weight}
    last = next((weights[name] for name in reversed(single_pass.ran) if name in weights), "")
    return last if last and shapes[last][0] == classes else ""


def no_pack(structure: Structure, build: Reference, image_shape: Shape, classes: int) -> str:
    """Why networks like this one cannot be trained in one batched step; "" if they can."""
    if structure.is_random:
        return "it draws random numbers in training, which would depend on the other trials of the pack"
    layout = torch.channels_last if structure.channels_last else torch.contiguous_format
    with seeded(0):
        return no_batching(built(build, classes, image_shape), image_shape, layout)
