"""The groups of a network, found from the network itself: one pass of one image, on the meta device if it can be."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import prod

import torch
from torch import nn
from torch.utils._pytree import tree_leaves

from bench.channels.counts import counts
from bench.channels.groups import LOGITS, Channels, Group, LayerWidths
from bench.messages import one_line
from bench.models.channels.axes import ChannelPass
from bench.models.channels.flow import Flow
from bench.models.channels.sets import ChannelSet, LayerPass
from bench.models.channels.ties import ties_of, without_values
from bench.models.structure.layers import weights_of
from bench.models.structure.weight_use import uses_of

Shape = tuple[int, ...]


def channels_of(model: nn.Module, image_shape: Shape, *, stream: bool = False) -> Channels:
    """The groups of a network applied to images of that shape; it is not changed.

    Args:   stream: whether the channels of residual streams are groups too; otherwise they are fixed.
    Raises: ValueError, in one line that names a layer and says why, if there is no group.
    """
    flow, network = _passed(model, image_shape)
    sets = sorted((s for s in flow.sets if s.joined is None), key=lambda channels: flow.ran[channels.writers[0]])
    groups = {s.writers[0]: _group(s, network) for s in sets if not s.fixed}
    of_sets = {writer: s.fixed for s in sets if s.fixed for writer in s.writers}
    names = {id(s): s.writers[0] for s in sets if not s.fixed}
    rows = tuple(_row(name, layer, names, network) for name, layer in flow.layers.items())
    bare = Channels(
        groups=groups,
        layers=rows,
        other_parameters=0,
        maskable=sum(weight.numel() for weight in weights_of(network).values()),
        other_macs=0,
        fixed={**flow.misused, **{writer: reason for writer, reason in of_sets.items() if writer not in flow.misused}},
    )
    known = counts(bare, bare.widths)
    channels = replace(
        bare,
        other_parameters=sum(p.numel() for p in network.parameters()) - known.parameters,
        other_macs=sum(use.macs for use in uses_of(network, image_shape).values()) - known.macs,
    )
    channels = channels if stream else channels.inner()
    if not channels.groups:
        raise ValueError(_no_group(channels, network, bool(groups)))
    return channels


def _passed(model: nn.Module, image_shape: Shape) -> tuple[Flow, nn.Module]:
    """What a pass shows, and the copy of the network that it was made of."""
    ties = ties_of(model)
    try:
        network = without_values(model)
        return _seen(network, image_shape, ties), network
    except Exception:  # whatever its code raises where there are no values
        pass
    try:
        network = copy.deepcopy(model).cpu()
        return _seen(network, image_shape, ties), network
    except Exception as error:
        raise ValueError(f"cannot be applied to images {image_shape}: {one_line(error)}") from error


def _seen(network: nn.Module, image_shape: Shape, ties: Mapping[str, str]) -> Flow:
    like, flow = next(network.parameters()), Flow(network, ties)
    x = torch.zeros(1, *image_shape, dtype=like.dtype, device=like.device)
    with torch.enable_grad(), ChannelPass(flow):
        logits = network.eval()(x)
    for leaf in tree_leaves(logits):
        if axis := flow.axis(leaf):
            axis.channels.fix(LOGITS)
    _fix(flow)
    return flow


def _fix(flow: Flow) -> None:
    """Fix the sets that are no groups by what the whole pass shows, and put the layers of each in order."""
    for name, reason in flow.misused.items():
        for channels in flow.layers[name].sets if name in flow.layers else ():
            channels.fix(f"{name}: {reason}")
    for norm, normalised in flow.norms.items():
        roots = {id(channels.root): channels.root for channels in normalised}
        for channels in roots.values() if len(roots) > 1 else ():
            others = [other.writers[0] for other in roots.values() if other is not channels]
            channels.fix(f"has BatchNorm {norm}, which {', '.join(others)} has too")
    for channels in flow.sets:
        if channels.joined is None:
            channels.fix(_refusal(channels))
            channels.sort(flow.ran)


def _refusal(channels: ChannelSet) -> str:
    """Why these channels are no group; "" if they are one."""
    if not channels.readers:
        return "is read by no layer"
    if len({repeat for _, repeat in channels.readers}) > 1:
        return "is read both as maps and flattened"
    if any(repeat != 1 for _, repeat in channels.norms):
        return "is flattened before its BatchNorm"
    if max(Counter(channels.norms).values(), default=1) > 1:
        return "has a BatchNorm that runs more than once"
    return ""


def _group(channels: ChannelSet, network: nn.Module) -> Group:
    parameters = {name: [*network.get_submodule(name).parameters()] for name, _ in channels.norms}
    return Group(
        size=channels.size,
        writers=tuple(channels.writers),
        norms=tuple(name for name, of_norm in parameters.items() if of_norm),
        plain_norms=tuple(name for name, of_norm in parameters.items() if not of_norm),
        readers=tuple(name for name, _ in channels.readers),
        repeat=channels.readers[0][1],
        norm_parameters=sum(p.numel() // channels.size for of_norm in parameters.values() for p in of_norm),
        stream=channels.summed,
    )


def _row(name: str, layer: LayerPass, names: Mapping[int, str], network: nn.Module) -> LayerWidths:
    weight, bias = network.get_submodule(name).weight, network.get_submodule(name).bias
    assert isinstance(weight, torch.Tensor)
    reads = names.get(id(layer.reads.channels.root), "") if layer.reads and not layer.depthwise else ""
    writes = names.get(id(layer.writes.root), "")
    repeat = layer.reads.repeat if layer.reads else 1
    return LayerWidths(
        name=name,
        reads=reads,
        inputs=repeat if reads else weight.shape[1],
        writes=writes,
        outputs=1 if writes else weight.shape[0],
        kernel=prod(weight.shape[2:]),
        bias=bias is not None,
        positions=layer.positions,
    )


def _no_group(channels: Channels, network: nn.Module, only_streams: bool) -> str:
    """The first layer that writes no group, with the reason."""
    reasons = [*_reasons(channels, network)]
    words = reasons[0] if reasons else "no Conv or Linear layer ran"
    return f"{words}; no channels of this network can be closed" + (" but with stream=true" if only_streams else "")


def _reasons(channels: Channels, network: nn.Module) -> Iterator[str]:
    for name, reason in channels.fixed.items():
        yield f"layer {name or 'model'} ({type(network.get_submodule(name)).__name__}): {reason}"
