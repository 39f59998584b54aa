"""Groups of channels, as data. Imports no torch.

A channel is one output of a layer, with all that computes it and all that reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

LOGITS = "gives the logits"  # why the last layer's outputs are fixed, in every network


@dataclass(frozen=True, kw_only=True)
class Group:
    """Channels that must be open or closed together, by the names of the layers that have them."""

    size: int
    writers: tuple[str, ...]  # their outputs are these channels; a depthwise convolution reads and writes them
    norms: tuple[str, ...]  # BatchNorms of these channels, each with a scale and a shift
    readers: tuple[str, ...]  # their inputs are these channels
    repeat: int = 1  # inputs of a reader for each channel: its pixels, if they are flattened before
    plain_norms: tuple[str, ...] = ()  # BatchNorms without
    norm_parameters: int = 0  # of all its norms, for each channel
    stream: bool = False  # of a residual stream: added to other channels, or where the two parts of a sum begin


@dataclass(frozen=True, kw_only=True)
class LayerWidths:
    """A layer with a weight: its inputs and outputs, each the channels of a group or a fixed number."""

    name: str
    reads: str  # a group, or "" if its inputs are no channels of a group
    inputs: int  # for each channel that it reads; if it reads no group, all of one output
    writes: str
    outputs: int  # for each channel that it writes: 1; if it writes no group, all
    kernel: int  # weights for each pair of input and output
    bias: bool
    positions: int  # at which the weights are used, for one image


@dataclass(frozen=True, kw_only=True)
class Channels:
    """What the widths of a network decide."""

    groups: Mapping[str, Group]  # by the name of the first writer, in the order in which these run
    layers: tuple[LayerWidths, ...]  # in the order in which they run
    other_parameters: int  # of no layer and no group
    maskable: int  # weights of Conv and Linear layers, of which a rate is a share
    other_macs: int
    fixed: Mapping[str, str]  # layer whose outputs no group has -> why
    kind: Literal["inner", "stream"] = "stream"  # whether residual streams have groups

    @property
    def widths(self) -> dict[str, int]:
        """Every group with all of its channels."""
        return {name: group.size for name, group in self.groups.items()}

    def inner(self) -> Channels:
        """The same without the groups of residual streams, whose channels are fixed."""
        kept = {name: group for name, group in self.groups.items() if not group.stream}
        dropped = {name: group for name, group in self.groups.items() if group.stream}
        norms = sum(group.norm_parameters * group.size for group in dropped.values())
        fixed = {**self.fixed, **{w: "writes a residual stream" for g in dropped.values() for w in g.writers}}
        order = [layer.name for layer in self.layers if layer.name in fixed]
        return Channels(
            groups=kept,
            layers=tuple(_fixed(layer, dropped) for layer in self.layers),
            other_parameters=self.other_parameters + norms,
            maskable=self.maskable,
            other_macs=self.other_macs,
            fixed={name: fixed[name] for name in dict.fromkeys([*order, *fixed])},  # in the order in which they run
            kind="inner",
        )


def _fixed(layer: LayerWidths, dropped: Mapping[str, Group]) -> LayerWidths:
    """The layer with the channels of these groups as fixed numbers."""
    reads, writes = dropped.get(layer.reads), dropped.get(layer.writes)
    return LayerWidths(
        name=layer.name,
        reads="" if reads else layer.reads,
        inputs=layer.inputs * reads.size if reads else layer.inputs,
        writes="" if writes else layer.writes,
        outputs=layer.outputs * writes.size if writes else layer.outputs,
        kernel=layer.kernel,
        bias=layer.bias,
        positions=layer.positions,
    )
