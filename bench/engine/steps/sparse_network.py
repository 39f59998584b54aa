"""The network of a sparse step: the model with its large layers replaced; all other parameters are shared."""

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
from bench.engine.steps.fused_tail import fused_tail_of
from bench.engine.steps.sparse_layers import FirstLayer, SparseLayer
from bench.methods.maskable import maskable
from bench.models.structure.stand_ins import steppable, twin
from bench.trial.spec import TrialSpec
from bench.trial.step_kind import first_convolution_step, kind_of, layer_step

CHUNK = 1_000  # images per product when the dead weights' outputs are computed


@dataclass(frozen=True)
class LayerInput:
    """The input of a layer: its shape for one image; whether this layer alone reads the image itself, flattened."""

    shape: torch.Size
    is_image: bool


class SparseNetwork:
    """Trains the live weights of a trial's model without ever forming the gradient of a dead one.

    `values` are the live weights of the replaced layers, by weight name. Of the model only the live weights change:
    `write_back` brings them up to date.
    """

    def __init__(self, trial: Trial, spec: TrialSpec) -> None:
        self.values: dict[str, nn.Parameter] = {}
        background = spec.method.background
        self._trial, self._background = trial, background
        self._weights = maskable(trial.model)
        self._index: dict[str, Tensor] = {}
        self._images = trial.train
        self._dead_outputs: Tensor | None = None  # of a background that fades, at scale 1
        self._scale: Tensor | None = None  # of these; None = they are as they are
        self._first: FirstLayer | None = None
        self._blank = torch.zeros(1, 1, 1, 1, dtype=trial.probe[0].dtype).expand(1, *trial.train.image_shape)
        images = trial.probe[0][:2]
        layers = steppable(trial.model, images)
        if not trial.train.channels_last:  # the outputs of a sparse convolution have their channels last
            layers = {name: layer for name, layer in layers.items() if isinstance(layer, nn.Linear)}
        replaced: dict[int, Any] = {}
        inputs = inputs_of(trial.model, layers, images)
        for name, layer_input in inputs.items():
            mask = trial.masks[name]
            # With the channels last, pixels are in another order than a Linear layer's inputs; images that move
            # have no outputs of dead weights that could be computed once.
            still = spec.augmentation == "none" and not trial.train.channels_last
            layer_input = replace(layer_input, is_image=layer_input.is_image and still)
            layer_kind = kind_of(tuple(mask.shape), layer_input.is_image)
            if layer_step(layer_kind, mask.numel(), int(mask.sum()), background) == "sparse":
                replaced[id(layers[name])] = self._layer(name, layers[name], mask, layer_input)
        tail = fused_tail_of(trial.model, twin(trial.model, replaced), replaced, images)
        for name in [n for n in inputs if tail and layers[n] is tail.convolution]:
            if first_convolution_step(trial.masks[name].numel(), int(trial.masks[name].sum()), background) == "sparse":
                replaced[id(layers[name])] = self._layer(name, layers[name], trial.masks[name], inputs[name])
        self.module = twin(trial.model, replaced)
        self._tail = fused_tail_of(trial.model, self.module, replaced, images)

    def losses(self, permutation: Tensor, batch_size: int, moves: Tensor | None) -> Iterator[tuple[Tensor, int]]:
        """The mean loss and the number of images of each batch; see `bench.engine.steps.network.Network`."""
        self.module.train()
        positions = torch.split(permutation, batch_size)
        epoch = self._images.epoch(self._trial.train_indices[permutation], batch_size, moves)
        for (x, y), indices in zip(epoch, positions, strict=True):
            if self._first is not None:
                self._first.given = (x, self._dead(indices))
            yield self._tail.loss(x, y) if self._tail else cross_entropy(self.module(self._input(x)), y), len(y)

    def hold(self, scale: float) -> None:
        """Give the outputs of dead weights that were computed once this scale; other layers read the weights."""
        self._scale = torch.tensor(scale, dtype=torch.float32)

    def _dead(self, indices: Tensor) -> Tensor | None:
        """The outputs of the first layer's dead weights for the images at these places; None if they are zero."""
        if self._dead_outputs is None:
            return None
        outputs = self._dead_outputs.index_select(0, indices)
        return outputs if self._scale is None else outputs.mul_(self._scale)

    def _input(self, x: Tensor) -> Tensor:
        """What the module is called with: images, or blanks if the first layer has been given what it reads."""
        return x if self._first is None else self._blank.expand(len(x), -1, -1, -1)

    def write_back(self) -> None:
        """Write the live values into the model's weights."""
        for name, values in self.values.items():
            self._weights[name].detach().view(-1).index_copy_(0, self._index[name], values.detach())

    def _layer(self, name: str, layer: nn.Module, mask: Tensor, layer_input: LayerInput) -> nn.Module:
        weight, frozen = self._weights[name].detach(), self._background == "freeze"
        index = mask.view(-1).nonzero().view(-1)
        values = nn.Parameter(weight.view(-1).index_select(0, index), requires_grad=len(index) > 0)
        self.values[name], self._index[name] = values, index
        if isinstance(layer, nn.Conv2d):
            pattern = conv_pattern(mask, layer, layer_input.shape, weight.dtype)
            if frozen:
                return FrozenConv(pattern, values, layer, index)
            return SparseLayer(pattern, values, layer.bias, (len(weight), *output_size(layer, layer_input.shape)))
        assert isinstance(layer, nn.Linear)
        if layer_input.is_image:
            used = mask.any(0).nonzero().view(-1)
            self._images = self._trial.train.only(used)
            held = self._trial.unscaled.get(name, weight)
            self._dead_outputs = dead_outputs(self._trial, held.masked_fill(mask, 0)) if frozen else None
            self._first = FirstLayer(linear_pattern(mask[:, used], weight.dtype), values, layer.bias, (len(weight),))
            return self._first
        pattern = linear_pattern(mask, weight.dtype)
        if frozen:
            return FrozenLinear(pattern, values, layer.bias, weight, index)
        return SparseLayer(pattern, values, layer.bias, (len(weight),))


