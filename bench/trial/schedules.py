"""Learning-rate schedules: everything that is said of one, in one row. No torch.

To add one: a function and a row here; if it has fields that no other has, a row each in `bench.trial.protocol`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import cos, pi
from typing import Any

Fields = Any  # a `bench.trial.protocol.Protocol`, which reads this table and so is not imported here
# (fields, step, steps, warmup) -> what the learning rate is multiplied by at `step` in warmup … steps - 1.
Factor = Callable[[Fields, int, int, int], float]


@dataclass(frozen=True, kw_only=True)
class ScheduleRow:
    """One schedule."""

    words: str  # its name in a text
    factor: Factor
    fields: tuple[str, ...] = ()  # of the protocol, that only the schedules naming them here have


def cosine(fields: Fields, step: int, steps: int, warmup: int) -> float:
    """(1 + cos(πp)) / 2, with p the fraction of the steps after the warm-up that is done: towards 0."""
    return (1 + cos(pi * (step - warmup) / (steps - warmup))) / 2


def constant(fields: Fields, step: int, steps: int, warmup: int) -> float:
    """1 at every step."""
    return 1.0


def at_milestones(fields: Fields, step: int, steps: int, warmup: int) -> float:
    """gamma to the power of the milestones passed: fractions of the whole training, warm-up included."""
    passed = sum(step >= Fraction(str(m)) * steps for m in fields.milestones)
    return float(fields.gamma**passed)


SCHEDULES: dict[str, ScheduleRow] = {
    "cosine": ScheduleRow(words="cosine schedule", factor=cosine),
    "step": ScheduleRow(words="step schedule", factor=at_milestones, fields=("milestones", "gamma")),
    "constant": ScheduleRow(words="constant schedule", factor=constant),
}

OWN_FIELDS = {field for row in SCHEDULES.values() for field in row.fields}  # of the protocol, not of every schedule


def default_warmup(epochs: int) -> float:
    """The epochs of warm-up if none are given: one, or a tenth of a training of fewer than ten.

    >>> default_warmup(30), default_warmup(3)
    (1.0, 0.3)
    """
    return 1.0 if epochs >= 10 else epochs / 10


def schedule_words(name: str) -> str:
    """Its name in a text; a name of another version too."""
    return SCHEDULES[name].words if name in SCHEDULES else f"{name} schedule"


def schedules_with(field: str) -> list[str]:
    """The schedules that have a field which not every schedule has; empty if all have it.

    >>> schedules_with("gamma"), schedules_with("lr")
    (['step'], [])
    """
    return [name for name, row in SCHEDULES.items() if field in row.fields]
