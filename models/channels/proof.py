"""The proof that a network with closed channels and the one that has none of them are the same; and that it will be
so, before anything is trained.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from bench.channels.counts import Counts, counts
from bench.channels.groups import Channels
from bench.channels.selection import widths_of
from bench.messages import one_line
from bench.models.channels.surgery import close, shrunk
from bench.models.structure.construction import seeded
from bench.models.structure.layers import changing_buffers, title
from bench.models.structure.values import example, vary
from bench.models.structure.weight_use import WeightUse, uses_of

EXACT = 1e-10  # the most that float64 logits may differ, as a fraction of the largest


class NotTheSame(RuntimeError):
    """Two networks of which one should be the other without its closed channels; in one line."""


def check_counts(small: nn.Module, image_shape: tuple[int, ...], planned: Counts) -> None:
    """Raise NotTheSame if a smaller network does not store and compute what was planned."""
    try:
        macs = sum(use.macs for use in uses_of(small, image_shape).values())
    except Exception as error:  # its code may name a number of channels
        raise _not_applied(error) from error
    _check_counts(small, macs, planned)


def _check_counts(small: nn.Module, macs: int, planned: Counts) -> None:
    counted = sum(p.numel() for p in small.parameters()), macs
    if counted != (planned.parameters, planned.macs):
        raise NotTheSame(f"shrunk to {counted} parameters and multiply-accumulates: planned were {planned}")


def _not_applied(error: Exception) -> NotTheSame:
    return NotTheSame(f"the network cannot be applied with fewer channels: {one_line(error)}")


@torch.no_grad()
def difference_of(masked: nn.Module, small: nn.Module, x: Tensor) -> float:
    """The largest difference of the logits, as a fraction of the largest logit.

    Raises: NotTheSame if it is more than rounding, or a class differs.
    """
    try:
        logits = small(x)
    except Exception as error:
        raise _not_applied(error) from error
    return _difference(masked(x), logits)


def _difference(expected: Tensor, logits: Tensor) -> float:
    difference = float((expected - logits).abs().max() / expected.abs().max().clamp_min(1e-300))
    if not difference <= EXACT or not torch.equal(expected.argmax(1), logits.argmax(1)):
        raise NotTheSame(f"shrunk, its logits differ by {difference:.1e} of the largest: must be at most {EXACT}")
    return difference


def check_shrinking(model: nn.Module, channels: Channels, image_shape: tuple[int, ...]) -> None:
    """Raise ValueError, in one line that names a layer, if the network cannot be cut down to some of its channels.

    Half of the channels of every group are closed in a copy in float64 with values of its own, which one image enters:
    whatever is wrong about the groups shows here, before a network is trained.
    """
    names = list(channels.groups)
    reason = _failure(model, channels, image_shape, names)
    if not reason:
        return
    while len(names) > 1:
        middle = len(names) // 2
        halves = [(half, _failure(model, channels, image_shape, half)) for half in (names[:middle], names[middle:])]
        failing = [(half, words) for half, words in halves if words]
        if not failing:
            break
        names, reason = failing[0]
    layers = [title(name, model.get_submodule(name)) for name in names]
    raise ValueError(f"{layers[0]}{f' to {layers[-1]}' if len(layers) > 1 else ''}: {reason}")


def _failure(model: nn.Module, channels: Channels, image_shape: tuple[int, ...], names: Sequence[str]) -> str:
    """What goes wrong if half of the channels of these groups are closed; "" if nothing does."""
    network, x = _drawn(model), example(image_shape)[:1]
    flags = _half_open(channels, names)
    planned = counts(channels, {**channels.widths, **widths_of(flags)})
    try:
        small = shrunk(network, channels, flags)
        close(network, channels, flags)  # in place: no third copy of a network that may be large
    except Exception as error:
        return f"its channels cannot be cut out: {one_line(error)}"
    try:
        _check_one(network, small, x, planned)
    except NotTheSame as error:
        return str(error)
    return ""


def _check_one(masked: nn.Module, small: nn.Module, x: Tensor, planned: Counts) -> None:
    """Check counts and logits in one pass of each."""
    try:
        with WeightUse(small) as seen:
            logits = small(x)
    except Exception as error:
        raise _not_applied(error) from error
    with torch.no_grad():
        _difference(masked(x), logits.detach())
    _check_counts(small, sum(use.macs for use in seen.uses.values()), planned)


@torch.no_grad()
def _drawn(model: nn.Module) -> nn.Module:
    """A copy in float64 on the CPU, in which no parameter and no statistic has the value that it is built with.

    Biases, scales and shifts are raised, so that few channels are 0 behind a ReLU, where nothing would show.
    """
    network = copy.deepcopy(model).cpu().double().eval()
    vary(network, 0)
    raised: list[tuple[Tensor, float]] = [(p, 0.5) for p in network.parameters() if p.ndim == 1]
    raised += [(s, 0.1) for s in changing_buffers(network).values() if s.is_floating_point()]
    with seeded(1):
        for tensor, amount in raised:
            tensor.add_(torch.empty_like(tensor).uniform_(0, amount))
    return network


def _half_open(channels: Channels, names: Sequence[str]) -> dict[str, list[bool]]:
    """Half of the channels of each of these groups, drawn; of one channel that one."""
    generator = torch.Generator().manual_seed(0)
    flags = {}
    for name in names:
        size = channels.groups[name].size
        flags[name] = (torch.randperm(size, generator=generator) < (size + 1) // 2).tolist()
    return flags
