"""Weight decay towards the start."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from small_trials import images, spec
from stepping import difference, steps
from torch import Tensor

from bench import names
from bench.engine.setup.prepare import prepare
from bench.engine.steps.displacement import Displacement
from bench.engine.steps.updates import update_rule
from bench.engine.train import train

LR, DECAY = 0.1, 0.25
RULES: dict[str, dict[str, Any]] = {
    "sgd": {"momentum": 0.0}, "momentum": {}, "nesterov": {"nesterov": True}, "adam": {"optimizer": "adam"},
    "adamw": {"optimizer": "adamw"},
}  # fmt: skip


def gradients(step: int, count: int) -> list[Tensor]:
    random = torch.Generator().manual_seed(step)
    return [torch.randn(count, generator=random, dtype=torch.float64)]


@pytest.mark.parametrize("name", RULES)
def test_it_is_the_rule_with_the_decay_pulled_towards_the_start(name: str) -> None:
    """Against the same rule without decay, to which the pull is added as its definition says."""
    fields = {"precision": "float64", "lr": LR, "weight_decay": DECAY, **RULES[name]}
    s = spec(decay_to="start", **fields)
    start = torch.linspace(-2, 2, 7, dtype=torch.float64)
    ours, by_hand = start.clone(), start.clone()
    rule = Displacement(s, [ours], DECAY)
    plain = update_rule(s.optimizer)(s, [by_hand], 0.0)
    for step in range(6):
        rule.step(gradients(step, 7), LR)
        pull, (gradient,) = DECAY * (by_hand - start), gradients(step, 7)
        if name == "adamw":  # decoupled: before the update, not through its moments
            by_hand -= LR * pull
            plain.step([gradient], LR)
        else:
            plain.step([gradient + pull], LR)
    assert float((ours - by_hand).abs().max()) < 1e-12
    assert float((ours - start).abs().max()) > 0.1


def test_without_a_gradient_weights_stay_where_they_started() -> None:
    start = torch.linspace(-2, 2, 7)
    ours = start.clone()
    rule = Displacement(spec(decay_to="start"), [ours], DECAY)
    for _ in range(5):
        rule.step([torch.zeros(7)], LR)
    assert torch.equal(ours, start)


@pytest.mark.parametrize("step", ["dense", "sparse"])
def test_dense_and_sparse_steps_agree(step: str) -> None:
    s = spec("freeze", "0.95", decay_to="start", precision="float64", weight_decay=0.05)
    other = spec("freeze", "0.95", decay_to="start", precision="float64", weight_decay=0.05, step=step)
    one = steps(prepare(s, images(), "cpu"), s, 40)
    assert difference(one, steps(prepare(other, images(), "cpu"), other, 40)) < 1e-10


def test_values_that_other_code_gives_are_what_it_goes_on_from() -> None:
    """By hand, without momentum: d <- d - lr · (g + decay · d), from d = value - start."""
    start = torch.tensor([1.0, -2.0, 4.0], dtype=torch.float64)
    ours = start.clone()
    rule = Displacement(spec(decay_to="start", momentum=0.0, precision="float64"), [ours], 0.5)
    zero = [torch.zeros(3, dtype=torch.float64)]
    rule.step([torch.tensor([10.0, 0.0, 0.0], dtype=torch.float64)], 0.1)
    assert ours.tolist() == [0.0, -2.0, 4.0]
    ours.copy_(torch.tensor([0.0, -3.0, 0.0]))  # the second and the third
    rule.take_in()
    rule.step(zero, 0.1)
    assert ours.tolist() == pytest.approx([1 - 0.95, -2 - 0.95, 4 - 3.8], abs=1e-15)


def test_what_no_other_code_changed_keeps_its_displacement_bit_for_bit() -> None:
    start = torch.tensor([1e8, 3.0])
    ours = start.clone()
    rule = Displacement(spec(decay_to="start", momentum=0.0), [ours], 1e-9)
    rule.step([torch.tensor([-1.0, 1e-6])], 0.1)  # too little to be seen beside the start
    before = [tensor.clone() for tensor in rule.state_of(0)]
    assert bool((ours == start).all()) and bool((before[1] != 0).all())
    rule.take_in()
    assert all(torch.equal(*pair) for pair in zip(before, rule.state_of(0), strict=True))


def test_it_holds_more_of_the_initial_weights_than_decay_to_zero() -> None:
    distances = []
    for decay_to in ("zero", "start"):
        s = spec("freeze", "0.5", decay_to=decay_to, weight_decay=0.5, lr=0.05, epochs=2)
        trial = prepare(s, images(), "cpu")
        before = {name: w.detach().clone() for name, w in trial.model.named_parameters()}
        distances.append(difference(before, steps(trial, s, 60)))
        (result,) = train([s], images(), "cpu")
        assert result.outcome == names.DONE, result.reason
    assert distances[1] < distances[0]
