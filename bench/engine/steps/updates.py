"""The update rules: torch's fused optimizers in their functional form.

`torch.optim.Optimizer.step` looks its state up, tensor by tensor and through hooks, at every step: on a small network
that takes longer than the update. The functions below are the ones it ends in, so the numbers are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.optim.adam import adam
from torch.optim.adamw import adamw
from torch.optim.sgd import sgd

from bench.references import resolved
from bench.trial.optimizers import UPDATES, is_torch_optimizer
from bench.trial.spec import TrialSpec


class Update(Protocol):
    """The update rule of one group of tensors, with its state."""

    @property
    def state(self) -> list[Tensor]:
        """All of it."""

    def state_of(self, index: int) -> list[Tensor]:
        """The state that belongs to one of the tensors."""

    def step(self, gradients: list[Tensor], lr: float | Tensor) -> None:
        """Update the tensors in place; an lr on the device is read when the update runs."""


class Sgd:
    """SGD with momentum, Nesterov's where the spec says so, and weight decay, on one group of tensors."""

    def __init__(self, spec: TrialSpec, tensors: Sequence[Tensor], weight_decay: float) -> None:
        self.tensors, self.weight_decay, self.spec = list(tensors), weight_decay, spec
        self.state = [torch.zeros_like(t, requires_grad=False) for t in tensors] if spec.momentum else []
        self._momenta: list[Tensor | None] = [*self.state] if spec.momentum else [None for _ in tensors]

    def state_of(self, index: int) -> list[Tensor]:
        """The state that belongs to one of the tensors."""
        return self.state[index : index + 1]

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

    def state_of(self, index: int) -> list[Tensor]:
        """The state that belongs to one of the tensors."""
        return [self._means[index], self._squares[index], self._steps[index]]

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


class OfTorch:
    """The rule of a class of torch.optim, or one made like these, on one group of tensors."""

    def __init__(
        self,
        spec: TrialSpec,
        tensors: Sequence[Tensor],
        weight_decay: float,
        *,
        optimizer: Callable[..., torch.optim.Optimizer],
    ) -> None:
        self.tensors = list(tensors)
        self._new = partial(optimizer, lr=spec.lr, weight_decay=weight_decay)
        self._optimizer = self._new(self.tensors) if self.tensors else None  # torch takes no empty list

    @property
    def state(self) -> list[Tensor]:
        """All of it."""
        return [tensor for index in range(len(self.tensors)) for tensor in self.state_of(index)]

    def state_of(self, index: int) -> list[Tensor]:
        """The state that belongs to one of the tensors: numbers too, in the order of their names."""
        return [torch.as_tensor(value) for value in self._present(self._optimizer, self.tensors[index]).values()]

    def restore(self, index: int, before: Sequence[Tensor]) -> None:
        """Go on with what `state_of` gave, in a trial that was stopped."""
        assert self._optimizer is not None
        sample = self.tensors[index].detach().clone()
        again = self._new([sample])
        sample.grad = torch.zeros_like(sample)
        again.step()  # torch makes the state at the first step: so its names are known
        values = zip(self._present(again, sample).items(), before, strict=True)
        state = {name: v.clone() if isinstance(like, Tensor) else type(like)(v.item()) for (name, like), v in values}
        self._optimizer.state[self.tensors[index]] = {**again.state[sample], **state}

    def _present(self, optimizer: torch.optim.Optimizer | None, tensor: Tensor) -> dict[str, Any]:
        state = optimizer.state.get(tensor, {}) if optimizer else {}
        return {name: state[name] for name in sorted(state) if state[name] is not None}

    def step(self, gradients: list[Tensor], lr: float | Tensor) -> None:
        """Update the tensors in place."""
        if self._optimizer is None:
            return
        for group in self._optimizer.param_groups:
            group["lr"] = lr
        for tensor, gradient in zip(self.tensors, gradients, strict=True):
            tensor.grad = gradient
        self._optimizer.step()
        for tensor in self.tensors:
            tensor.grad = None


def update_rule(optimizer: str) -> Callable[[TrialSpec, Sequence[Tensor], float], Update]:
    """What makes the update of a group of tensors from the spec, the tensors and their weight decay."""
    rule: Any = resolved(UPDATES[optimizer].rule)
    if is_torch_optimizer(rule):
        return partial(OfTorch, optimizer=rule)
    update: Callable[[TrialSpec, Sequence[Tensor], float], Update] = rule
    return update
