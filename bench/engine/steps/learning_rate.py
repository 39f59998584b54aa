"""The learning rate of a step: a pure function of the spec, the step and the number of steps."""

from __future__ import annotations

from fractions import Fraction
from math import cos, pi

from bench.trial.spec import TrialSpec


def learning_rate(spec: TrialSpec, step: int, steps: int) -> float:
    """The learning rate of `step` in 0 … steps - 1.

    Warm-up: lr · (step + 1) / W over the first W steps. Then, with p the fraction of the remaining steps done:
    cosine: lr · (1 + cos(πp)) / 2; constant: lr; step: lr · gamma per milestone passed (milestones are fractions of the
    whole training, warm-up included).
    """
    warmup = round(spec.warmup_epochs * steps / spec.epochs)
    if step < warmup:
        return spec.lr * (step + 1) / warmup
    if spec.schedule == "cosine":
        return spec.lr * (1 + cos(pi * (step - warmup) / (steps - warmup))) / 2
    if spec.schedule == "step":
        return spec.lr * spec.gamma ** sum(step >= Fraction(str(m)) * steps for m in spec.milestones)
    return spec.lr
