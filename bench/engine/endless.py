"""The engine's training of a prepared trial, for ever: what a stopwatch is held to."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle, islice

import numpy as np
import torch
from torch import Tensor

from bench.datasets import augment
from bench.engine.setup.prepare import Trial
from bench.engine.trainers import Alone
from bench.methods.fading import fades, scale_after
from bench.trial.spec import TrialSpec


def endless_steps(spec: TrialSpec, trial: Trial) -> Iterator[int]:
    """Train a prepared trial for ever as the engine does, at a constant rate; yields the images of each step."""
    alone, scales = Alone(spec, trial), _scales(spec)
    for permutation, moves in endless_epochs(spec, trial):
        for _, images in alone.steps(permutation, moves, lambda step: spec.lr):
            for scale in islice(scales, 1):
                alone.hold(scale)
            yield images


def _scales(spec: TrialSpec) -> Iterator[float]:
    """A scale for each step of a background that fades, on its way again and again; nothing of any other."""
    if fades(spec.method):
        yield from cycle(scale_after(spec.method, done, 100) for done in range(1, 101))


def endless_epochs(spec: TrialSpec, trial: Trial) -> Iterator[tuple[Tensor, Tensor | None]]:
    """The permutation and the moves of one epoch after another."""
    random, draws = torch.Generator().manual_seed(0), np.random.RandomState(0)
    count, device = len(trial.train_indices), trial.train_indices.device
    while True:
        moves = augment.draw(count, draws).to(device) if spec.augmentation != "none" else None
        yield torch.randperm(count, generator=random).to(device), moves
