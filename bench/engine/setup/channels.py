"""The channels that a trial's method closes, and the weights of what is left."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import torch
from torch import Tensor, nn

from bench.channels.groups import Channels
from bench.channels.selection import Selection
from bench.engine.setup.background import draw
from bench.methods import Method
from bench.methods.maskable import maskable
from bench.methods.types import Masks
from bench.models.channels.finding import channels_of
from bench.models.channels.surgery import close, embed, open_entries, read_channels, shrunk
from bench.trial.spec import TrialSpec

Shape = tuple[int, ...]


def channels_for(method: Method, model: nn.Module, image_shape: Shape) -> Channels:
    """The groups that the method may close channels of. Raises: ValueError, in one line, if there are none."""
    return channels_of(model, image_shape, stream=bool(getattr(method, "stream", False)))


def channel_masks(spec: TrialSpec, model: nn.Module, image_shape: Shape) -> Masks:
    """The masks of a method that closes channels before training: what writes or reads a closed channel is dead."""
    channels = channels_for(spec.method, model, image_shape)
    flags = spec.method.open_channels(channels, Fraction(spec.rate))
    return masks_of(model, Selection(channels=channels, open=flags))


def masks_of(model: nn.Module, selection: Selection) -> Masks:
    """The masks of all maskable weights with these channels open."""
    entries = open_entries(model, selection.channels, selection.open)
    return {n: entries.get(n, torch.ones_like(w, dtype=torch.bool)) for n, w in maskable(model).items()}


def selected_channels(
    spec: TrialSpec, model: nn.Module, masks: Mapping[str, Tensor], image_shape: Shape
) -> Selection | None:
    """Which channels the masks leave open; None of a method that closes none."""
    if not spec.method.closes_channels:
        return None
    channels = channels_for(spec.method, model, image_shape)
    return Selection(channels=channels, open=read_channels(masks, channels))


def draw_small(model: nn.Module, spec: TrialSpec, selection: Selection) -> None:
    """Set the open channels to the initial values of the network that has no others, and close the rest, in place."""
    small = shrunk(model, selection.channels, selection.open)
    draw(small, spec)
    close(model, selection.channels, selection.open)
    embed(model, small, selection.channels, selection.open)
