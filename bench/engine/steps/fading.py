"""The dead weights of a trial while their background fades: every value is one product with that at the start."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from bench.engine.setup.background import scaled


class Fading:
    """Holds the dead entries of some tensors at scale · their value at scale 1, whatever they held before.

    Nothing is multiplied twice: no rounding adds up, and a trial that resumes has the bits of one that did not stop.

    Args: weights: name -> the tensor that is trained, or a view of it. unscaled: name -> what its dead entries hold at
          scale 1; of these tensors alone; empty if the background does not fade.
    """

    def __init__(
        self, weights: Mapping[str, Tensor], masks: Mapping[str, Tensor], unscaled: Mapping[str, Tensor]
    ) -> None:
        self._entries = [
            (weights[name].detach(), masks[name], values)
            for name, values in unscaled.items()
            if not bool(masks[name].all())
        ]
        self.scale: float | None = None  # that they hold; None = not known

    @torch.no_grad()
    def hold(self, scale: float) -> None:
        """Give every dead entry this scale; live ones stay as they are."""
        if scale != self.scale:
            for weight, live, values in self._entries:
                torch.where(live, weight, scaled(values, scale), out=weight)
            self.scale = scale
