"""The mask of a network with closed channels as bytes: a bit for each channel of each group, in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil

import numpy as np
import torch
from torch import Tensor, nn

from bench.channels.groups import Channels
from bench.channels.selection import Selection
from bench.methods.maskable import maskable
from bench.models.channels.finding import channels_of
from bench.models.channels.surgery import open_entries


def encode_channels(selection: Selection) -> bytes:
    """Sum over the groups of their channels bits, 1 = open, in whole bytes."""
    bits = [bool(flag) for name in selection.channels.groups for flag in selection.open[name]]
    return np.packbits(np.array(bits, dtype=bool)).tobytes()


def decode_channels(data: bytes, channels: Channels) -> Selection:
    """The selection in bytes that `encode_channels` returned.

    Raises: ValueError if they are of another length, or a group has no open channel.
    """
    total = sum(channels.widths.values())
    if len(data) != ceil(total / 8):
        raise ValueError(f"bits of {len(data)} bytes: must be {ceil(total / 8)} for {total} channels")
    bits, flags = np.unpackbits(np.frombuffer(data, np.uint8)).astype(bool).tolist(), {}
    for name, size in channels.widths.items():
        flags[name], bits = bits[:size], bits[size:]
        if not any(flags[name]):
            raise ValueError(f"group {name}: no channel is open; must be at least one")
    if any(bits):
        raise ValueError("bits behind the last channel: must be 0")
    return Selection(channels=channels, open=flags)


def selection_in(model: nn.Module, image_shape: tuple[int, ...], kind: str | None, data: bytes) -> Selection | None:
    """The open channels that the bytes say, of a network with bits for its "inner" channels, or for those of residual
    streams too; None if its file has none.
    """
    if kind is None:
        return None
    return decode_channels(data, channels_of(model, image_shape, stream=kind == "stream"))


def entries_of(model: nn.Module, selection: Selection | None) -> dict[str, Tensor]:
    """Of tensors with closed channels, what belongs to open ones; nothing without a selection."""
    return {} if selection is None else open_entries(model, selection.channels, selection.open)


def live_masks(weights: Mapping[str, Tensor], live: Sequence[int], entries: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The masks of all maskable weights. Raises ValueError if they have not as many live entries as is declared."""
    masks = {name: entries.get(name, torch.ones_like(w, dtype=torch.bool)) for name, w in weights.items()}
    for (name, mask), declared in zip(masks.items(), live, strict=True):
        if (counted := int(mask.sum())) != declared:
            raise ValueError(f"mask of {name}: {counted} live weights by its channels, but {declared} are declared")
    return masks


def check_closed(model: nn.Module, masks: Mapping[str, Tensor], entries: Mapping[str, Tensor]) -> None:
    """Raise ValueError if these masks are not those of the channels."""
    for name, weight in maskable(model).items():
        if not torch.equal(masks[name], entries.get(name, torch.ones_like(weight, dtype=torch.bool))):
            raise ValueError(f"mask of {name}: must be that of the open channels")
