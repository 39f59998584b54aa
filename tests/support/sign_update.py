"""An update rule that is none of ours: what a row of UPDATES may name."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from bench.trial.spec import TrialSpec


class Sign:
    """SignSGD (Bernstein et al. 2018): a step of length lr against the sign of each gradient; no momentum, no state."""

    def __init__(self, spec: TrialSpec, tensors: Sequence[Tensor], weight_decay: float) -> None:
        self.tensors, self.weight_decay = list(tensors), weight_decay
        self.state: list[Tensor] = []

    def state_of(self, place: int) -> list[Tensor]:
        return []

    def step(self, gradients: list[Tensor], lr: float | Tensor) -> None:
        for tensor, gradient in zip(self.tensors, gradients, strict=True):
            tensor.sub_(lr * (gradient.sign() + self.weight_decay * tensor))
