"""The filters of a network: what each computes, and which bias and BatchNorm belong to it."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from bench.channels.filters import LayerFilters
from bench.models.structure.weight_use import uses_of


def filters_of(model: nn.Module, image_shape: tuple[int, ...]) -> dict[str, LayerFilters]:
    """The filters of every Conv and Linear weight, in the model's order; a shared weight has those of its first layer.

    A BatchNorm belongs to the layer whose output it is given, unless something is done to it in between.
    """
    uses, norms = uses_of(model, image_shape), _norms(model, image_shape)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    filters: dict[str, LayerFilters] = {}
    for layer, module in model.named_modules():
        if isinstance(module, _ConvNd | nn.Linear) and (name := names[id(module.weight)]) not in filters:
            rows, each = len(module.weight), module.weight[0].numel()
            others = [module.bias] if module.bias is not None else []
            if layer in norms:
                norm = model.get_submodule(norms[layer])
                others.extend(norm.parameters(recurse=False))
            filters[name] = LayerFilters(
                rows=rows,
                weights=each,
                macs=uses[name].macs // rows if name in uses else 0,
                others=tuple(names[id(p)] for p in others if len(p) == rows),
            )
    return filters


def _norms(model: nn.Module, image_shape: tuple[int, ...]) -> dict[str, str]:
    """Layer -> the BatchNorm that is given its output."""
    network = copy.deepcopy(model).cpu().eval()
    like = next(network.parameters())
    outputs: dict[int, tuple[str, Tensor]] = {}  # with the output, so that no other tensor gets its place
    norms: dict[str, str] = {}

    def note(name: str) -> Any:
        def hook(module: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> None:
            if isinstance(module, _BatchNorm):
                if (writer := outputs.get(id(given[0]))) is not None:
                    norms.setdefault(writer[0], name)
            else:
                outputs[id(output)] = (name, output)

        return hook

    for name, module in network.named_modules():
        if isinstance(module, _ConvNd | nn.Linear | _BatchNorm):
            module.register_forward_hook(note(name))
    with torch.no_grad():
        network(torch.zeros(1, *image_shape, dtype=like.dtype))
    return norms
