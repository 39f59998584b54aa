"""What differs between two constructions of a network: its random parameters, which are drawn anew from the seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bench.models.structure.layers import tensors_of

Network = Callable[[], nn.Module]


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Within it, the global generators of Python, NumPy and torch start from that seed; restored afterwards."""
    python, numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        try:
            random.seed(seed), np.random.seed(seed), torch.manual_seed(seed)
            yield
        finally:
            random.setstate(python), np.random.set_state(numpy)


def generators() -> tuple[Any, ...]:
    """What the global generators are at; equal at two moments if nothing was drawn between them."""
    _, words, *rest = np.random.get_state()
    return random.getstate(), np.asarray(words).tobytes(), *rest, torch.get_rng_state().numpy().tobytes()


def random_parameters(first: nn.Module, network: Network) -> frozenset[str]:
    """The parameters with other values at each construction.

    Args:   first: one that is constructed from `seeded(0)`.
    Raises: ValueError if another one differs in a buffer or in shapes: nothing could build the network again.
    """
    with seeded(1):
        second = network()
    if _shapes(first) != _shapes(second):
        raise ValueError("two constructions have different tensors; must have the same names, shapes and types")
    parameters = dict(first.named_parameters())
    others = dict(tensors_of(second))
    different = {name for name, tensor in tensors_of(first) if not _equal(tensor, others[name])}
    if buffers := sorted(different - parameters.keys()):
        raise ValueError(
            f"buffer {buffers[0]}: has other values at each construction; must be the same, or a parameter"
        )
    return frozenset(different)


def _shapes(model: nn.Module) -> list[Any]:
    return [(name, tensor.shape, tensor.dtype) for name, tensor in tensors_of(model)]


def _equal(one: Tensor, other: Tensor) -> bool:
    return torch.equal(one.detach().nan_to_num(), other.detach().nan_to_num())
