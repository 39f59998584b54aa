"""The numbers of a network in the order in which a file holds them: live values, other reals, whole numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bench.methods.maskable import maskable
from bench.models.structure.layers import changing_buffers


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


def counters_of(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """The buffers of whole numbers, as BatchNorm's count of batches."""
    return ((name, b) for name, b in changing_buffers(model).items() if not b.is_floating_point())


@torch.no_grad()
def fill(model: nn.Module, masks: Mapping[str, Tensor], values: Sequence[Tensor]) -> None:
    """Write the live values into every maskable weight."""
    for (name, weight), live_values in zip(maskable(model).items(), values, strict=True):
        weight[masks[name]] = live_values.to(weight.dtype)


@torch.no_grad()
def set_others(model: nn.Module, numbers: NDArray[Any], counters: Mapping[str, list[int]]) -> None:
    """Write everything else into the model. Raises ValueError if the counters are not the model's."""
    targets = [tensor for _, tensor in others(model)]
    values = torch.from_numpy(numbers.copy()).split([t.numel() for t in targets])  # type: ignore[no-untyped-call]
    for tensor, flat in zip(targets, values, strict=True):
        tensor.copy_(flat.view(tensor.shape))
    buffers = dict(counters_of(model))
    if counters.keys() != buffers.keys():
        raise ValueError(f"counters {', '.join(counters)}: must be {', '.join(buffers) or 'none'}")
    for name, buffer in buffers.items():
        counts = torch.tensor(counters[name], dtype=torch.int64)
        if counts.numel() != buffer.numel():
            raise ValueError(f"counter {name} of {counts.numel()} numbers: must have {buffer.numel()}")
        buffer.copy_(counts.view(buffer.shape))
