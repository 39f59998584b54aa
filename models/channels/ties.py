"""Tensors that several layers have in common: which they are, and a copy without values in which they still do."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
from torch import Tensor, nn


def ties_of(model: nn.Module) -> dict[str, str]:
    """Layer -> the tensor that it shares with another layer, and that one's name for it; nothing of other layers."""
    owners: dict[int, tuple[str, str]] = {}  # storage -> the first layer that has it, and its name
    ties: dict[str, str] = {}
    for layer, name, tensor in _owned(model):
        first, first_name = owners.setdefault(tensor.untyped_storage()._cdata, (layer, name))
        if first != layer:
            ties.setdefault(layer, f"{name} is {first_name} too")
            ties.setdefault(first, f"{first_name} is {name} too")
    return ties


def _owned(model: nn.Module) -> Iterator[tuple[str, str, Tensor]]:
    """Layer, name and tensor of every parameter and buffer with values."""
    for layer, module in model.named_modules():
        for leaf, tensor in (*module._parameters.items(), *module._buffers.items()):
            if tensor is not None and tensor.numel():
                yield layer, f"{layer}.{leaf}".lstrip("."), tensor


def without_values(model: nn.Module) -> nn.Module:
    """A copy on the meta device; `Module.to` would give every layer a tensor of its own."""
    copies: dict[int, object] = {id(b): torch.empty_like(b, device="meta") for b in model.buffers()}
    for p in model.parameters():
        copies[id(p)] = nn.Parameter(torch.empty_like(p, device="meta"), requires_grad=p.requires_grad)
    return copy.deepcopy(model, copies)
