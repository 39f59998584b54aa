"""Channels closed in place; the same network with smaller tensors, and back: by surgery on its modules.

Which channels are open is group -> a flag of each; a group that is not named is wholly open.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from bench.channels.groups import Channels
from bench.channels.selection import Open

OF_NORM = {"weight": 0.0, "bias": 0.0, "running_mean": 0.0, "running_var": 1.0}  # of a closed channel


def open_entries(model: nn.Module, channels: Channels, open_channels: Open) -> dict[str, Tensor]:
    """Parameter or statistic -> bool of its shape, True = of open channels; of those that have closed ones.

    A weight has them in the rows that write closed channels and in the columns that read them.
    """
    entries: dict[str, Tensor] = {}
    tensors = dict(_tensors(model))
    for name, along, kept in _slices(model, channels, open_channels):
        if name in tensors:
            tensor = tensors[name]
            shape = [-1 if dimension == along else 1 for dimension in range(tensor.ndim)]
            flags = kept.to(tensor.device).view(shape).expand(tensor.shape)
            entries[name] = entries[name] & flags if name in entries else flags.clone()
    return entries


@torch.no_grad()
def close(model: nn.Module, channels: Channels, open_channels: Open) -> None:
    """Close channels in place: rows, columns and biases 0, BatchNorm's scale and shift 0, its statistics as new."""
    entries, norms = open_entries(model, channels, open_channels), _norm_tensors(model)
    for name, tensor in _tensors(model):
        if name in entries:
            tensor.masked_fill_(~entries[name], OF_NORM[norms[name]] if name in norms else 0.0)


def shrunk(model: nn.Module, channels: Channels, open_channels: Open) -> nn.Module:
    """A copy with the open channels alone, in smaller tensors; on closed channels' values it does not depend.

    Its logits are those of the network with these channels closed, but for the order in which they are added up.
    """
    tensors, cut = dict(_owned(model)), dict[str, Tensor]()
    for name, along, kept in _slices(model, channels, open_channels):
        if name in tensors:
            cut[name] = _cut(cut.get(name, tensors[name].detach()), along, kept)
    # In place of these, wherever the copy has them: a tensor that two layers share stays one.
    copies: dict[int, object] = {id(tensors[name]): _as(tensors[name], smaller) for name, smaller in cut.items()}
    small = copy.deepcopy(model, copies)
    for prefix, module in small.named_modules():
        if prefix in _touched(channels):
            _resize(module)
    return small


@torch.no_grad()
def embed(model: nn.Module, small: nn.Module, channels: Channels, open_channels: Open) -> None:
    """Give the open channels of a network the values of the small one that `shrunk` would make of it, in place.

    Values that no group has are taken too; those of closed channels stay.
    """
    entries, values = open_entries(model, channels, open_channels), dict(_tensors(small))
    for name, tensor in _tensors(model):
        if name in entries:
            tensor[entries[name]] = values[name].to(tensor).reshape(-1)
        else:
            tensor.copy_(values[name])


def read_channels(weights: Mapping[str, Tensor], channels: Channels) -> dict[str, list[bool]]:
    """Which channels are open by weights, or by masks: those that some layer reads with an entry that is not 0."""
    open_channels = {}
    for name, group in channels.groups.items():
        is_read = torch.zeros(group.size, dtype=torch.bool)
        for reader in group.readers:
            columns = weights[_weight_of(reader)].detach().cpu()
            columns = columns.transpose(0, 1).reshape(group.size, -1)
            is_read |= (columns != 0).any(1)
        open_channels[name] = is_read.tolist()
    return open_channels


def written_channels(masks: Mapping[str, Tensor], channels: Channels) -> dict[str, list[bool]]:
    """Which channels are open by the masks of weights: those that some layer writes with a live weight."""
    open_channels = {}
    for name, group in channels.groups.items():
        rows = [masks[_weight_of(writer)] for writer in group.writers]
        live = torch.stack([row.detach().cpu().reshape(group.size, -1).any(1) for row in rows])
        open_channels[name] = live.any(0).tolist()
    return open_channels


def _weight_of(layer: str) -> str:
    return f"{layer}.weight" if layer else "weight"


def _tensors(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from model.named_parameters()
    yield from model.named_buffers()


def _owned(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Every parameter and buffer by the name that each of its layers has for it."""
    for prefix, module in model.named_modules():
        for leaf, tensor in (*module._parameters.items(), *module._buffers.items()):
            if tensor is not None:
                yield f"{prefix}.{leaf}".lstrip("."), tensor


def _touched(channels: Channels) -> set[str]:
    groups = channels.groups.values()
    return {n for group in groups for n in (*group.writers, *group.norms, *group.plain_norms, *group.readers)}


def _norm_tensors(model: nn.Module) -> dict[str, str]:
    """Tensor of a BatchNorm -> its attribute."""
    norms = [(prefix, m) for prefix, m in model.named_modules() if isinstance(m, _BatchNorm)]
    return {f"{prefix}.{leaf}" if prefix else leaf: leaf for prefix, _ in norms for leaf in OF_NORM}


def _slices(model: nn.Module, channels: Channels, open_channels: Open) -> Iterator[tuple[str, int, Tensor]]:
    """Each tensor that has closed channels, the dimension along which they lie, and which entries of it are kept."""
    for name, group in channels.groups.items():
        if name not in open_channels:
            continue
        flags = [bool(flag) for flag in open_channels[name]]
        if len(flags) != group.size or not any(flags):
            must = f"must be one for each of its {group.size} channels, at least one of them open"
            raise ValueError(f"flags of group {name}: {len(flags)}, {sum(flags)} open; {must}")
        if all(flags):
            continue
        kept = torch.tensor(flags)
        for layer in (*group.writers, *group.norms, *group.plain_norms):
            yield from ((f"{layer}.{leaf}".lstrip("."), 0, kept) for leaf in OF_NORM)
        for reader in group.readers:
            yield f"{reader}.weight".lstrip("."), 1, kept.repeat_interleave(group.repeat)


def _cut(tensor: Tensor, along: int, kept: Tensor) -> Tensor:
    smaller = tensor.index_select(along, kept.nonzero().view(-1).to(tensor.device))
    channels_last = tensor.ndim == 4 and tensor.is_contiguous(memory_format=torch.channels_last)
    channels_last = channels_last and not tensor.is_contiguous()  # a 1x1 kernel is both
    return smaller.to(memory_format=torch.channels_last) if channels_last else smaller


def _as(tensor: Tensor, values: Tensor) -> Tensor:
    """The values as a parameter if the tensor is one."""
    return nn.Parameter(values, requires_grad=tensor.requires_grad) if isinstance(tensor, nn.Parameter) else values


def _resize(module: Any) -> None:
    """Have the sizes that a module says of itself follow its tensors."""
    if isinstance(module, _ConvNd):
        depthwise = module.groups > 1
        module.out_channels = module.weight.shape[0]
        module.groups = module.out_channels if depthwise else 1
        module.in_channels = module.weight.shape[1] * module.groups
    elif isinstance(module, nn.Linear):
        module.out_features, module.in_features = module.weight.shape
    elif isinstance(module, _BatchNorm):
        module.num_features = len(module.running_mean) if module.running_mean is not None else module.num_features
