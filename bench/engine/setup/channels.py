"""The channels that a trial's method closes, and the weights of what is left."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import torch
from torch import Tensor, nn

from bench.channels.groups import Channels
from bench.channels.selection import Open, Selection
from bench.engine.setup.background import draw
from bench.methods import Method
from bench.methods.maskable import maskable
from bench.methods.types import Masks
from bench.models.channels.finding import channels_of
from bench.models.channels.proof import check_shrinking
from bench.models.channels.surgery import close, embed, open_entries, read_channels, shrunk
from bench.trial.spec import TrialSpec
from bench.trial.streams import stream

Shape = tuple[int, ...]


def channels_for(method: Method, model: nn.Module, image_shape: Shape) -> Channels:
    """The groups that the method may close channels of. Raises: ValueError, in one line, if there are none."""
    return channels_of(model, image_shape, stream=closes_streams(method))


def closes_streams(method: Method) -> bool:
    """Whether the method closes channels of residual streams too."""
    return bool(getattr(method, "stream", False))


def checked_channels(model: nn.Module, image_shape: Shape, *, stream: bool) -> Channels:
    """The groups of a network that is sure to be the same without its closed channels.

    Raises: ValueError, in one line, if there are none, or if it would be another network.
    """
    channels = channels_of(model, image_shape, stream=stream)
    check_shrinking(model, channels, image_shape)
    return channels


def channels_if_closed(spec: TrialSpec, model: nn.Module, image_shape: Shape) -> Channels | None:
    """The groups of the network, of a method that closes channels; None of one that does not.

    Raises: ValueError, in one line, if there are none, or if the method could not close them at the trial's rate.
    """
    if not spec.method.closes_channels:
        return None
    channels = channels_for(spec.method, model, image_shape)
    if spec.method.changes_masks:  # closes none before training, and is asked now what it would refuse then
        _open_channels(spec, channels)
    return channels


def _open_channels(spec: TrialSpec, channels: Channels) -> Open:
    return spec.method.open_channels(channels, Fraction(spec.rate), stream(spec.seed, "channels"))


def channel_masks(spec: TrialSpec, model: nn.Module, image_shape: Shape) -> Masks:
    """The masks of a method that closes channels before training: what writes or reads a closed channel is dead."""
    selection = selection_at_first(spec, channels_for(spec.method, model, image_shape))
    assert selection is not None, "it closes channels before training"
    return masks_of(model, selection)


def selection_at_first(spec: TrialSpec, channels: Channels | None) -> Selection | None:
    """The open channels of a method that closes channels before training; None of any other."""
    if channels is None or spec.method.changes_masks:
        return None
    return Selection(channels=channels, open=_open_channels(spec, channels))


def masks_of(model: nn.Module, selection: Selection) -> Masks:
    """The masks of all maskable weights with these channels open."""
    masks = all_masks(model, selection)
    return {name: masks[name] for name in maskable(model)}


def all_masks(model: nn.Module, selection: Selection) -> Masks:
    """The same, and the masks of the other parameters that have closed channels."""
    entries = open_entries(model, selection.channels, selection.open)
    whole = {name: torch.ones_like(weight, dtype=torch.bool) for name, weight in maskable(model).items()}
    return whole | {name: entries[name] for name, _ in model.named_parameters() if name in entries}


def selected_channels(method: Method, channels: Channels | None, masks: Mapping[str, Tensor]) -> Selection | None:
    """Which channels the masks leave open; None of a method that closes none, and of one that has not done so yet."""
    if channels is None or (method.changes_masks and all(bool(mask.all()) for mask in masks.values())):
        return None
    return Selection(channels=channels, open=read_channels(masks, channels))


def draw_small(model: nn.Module, spec: TrialSpec, selection: Selection) -> None:
    """Set the open channels to the initial values of the network that has no others, and close the rest, in place."""
    small = shrunk(model, selection.channels, selection.open)
    draw(small, spec)
    close(model, selection.channels, selection.open)
    embed(model, small, selection.channels, selection.open)
