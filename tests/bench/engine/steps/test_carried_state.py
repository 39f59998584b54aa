"""The optimizer's state of entries that a moment restarts."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from small_trials import spec
from torch import Tensor, nn

from bench.engine.steps.carried_state import carry_over, forget
from bench.engine.steps.live_optimizer import LiveOptimizer

FIELDS: dict[str, dict[str, Any]] = {
    "momentum": {},
    "adam": {"optimizer": "adam"},
    "start": {"decay_to": "start", "weight_decay": 0.5},
}
BEFORE = {"weight": torch.tensor([[True, True, False], [True, True, True]])}
NOW = {"weight": torch.tensor([[True, False, True], [True, True, True]])}
RESTARTED = {"weight": torch.tensor([[False, False, False], [True, False, True]]), "bias": torch.tensor([True, False])}


def stepped(name: str) -> tuple[nn.Linear, LiveOptimizer, Any]:
    model = nn.Linear(3, 2)
    s = spec(**FIELDS[name])
    optimizer = LiveOptimizer(model, BEFORE, s)
    for _ in range(2):
        model(torch.tensor([[1.0, 2.0, 4.0]])).square().sum().backward()
        optimizer.step(0.01)
    return model, optimizer, s


@pytest.mark.parametrize("name", FIELDS)
def test_restarted_entries_have_no_state_and_the_others_keep_theirs(name: str) -> None:
    model, optimizer, s = stepped(name)
    state, rule = (
        {n: [t.clone() for t in of] for n, of in get().items()} for get in (optimizer.state, optimizer.rule_state)
    )
    after = LiveOptimizer(model, NOW, s)
    carry_over(after, state, BEFORE, NOW)
    forget(after, RESTARTED, NOW)
    for moment, old in zip(after.rule_state()["weight"], rule["weight"], strict=True):
        if moment.ndim:  # live were 0 1 3 4 5, and now are 0 2 3 4 5
            assert moment.tolist() == [old[0].item(), 0.0, 0.0, old[3].item(), 0.0]
        else:
            assert moment == old == 2  # Adam's number of steps
    for moment, old in zip(after.rule_state()["bias"], rule["bias"], strict=True):
        assert not moment.ndim or moment.tolist() == [0.0, old[1].item()]


def test_restarted_entries_still_decay_towards_their_start() -> None:
    model, optimizer, s = stepped("start")
    starts: list[Tensor] = optimizer.state()["weight"][:2]
    after = LiveOptimizer(model, NOW, s)
    carry_over(after, optimizer.state(), BEFORE, NOW)
    forget(after, RESTARTED, NOW)
    for mine, old in zip(after.state()["weight"][:2], starts, strict=True):
        assert torch.equal(mine[2:], old[2:]) and mine[0] == old[0]


def test_values_given_at_a_moment_are_not_undone_by_the_displacement() -> None:
    model, optimizer, s = stepped("start")
    with torch.no_grad():
        model.weight.fill_(7.0)
    after = LiveOptimizer(model, BEFORE, s)
    carry_over(after, optimizer.state(), BEFORE, BEFORE)
    after.take_in()
    start, displacement = after.state()["weight"][:2]
    assert torch.equal(start + displacement, torch.full((5,), 7.0)) and not torch.equal(start, start + displacement)
    model(torch.zeros(1, 3)).sum().backward()
    after.step(0.0)
    assert torch.equal(model.weight[BEFORE["weight"]], start + displacement)
