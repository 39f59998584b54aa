"""A moment of a training, as a method sees it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from bench.channels.filters import Filters
from bench.channels.groups import Channels
from bench.channels.selection import Open
from bench.methods.changing.shaping import no_filters
from bench.methods.types import Background, Masks, Scores, State

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn


def no_channels(open_channels: Open) -> Masks:
    """What `Revision.masks_with` is to a method that closes no channels."""
    raise TypeError("masks_with: must be of a method whose closes_channels is True")


@dataclass(frozen=True, kw_only=True)
class Revision:
    """The end of an epoch after which a method chooses masks again."""

    model: nn.Module  # a copy of the network, in the precision and BatchNorm mode in which criteria score
    initial: Mapping[str, Tensor]  # parameter name -> its value before training, whatever its background
    masks: Masks  # in force up to now; of all maskable weights, and of other parameters that have one
    rate: Fraction  # of the trial: what holds from the last moment on
    epoch: int  # epochs trained
    epochs: int  # of the whole training
    lr: float  # the learning rate of the next step; after the last one, of the last
    generator: np.random.RandomState  # of this moment alone
    gradients: Callable[[], Scores]  # by maskable weight, dead ones too, of the loss on one batch of training images
    state: State  # the method's own; see `ShapedNetwork`
    channels: Channels | None = None  # the network's groups, of a method that closes channels
    # Of such a method: the masks of all parameters that have closed channels, and of every maskable weight.
    masks_with: Callable[[Open], Masks] = no_channels
    filters: Callable[[], Filters] = no_filters  # of the network, and what training each costs


def distances(at: Revision, background: Background) -> Scores:
    """How far each maskable weight is from what it holds if it is dead: |w| if that is 0, else |w - w at the start|."""
    from bench.methods.maskable import maskable

    weights = {name: w.detach() for name, w in maskable(at.model).items()}
    return {n: w.abs() if background == "prune" else (w - at.initial[n]).abs() for n, w in weights.items()}
