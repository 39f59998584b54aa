"""A network of its own widths, trained in the place of the whole one with closed channels, which is what is stored."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from bench.channels.selection import Selection
from bench.engine.setup.channels import masks_of
from bench.methods import Method
from bench.methods.maskable import maskable
from bench.methods.types import Masks
from bench.models.channels.surgery import close, embed, shrunk


@dataclass(frozen=True)
class Whole:
    """The network whose closed channels are 0, and whose open ones get the values of the smaller one."""

    model: nn.Module
    masks: Masks  # of its maskable weights: dead is what a closed channel writes or reads
    selection: Selection

    def cut(self) -> nn.Module:
        """The network without its closed channels, in smaller tensors."""
        return shrunk(self.model, self.selection.channels, self.selection.open)

    def filled(self, small: nn.Module) -> nn.Module:
        """The whole network with the values of the smaller one, in place."""
        close(self.model, self.selection.channels, self.selection.open)
        embed(self.model, small, self.selection.channels, self.selection.open)
        return self.model


def whole_of(method: Method, model: nn.Module, selection: Selection | None) -> Whole | None:
    """The network as it is stored, of a method that trains one without its closed channels in its place."""
    if selection is None or not method.own_widths:
        return None
    return Whole(model, masks_of(model, selection), selection)


def all_live(model: nn.Module) -> Masks:
    """The masks of a network that is trained in full."""
    return {name: torch.ones_like(weight, dtype=torch.bool) for name, weight in maskable(model).items()}
