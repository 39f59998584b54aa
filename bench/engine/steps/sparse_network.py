"""The network of a sparse step: the model with its large layers replaced, sharing every other parameter with it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from bench.engine.setup.prepare import Trial
from bench.engine.steps.csr_pattern import conv_pattern, linear_pattern, output_size
from bench.engine.steps.frozen_layers import FrozenConv, FrozenLinear
from bench.engine.steps.fused_tail import chain_of
from bench.engine.steps.sparse_layers import FirstLayer, SparseLayer
from bench.methods.maskable import maskable
from bench.trial.spec import TrialSpec
from bench.trial.step_kind import first_convolution_step, kind_of, layer_step

CHUNK = 1_000  # images per product when the first layer's answers are computed


@dataclass(frozen=True)
class Seen:
    """What a layer takes in: the shape of one input; whether it, and it alone, reads the image itself, flattened."""

    shape: torch.Size
    image: bool


class SparseNetwork:
    """Trains the live weights of a trial's model without ever forming the gradient of a dead one.

    `values` are the live weights of the replaced layers, by weight name. The model is left as it is, but for the live
    entries of its weights: they are up to date after `write_back`.
    """

    def __init__(self, trial: Trial, spec: TrialSpec) -> None:
        self.values: dict[str, nn.Parameter] = {}
        background = spec.method.background
        self._trial, self._background = trial, background
        self._weights = maskable(trial.model)
        self._index: dict[str, Tensor] = {}
        self._images = trial.train
        self._answers: Tensor | None = None
        self._first: FirstLayer | None = None
        self._blank = torch.zeros(1, 1, 1, 1, dtype=trial.probe[0].dtype).expand(1, *trial.train.image_shape)
        layers = replaceable(trial.model)
        made: dict[int, Any] = {}
        images = trial.probe[0][:2]
        inputs = inputs_of(trial.model, layers, images)
        for name, found in inputs.items():
            mask = trial.masks[name]
            # With the channels last, pixels are in another order than a Linear layer's inputs; images that move have
            # no answers that could be kept.
            still = spec.augmentation == "none" and not trial.train.channels_last
            seen = replace(found, image=found.image and still)
            kind = kind_of(tuple(mask.shape), place=0 if seen.image else 1)
            if layer_step(kind, mask.numel(), int(mask.sum()), background) == "sparse":
                made[id(layers[name])] = self._layer(name, layers[name], mask, seen)
        chain = chain_of(trial.model, twin(trial.model, made), made, images)
        for name in [n for n in inputs if chain and layers[n] is chain.convolution]:
            if first_convolution_step(trial.masks[name].numel(), int(trial.masks[name].sum()), background) == "sparse":
                made[id(layers[name])] = self._layer(name, layers[name], trial.masks[name], inputs[name])
        self.module = twin(trial.model, made)
        self._chain = chain_of(trial.model, self.module, made, images)

    def losses(self, permutation: Tensor, batch_size: int, moves: Tensor | None) -> Iterator[tuple[Tensor, int]]:
        """The mean loss and the number of images of each batch; see `bench.engine.steps.network.Network`."""
        self.module.train()
        places = torch.split(permutation, batch_size)
        epoch = self._images.epoch(self._trial.train_indices[permutation], batch_size, moves)
        for (x, y), place in zip(epoch, places, strict=True):
            if self._first is not None:
                self._first.given = (x, None if self._answers is None else self._answers.index_select(0, place))
            yield self._chain.loss(x, y) if self._chain else cross_entropy(self.module(self._input(x)), y), len(y)

    def _input(self, x: Tensor) -> Tensor:
        """What the module is called with: images, blank where the first layer has been handed its part of them."""
        return x if self._first is None else self._blank.expand(len(x), -1, -1, -1)

    def write_back(self) -> None:
        """Put the live values into the model's weights."""
        for name, values in self.values.items():
            self._weights[name].detach().view(-1).index_copy_(0, self._index[name], values.detach())

    def _layer(self, name: str, layer: nn.Module, mask: Tensor, seen: Seen) -> nn.Module:
        weight, frozen = self._weights[name].detach(), self._background == "freeze"
        index = mask.view(-1).nonzero().view(-1)
        values = nn.Parameter(weight.view(-1).index_select(0, index), requires_grad=len(index) > 0)
        self.values[name], self._index[name] = values, index
        if isinstance(layer, nn.Conv2d):
            pattern = conv_pattern(mask, layer, seen.shape, weight.dtype)
            if frozen:
                return FrozenConv(pattern, values, layer, index)
            return SparseLayer(pattern, values, layer.bias, (len(weight), *output_size(layer, seen.shape)))
        assert isinstance(layer, nn.Linear)
        if seen.image:
            used = mask.any(0).nonzero().view(-1)
            self._images = self._trial.train.only(used)
            self._answers = answers(self._trial, weight.masked_fill(mask, 0)) if frozen else None
            self._first = FirstLayer(linear_pattern(mask[:, used], weight.dtype), values, layer.bias, (len(weight),))
            return self._first
        pattern = linear_pattern(mask, weight.dtype)
        if frozen:
            return FrozenLinear(pattern, values, layer.bias, weight, index)
        return SparseLayer(pattern, values, layer.bias, (len(weight),))


