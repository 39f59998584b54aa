"""The update rules: torch's fused optimizers in their functional form.

`torch.optim.Optimizer.step` looks its state up, tensor by tensor and through hooks, at every step: on a small network
that takes longer than the update. The functions below are the ones it ends in, so the numbers are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

import torch
from torch import Tensor
from torch.optim.adam import adam
from torch.optim.adamw import adamw
from torch.optim.sgd import sgd

from bench.references import resolved
from bench.trial.optimizers import UPDATES
from bench.trial.spec import TrialSpec


class Update(Protocol):
    """The update rule of one group of tensors, with its state."""

    state: list[Tensor]

    def state_of(self, place: int) -> list[Tensor]:
        """The state that belongs to one of the tensors."""

    def step(self, gradients: list[Tensor], lr: float | Tensor) -> None:
        """Update the tensors in place; an lr on the device is read when the update runs."""


class Sgd:
    """SGD with momentum, Nesterov's where the spec says so, and weight decay, on one group of tensors."""

    def __init__(self, spec: TrialSpec, tensors: Sequence[Tensor], weight_decay: float) -> None:
        self.tensors, self.weight_decay, self.spec = list(tensors), weight_decay, spec
        self.state = [torch.zeros_like(t, requires_grad=False) for t in tensors] if spec.momentum else []
        self._momenta: list[Tensor | None] = [*self.state] if spec.momentum else [None for _ in tensors]

    def state_of(self, place: int) -> list[Tensor]:
        """The state that belongs to one of the tensors."""
        return self.state[place : place + 1]

    def step(self, gradients: list[Tensor], lr: float | Tensor) -> None:
        """Update the tensors in place; an lr on the device is read when the update runs."""
        sgd(
            self.tensors,
            gradients,
            self._momenta,
            fused=True,
            weight_decay=self.weight_decay,
            momentum=self.spec.momentum,
            lr=lr,
            dampening=0.0,
            nesterov=self.spec.nesterov,
            maximize=False,
        )


class Adam:
    """Adam, or AdamW, on one group of tensors."""

    def __init__(
        self,
        spec: TrialSpec,
        tensors: Sequence[Tensor],
        weight_decay: float,
        function: Callable[..., None] = adam,
    ) -> None:
        self.tensors, self.weight_decay, self.beta_1 = list(tensors), weight_decay, spec.momentum
        self.function = function
        self._means, self._squares = ([torch.zeros_like(t, requires_grad=False) for t in tensors] for _ in range(2))
        self._steps = [torch.zeros((), device=t.device) for t in tensors]
        self.state = [*self._means, *self._squares, *self._steps]

    def state_of(self, place: int) -> list[Tensor]:
        """The state that belongs to one of the tensors."""
        return [self._means[place], self._squares[place], self._steps[place]]

    def step(self, gradients: list[Tensor], lr: float | Tensor) -> None:
        """Update the tensors in place; an lr on the device is read when the update runs."""
        self.function(
            self.tensors,
            gradients,
            self._means,
            self._squares,
            [],
            self._steps,
            fused=True,
            amsgrad=False,
            beta1=self.beta_1,
            beta2=0.999,
            lr=lr,
            weight_decay=self.weight_decay,
            eps=1e-8,
            maximize=False,
        )


AdamW = partial(Adam, function=adamw)


def update_rule(optimizer: str) -> Callable[[TrialSpec, Sequence[Tensor], float], Update]:
    """What makes the update of a group of tensors from the spec, the tensors and their weight decay."""
    return resolved(UPDATES[optimizer].rule)
