"""Some steps of a trial by hand, and how far two networks are apart."""

from __future__ import annotations

import torch
from torch import Tensor

from bench.engine.setup.background import apply_background
from bench.engine.setup.prepare import Trial
from bench.engine.steps.live_optimizer import LiveOptimizer
from bench.engine.steps.network import network_of
from bench.trial.spec import TrialSpec


def steps(trial: Trial, s: TrialSpec, n: int, batch: int = 10) -> dict[str, Tensor]:
    """The state of the trial's model after n steps."""
    apply_background(trial.model, trial.masks, s)
    network = network_of(s, trial)
    optimizer = LiveOptimizer(trial.model, trial.masks, s, network.values)
    random = torch.Generator().manual_seed(1)
    while n > 0:
        order = torch.randperm(len(trial.train_indices), generator=random)[: n * batch]
        for loss, _ in network.losses(order, batch, None):
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step(s.lr)
            n -= 1
    network.write_back()
    return {name: value.clone() for name, value in trial.model.state_dict().items()}


def difference(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    return max(float((one[name] - other[name]).abs().max()) for name in one)