def dead_outputs(trial: Trial, weight: Tensor) -> Tensor:
    """The outputs of a first layer with this weight and no bias, for each training image: [images, out]."""
    outputs = torch.empty(len(trial.train_indices), len(weight), dtype=weight.dtype)
    for chunk, indices in zip(outputs.split(CHUNK), trial.train_indices.split(CHUNK), strict=True):  # type: ignore[no-untyped-call]
        torch.mm(trial.train.batch(indices)[0].flatten(1), weight.t(), out=chunk)
    return outputs


def inputs_of(model: nn.Module, layers: Mapping[str, nn.Module], x: Tensor) -> dict[str, LayerInput]:
    """The input of each layer that runs exactly once, recorded while x passes through a copy in training mode."""
    recorded: dict[str, list[LayerInput]] = {name: [] for name in layers}
    memo: dict[int, Any] = {}
    model = copy.deepcopy(model, memo).train()
    flat = x.flatten(1).clone()

    def watch(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            given = inputs[0]
            is_image = given.shape == flat.shape and torch.equal(given, flat)
            recorded[name].append(LayerInput(given.shape[1:], is_image))

        return hook

    for name, layer in layers.items():
        memo[id(layer)].register_forward_pre_hook(watch(name))
    _logits(model, x)
    once = {name: calls[0] for name, calls in recorded.items() if len(calls) == 1 and _fits(layers[name], calls[0])}
    return {
        name: replace(layer_input, is_image=layer_input.is_image and _reads_alone(model, memo[id(layers[name])], x))
        for name, layer_input in once.items()
    }


def _reads_alone(model: nn.Module, layer: nn.Module, x: Tensor) -> bool:
    """Whether only this layer reads the images: if it is given them by itself, the model's input has no effect."""
    handle = layer.register_forward_pre_hook(lambda module, inputs: (x.flatten(1),))
    reads_alone = torch.equal(_logits(model, x), _logits(model, torch.zeros_like(x)))
    handle.remove()
    return reads_alone


def _logits(model: nn.Module, x: Tensor) -> Tensor:
    """The logits, from the same random numbers at each call."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        logits: Tensor = model(x)
    return logits


def _fits(layer: nn.Module, layer_input: LayerInput) -> bool:
    return len(layer_input.shape) == (3 if isinstance(layer, nn.Conv2d) else 1)
