"""The network of a trial while its method shapes it, step by step. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from bench.channels.filters import Filters
from bench.channels.groups import Channels
from bench.methods.types import State

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn


def no_filters() -> Filters:
    """What `filters` is of a network that was not given any."""
    return {}


@dataclass(frozen=True, kw_only=True)
class ShapedNetwork:
    """What a method sees before its last moment."""

    model: nn.Module  # the trial's own, which is changed in place
    channels: Channels | None  # its groups, of a method that closes channels
    state: State  # the method's own of this trial, which lives as long as it does and is in its checkpoints
    initial: Mapping[str, Tensor]  # parameter name -> its value before training, whatever its background
    generator: np.random.RandomState  # of the trial; the same numbers each time that hooks are registered
    rate: Fraction  # of the trial: what holds from the last moment on
    epochs: int  # of the whole training
    steps: int  # of the whole training
    filters: Callable[[], Filters] = no_filters  # of the network, and what training each costs
    scratch: dict[str, Any] = field(default_factory=dict)  # what follows from the rest, kept from step to step
