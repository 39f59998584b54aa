"""The engine's training of a prepared trial, for ever: what a stopwatch is held to."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle, islice

import numpy as np
import torch
from torch import Tensor

from bench.datasets import augment
from bench.engine.setup.prepare import Trial
from bench.engine.steps.fading import Fading
from bench.engine.steps.live_optimizer import LiveOptimizer
from bench.engine.steps.network import network_of
from bench.methods.fading import fades, scale_after
from bench.methods.maskable import maskable
from bench.trial.spec import TrialSpec


def endless_steps(spec: TrialSpec, trial: Trial) -> Iterator[int]:
    """Train a prepared trial for ever as the engine does, at a constant rate; yields the images of each step."""
    network = network_of(spec, trial)
    optimizer = LiveOptimizer(trial.model, trial.masks, spec, network.values)
    fading, scales = Fading(maskable(trial.model), trial.masks, trial.unscaled), _scales(spec)
    one = torch.ones((), dtype=trial.probe[0].dtype, device=trial.train_indices.device)
    for permutation, moves in endless_epochs(spec, trial):
        for loss, images in network.losses(permutation, spec.batch_size, moves):
            loss.backward(one)  # type: ignore[no-untyped-call]
            optimizer.step(spec.lr)
            for scale in islice(scales, 1):
                fading.hold(scale)
                network.hold(scale)
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
