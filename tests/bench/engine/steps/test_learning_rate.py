"""Schedules at hand-computed steps."""

from __future__ import annotations

import pytest
from small_trials import spec

from bench.engine.steps.learning_rate import learning_rate


def rates(steps: int, **fields: object) -> list[float]:
    s = spec(lr=1.0, **fields)
    return [learning_rate(s, i, steps) for i in range(steps)]


def test_cosine() -> None:
    assert rates(4) == pytest.approx([1, (1 + 2**-0.5) / 2, 0.5, (1 - 2**-0.5) / 2])


def test_constant() -> None:
    assert rates(3, schedule="constant") == [1, 1, 1]


def test_step() -> None:
    got = rates(8, schedule="step", milestones=(0.5, 0.75))
    assert got == pytest.approx([1, 1, 1, 1, 0.1, 0.1, 0.01, 0.01])
    assert rates(4, schedule="step", milestones=(0.5,), gamma=0.5) == [1, 1, 0.5, 0.5]


def test_warmup_is_linear_then_the_schedule_starts() -> None:
    got = rates(8, epochs=4, warmup_epochs=1)  # two steps of warm-up, cosine over the other six
    assert got[:3] == pytest.approx([0.5, 1, 1])
    assert got[5] == pytest.approx(0.5)
