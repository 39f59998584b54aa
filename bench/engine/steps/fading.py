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
            (weights[name].detach().view(-1), masks[name].view(-1).nonzero().view(-1), values.view(-1))
            for name, values in unscaled.items()
            if not bool(masks[name].all())
        ]
        self.scale: float | None = None  # that they hold; None = not known

    @torch.no_grad()
    def hold(self, scale: float) -> None:
        """Give every dead entry this scale; live ones stay as they are."""
        if scale != self.scale:
            for weight, live, values in self._entries:  # a fraction of the time that `where` takes
                kept = weight.index_select(0, live)
                weight.copy_(scaled(values, scale)).index_copy_(0, live, kept)
            self.scale = scale
