"""Parameters and multiply-accumulates of a network with any widths. Imports no torch.

Widths of whole numbers give exact counts; fractions, or tensors with a gradient, give relaxed ones by the same sums.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bench.channels.groups import Channels, LayerWidths

Number = Any  # a whole number, a fraction, or a tensor of one element
Widths = Mapping[str, Number]  # group -> open channels


@dataclass(frozen=True)
class Counts:
    """Of one network."""

    parameters: Number  # weights, biases, BatchNorm's scale and shift
    macs: Number  # multiply-accumulates of the forward pass of one image


def counts(channels: Channels, widths: Widths) -> Counts:
    """What the network with these widths stores and computes."""
    width = {"": 1, **widths}
    weights = [_weights(layer, width) for layer in channels.layers]
    biases = sum(layer.outputs * width[layer.writes] for layer in channels.layers if layer.bias)
    norms = sum(group.norm_parameters * width[name] for name, group in channels.groups.items())
    macs = sum(weight * layer.positions for weight, layer in zip(weights, channels.layers, strict=True))
    return Counts(sum(weights) + biases + norms + channels.other_parameters, macs + channels.other_macs)


def _weights(layer: LayerWidths, width: Widths) -> Number:
    return layer.inputs * layer.outputs * layer.kernel * width[layer.reads] * width[layer.writes]


def marginal_costs(channels: Channels, widths: Widths, names: Iterable[str] | None = None) -> dict[str, Counts]:
    """Group -> the derivatives of both counts by its width: what one more channel costs.

    Exactly what closing one saves, too, unless a layer reads and writes the same group.

    Args: names: of the groups; by default all.
    """
    wanted = list(channels.groups if names is None else names)
    width, (parameters, macs) = {"": 1, **widths}, (dict.fromkeys(wanted, 0), dict.fromkeys(wanted, 0))
    for layer in channels.layers:
        each = layer.inputs * layer.outputs * layer.kernel
        for own, other in ((layer.reads, layer.writes), (layer.writes, layer.reads)):
            if own in parameters:
                parameters[own] += each * width[other]
                macs[own] += each * width[other] * layer.positions
        if layer.bias and layer.writes in parameters:
            parameters[layer.writes] += layer.outputs
    return {n: Counts(parameters[n] + channels.groups[n].norm_parameters, macs[n]) for n in wanted}
