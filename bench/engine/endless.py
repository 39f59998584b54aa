"""The engine's training of a prepared trial, for ever: what a stopwatch is held to."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from bench.datasets import augment
from bench.engine.setup.prepare import Trial
from bench.engine.steps.live_optimizer import LiveOptimizer
from bench.engine.steps.network import network_of
from bench.trial.spec import TrialSpec


def endless_steps(spec: TrialSpec, trial: Trial) -> Iterator[int]:
    """Train a prepared trial for ever as the engine does, at a constant rate; yields the images of each step."""
    network = network_of(spec, trial)
    optimizer = LiveOptimizer(trial.model, trial.masks, spec, network.values)
    one = torch.ones((), dtype=trial.probe[0].dtype, device=trial.train_indices.device)
    for permutation, moves in endless_epochs(spec, trial):
        for loss, images in network.losses(permutation, spec.batch_size, moves):
            loss.backward(one)  # type: ignore[no-untyped-call]
            optimizer.step(spec.lr)
            yield images


def endless_epochs(spec: TrialSpec, trial: Trial) -> Iterator[tuple[Tensor, Tensor | None]]:
    """The permutation and the moves of one epoch after another."""
    random, draws = torch.Generator().manual_seed(0), np.random.RandomState(0)
    count, device = len(trial.train_indices), trial.train_indices.device
    while True:
        moves = augment.draw(count, draws).to(device) if spec.augmentation != "none" else None
        yield torch.randperm(count, generator=random).to(device), moves
