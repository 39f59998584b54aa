"""BatchNorm's scales and shifts of the channels of a network, as one vector."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from bench.channels.groups import Channels


class NormScales:
    """BatchNorm's scales and shifts of channels C, in the order of their groups, and changed in place.

    Of groups with several BatchNorms there are several rows R; one with fewer has its last in each further row.
    """

    def __init__(self, model: nn.Module, channels: Channels) -> None:
        norms = [group.norms for group in channels.groups.values()]
        self._rows = max(map(len, norms))
        layers = [of_group[min(row, len(of_group) - 1)] for row in range(self._rows) for of_group in norms]
        self.scales = [model.get_parameter(f"{layer}.weight").detach() for layer in layers]
        self.shifts = [model.get_parameter(f"{layer}.bias").detach() for layer in layers]
        self._sizes = [len(scale) for scale in self.scales]

    def values(self) -> Tensor:
        """The scales [R, C]."""
        return torch.cat(self.scales).view(self._rows, -1)

    def largest(self) -> Tensor:
        """|scale| of each channel [C]; of one that several BatchNorms have, the largest."""
        return self.values().abs().amax(0)

    def shrink(self, amount: Tensor | float) -> None:
        """Bring every |scale| nearer to 0 by that amount, of all channels or of each [C], and none beyond 0."""
        scales = self.values()
        shrunk = scales.sign() * (scales.abs() - amount).clamp_min(0)
        for scale, value in zip(self.scales, shrunk.view(-1).split(self._sizes), strict=True):  # type: ignore[no-untyped-call]
            scale.copy_(value)

    def zero(self, closed: Sequence[Tensor | None]) -> None:
        """Set scale and shift to 0 of the channels that are flagged in each group; of None, none."""
        for scale, shift, flags in zip(self.scales, self.shifts, self._rows * [*closed], strict=True):
            if flags is not None:
                scale.masked_fill_(flags, 0.0)
                shift.masked_fill_(flags, 0.0)


def scales_of(model: nn.Module, channels: Channels) -> dict[str, list[float]]:
    """Group -> |scale| of each of its channels."""
    every = NormScales(model, channels).largest().split([*channels.widths.values()])  # type: ignore[no-untyped-call]
    return {name: of_group.tolist() for name, of_group in zip(channels.groups, every, strict=True)}
