"""The numbers of a network in the order in which a file holds them: live values, other reals, whole numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bench.methods.maskable import maskable
from bench.models.structure.layers import changing_buffers

WHOLE: Mapping[str, Tensor] = MappingProxyType({})  # no tensor is stored in part


def number_type(model: nn.Module) -> np.dtype[Any]:
    """The type of the model's numbers, little-endian."""
    return np.dtype(next(model.parameters()).detach().numpy().dtype).newbyteorder("<")


def others(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """What is stored besides the maskable weights: the other parameters, then the buffers of real numbers.

    Buffers that training cannot change are not stored: they are there once the network is constructed.
    """
    weights = {id(w) for w in maskable(model).values()}
    everything = chain(model.named_parameters(), changing_buffers(model).items())
    return ((name, t) for name, t in everything if t.is_floating_point() and id(t) not in weights)


def numbers_of(model: nn.Module, entries: Mapping[str, Tensor] = WHOLE) -> NDArray[Any]:
    """The values of the others, flat; of some tensors only these entries."""
    flat = [t.detach()[entries[name]] if name in entries else t.detach().reshape(-1) for name, t in others(model)]
    numbers: NDArray[Any] = torch.cat(flat).numpy() if flat else np.zeros(0, number_type(model))
    return numbers


def sizes_of_others(model: nn.Module, entries: Mapping[str, Tensor] = WHOLE) -> list[int]:
    """How many numbers each of the others has in a file."""
    return [int(entries[name].sum()) if name in entries else t.numel() for name, t in others(model)]


def counters_of(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """The buffers of whole numbers, as BatchNorm's count of batches."""
    return ((name, b) for name, b in changing_buffers(model).items() if not b.is_floating_point())


@torch.no_grad()
def fill(model: nn.Module, masks: Mapping[str, Tensor], values: Sequence[Tensor]) -> None:
    """Write the live values into every maskable weight."""
    for (name, weight), live_values in zip(maskable(model).items(), values, strict=True):
        weight[masks[name]] = live_values.to(weight.dtype)


@torch.no_grad()
def set_others(
    model: nn.Module,
    numbers: NDArray[Any],
    counters: Mapping[str, list[int]],
    entries: Mapping[str, Tensor] = WHOLE,
) -> None:
    """Write everything else into the model, of some tensors only these entries.

    Raises: ValueError if the counters are not the model's.
    """
    targets = [*others(model)]
    values = torch.from_numpy(numbers.copy()).split(sizes_of_others(model, entries))  # type: ignore[no-untyped-call]
    for (name, tensor), flat in zip(targets, values, strict=True):
        if name in entries:
            tensor[entries[name]] = flat
        else:
            tensor.copy_(flat.view(tensor.shape))
    buffers = dict(counters_of(model))
    if counters.keys() != buffers.keys():
        raise ValueError(f"counters {', '.join(counters)}: must be {', '.join(buffers) or 'none'}")
    for name, buffer in buffers.items():
        counts = torch.tensor(counters[name], dtype=torch.int64)
        if counts.numel() != buffer.numel():
            raise ValueError(f"counter {name} of {counts.numel()} numbers: must have {buffer.numel()}")
        buffer.copy_(counts.view(buffer.shape))
