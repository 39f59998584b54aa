"""What a network is made of, as one hash."""

from __future__ import annotations

import torch
from torch import nn

from bench.models.structure.fingerprint import fingerprint


def network(width: int = 4, slope: float = 0.1, bias: bool = True) -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, width, bias=bias), nn.LeakyReLU(slope), nn.Linear(width, width))


def test_values_do_not_matter() -> None:
    torch.manual_seed(0)
    first = fingerprint(network())
    torch.manual_seed(1)
    assert fingerprint(network().eval()) == first


def test_settings_shapes_ties_and_types_do() -> None:
    tied = network(3)
    tied[2].weight = tied[0].weight
    shared = network(3)
    shared[2] = shared[0]
    others = [network(5), network(slope=0.2), network(bias=False), network().double(), network(3), tied, shared]
    assert len({fingerprint(other) for other in [network(), *others]}) == len(others) + 1


def test_it_may_not_move() -> None:
    """It is in the run keys of trials on networks of libraries."""
    assert fingerprint(network()) == "a4a31ff2ba950cb0520a80c99b2fdce0afbae88d2a54e9e25e201d59d79ff653"
