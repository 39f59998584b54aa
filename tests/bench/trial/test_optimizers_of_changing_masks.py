"""Masks that change need an optimizer whose state is by weight, and there before its first step."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest
import torch
from small_trials import images, spec
from torch import Tensor

from bench import names
from bench.engine.train import train
from bench.trial.optimizers import UPDATES, OptimizerRow


class Lazy:
    """A rule that makes its state at its first step."""

    def __init__(self, spec: Any, tensors: Sequence[Tensor], weight_decay: float) -> None:
        self.tensors, self.state = list(tensors), list[Tensor]()

    def state_of(self, index: int) -> list[Tensor]:
        return self.state[index : index + 1]

    def step(self, gradients: list[Tensor], lr: float) -> None:
        self.state = [g.clone() for g in gradients]


class Restored(Lazy):
    """One that says so."""

    def restore(self, index: int, before: Sequence[Tensor]) -> None:
        self.state[index : index + 1] = before


@pytest.mark.parametrize(
    "rule", [torch.optim.RMSprop, partial(torch.optim.Adagrad, eps=1e-9), "torch.optim:RMSprop", Restored]
)
def test_state_made_at_the_first_step_is_refused_at_the_check(rule: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(UPDATES, "mine", OptimizerRow(words="Mine", rule=rule, lr=1e-3, batched=True))
    spec("freeze", epochs=3, optimizer="mine", lr=1e-3)
    with pytest.raises(ValueError) as error:
        spec("rigl", epochs=3, optimizer="mine", lr=1e-3)
    assert str(error.value) == (
        "optimizer mine with method SparseTraining: must be sgd or adam or adamw, whose state is by weight; its masks "
        "change while training"
    )


def test_one_that_does_not_say_so_fails_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(UPDATES, "mine", OptimizerRow(words="Mine", rule=Lazy, lr=1e-3, batched=True))
    (result,) = train([spec("rigl", epochs=3, optimizer="mine", lr=1e-3)], images(), "cpu")
    assert result.outcome == names.FAILED
    assert "the optimizer has 0 tensors of state before its first step, 1 after it: must be as many" in result.reason
