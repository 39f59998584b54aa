"""The learning rate of a step: a pure function of the spec, the step and the number of steps."""

from __future__ import annotations

from bench.trial.schedules import SCHEDULES
from bench.trial.spec import TrialSpec


def learning_rate(spec: TrialSpec, step: int, steps: int) -> float:
    """The learning rate of `step` in 0 … steps - 1.

    Warm-up: lr · (step + 1) / W over the first W steps; then lr times the factor of the schedule.
    """
    warmup = round(spec.warmup_epochs * steps / spec.epochs)
    if step < warmup:
        return spec.lr * (step + 1) / warmup
    return spec.lr * SCHEDULES[spec.schedule].factor(spec, step, steps, warmup)
