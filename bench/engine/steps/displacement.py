"""Weight decay towards the start: an update rule that works on w - w_start, and so shrinks that (L2-SP)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from bench.engine.steps.updates import Update, update_rule
from bench.trial.spec import TrialSpec


class Displacement:
    """The rule of the spec on the displacements d of some tensors; after every step each holds w_start + d.

    A rule whose row says `displaceable` reads a weight only to decay it, so with d in its place the decay is towards
    w_start and all else the same (Li et al., ICML 2018, arXiv:1802.01483).
    """

    def __init__(self, spec: TrialSpec, tensors: Sequence[Tensor], weight_decay: float) -> None:
        """Takes the tensors at their start."""
        self.tensors = list(tensors)
        self._start = [t.detach().clone() for t in tensors]
        self._displacement = [torch.zeros_like(t, requires_grad=False) for t in tensors]
        self.rule: Update = update_rule(spec.optimizer)(spec, self._displacement, weight_decay)

    @property
    def state(self) -> list[Tensor]:
        """All of it."""
        return [*self.rule.state, *self._start, *self._displacement]

    def state_of(self, index: int) -> list[Tensor]:
        """The state that belongs to one of the tensors: start and displacement, then that of the rule."""
        return [self._start[index], self._displacement[index], *self.rule.state_of(index)]

    def restore(self, index: int, before: Sequence[Tensor]) -> None:
        """Go on with what `state_of` gave, in a trial that was stopped."""
        start, displacement, *of_rule = before
        self._start[index].copy_(start)
        self._displacement[index].copy_(displacement)
        restore(self.rule, index, of_rule)

    def step(self, gradients: list[Tensor], lr: float | Tensor) -> None:
        """Update the tensors in place; an lr on the device is read when the update runs."""
        self.rule.step(gradients, lr)
        for tensor, start, displacement in zip(self.tensors, self._start, self._displacement, strict=True):
            torch.add(start, displacement, out=tensor.detach())

    def take_in(self) -> None:
        """Go on from the present values of the tensors; one that no other code changed keeps its displacement."""
        for tensor, start, displacement in zip(self.tensors, self._start, self._displacement, strict=True):
            value = tensor.detach()
            displacement.copy_(torch.where(value == start + displacement, displacement, value - start))


def restore(update: Update, index: int, before: Sequence[Tensor]) -> None:
    """Have an update rule go on with the state that one of its tensors had."""
    if (by_rule := getattr(update, "restore", None)) is not None:  # of a rule whose state is made at its first step
        by_rule(index, before)
        return
    for tensor, value in zip(update.state_of(index), before, strict=True):
        tensor.copy_(value)
