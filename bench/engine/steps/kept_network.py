"""A copy of a network as it was, and computing with it again.

It costs the bytes of the network's parameters and buffers once more, for as long as it is kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


def tensors_of(network: nn.Module) -> dict[str, Tensor]:
    """The parameters and buffers that the network computes with, each once; not copied."""
    parameters = {name: parameter.detach() for name, parameter in network.named_parameters()}
    return parameters | dict(network.named_buffers())


@contextmanager
def holding(network: nn.Module, values: Mapping[str, Tensor]) -> Iterator[None]:
    """Within it, the network's tensors have these values; afterwards, bit for bit, those that they had.

    The memory is the network's own, so that whoever computes with it, as a recorded step, still does.
    """
    tensors, exchanged = tensors_of(network), list[str]()
    try:
        for name, value in values.items():
            _exchange(tensors[name], value)
            exchanged.append(name)
        yield
    finally:
        for name in exchanged:
            _exchange(tensors[name], values[name])


@torch.no_grad()
def _exchange(one: Tensor, other: Tensor) -> None:
    """Exchange the values of two tensors in place."""
    before = one.clone()
    one.copy_(other)
    other.copy_(before)