def answers(trial: Trial, weight: Tensor) -> Tensor:
    """What a first layer of this weight, without a bias, answers to each image of the training split: [images, out]."""
    made = torch.empty(len(trial.train_indices), len(weight), dtype=weight.dtype)
    for part, indices in zip(made.split(CHUNK), trial.train_indices.split(CHUNK), strict=True):  # type: ignore[no-untyped-call]
        torch.mm(trial.train.batch(indices)[0].flatten(1), weight.t(), out=part)
    return made


def replaceable(model: nn.Module) -> dict[str, nn.Module]:
    """The layers a sparse one can stand in for, by weight name: plain Linear and Conv2d, each used under one name."""
    names = {id(weight): name for name, weight in maskable(model).items()}
    modules = [m for m in model.modules() if type(m) is nn.Linear or (type(m) is nn.Conv2d and _plain(m))]
    owners = [id(m.weight) for m in model.modules() if isinstance(getattr(m, "weight", None), Tensor)]
    return {names[id(m.weight)]: m for m in modules if owners.count(id(m.weight)) == 1}


def _plain(conv: nn.Conv2d) -> bool:
    return conv.groups == 1 and conv.padding_mode == "zeros" and not isinstance(conv.padding, str)


def inputs_of(model: nn.Module, layers: Mapping[str, nn.Module], x: Tensor) -> dict[str, Seen]:
    """What each layer that runs exactly once takes in, found by passing x through a copy in training mode."""
    found: dict[str, list[Seen]] = {name: [] for name in layers}
    memo: dict[int, Any] = {}
    model = copy.deepcopy(model, memo).train()
    flat = x.flatten(1).clone()

    def watch(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            given = inputs[0]
            is_image = given.shape == flat.shape and torch.equal(given, flat)
            found[name].append(Seen(given.shape[1:], is_image))

        return hook

    for name, layer in layers.items():
        memo[id(layer)].register_forward_pre_hook(watch(name))
    _answer(model, x)
    once = {name: seen[0] for name, seen in found.items() if len(seen) == 1 and _fits(layers[name], seen[0])}
    return {
        name: replace(seen, image=seen.image and _alone(model, memo[id(layers[name])], x))
        for name, seen in once.items()
    }


def _alone(model: nn.Module, layer: nn.Module, x: Tensor) -> bool:
    """Whether only this layer reads the images: handed them by itself, it makes the model blind to its own input."""
    handle = layer.register_forward_pre_hook(lambda module, inputs: (x.flatten(1),))
    alone = torch.equal(_answer(model, x), _answer(model, torch.zeros_like(x)))
    handle.remove()
    return alone


def _answer(model: nn.Module, x: Tensor) -> Tensor:
    """The logits, from the same random numbers at each call."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        logits: Tensor = model(x)
    return logits


def _fits(layer: nn.Module, seen: Seen) -> bool:
    return len(seen.shape) == (3 if isinstance(layer, nn.Conv2d) else 1)


def twin(module: nn.Module, made: Mapping[int, nn.Module]) -> nn.Module:
    """The module with the submodules in `made`, by identity, replaced; all else is shared with the original."""
    if id(module) in made:
        return made[id(module)]
    children = {name: twin(child, made) for name, child in module._modules.items() if child is not None}
    if all(children[name] is child for name, child in module._modules.items() if child is not None):
        return module
    copied = copy.copy(module)
    copied._modules = {**module._modules, **children}
    return copied
