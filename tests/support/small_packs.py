"""Packs of small trials of mixed methods, rates and seeds, trained step by step."""

from __future__ import annotations

from typing import Any

import torch
from small_trials import images, spec
from torch import Tensor

from bench.datasets.images import ImageData
from bench.engine.setup.background import apply_background
from bench.engine.setup.prepare import Trial, prepare
from bench.engine.trainers import trainer_of
from bench.trial.optimizers import UPDATES
from bench.trial.spec import TrialSpec

DATA = images()
CELLS = (("dense", "0", 0), ("freeze", "0.9", 0), ("snip", "0.99", 1), ("random-prune", "0.5", 2))
SPARSE = (("freeze", "0.99", 0), ("snip", "0.99", 1), ("freeze", "0.995", 2))
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "momentum": {"lr": 0.02},
    "plain": {"lr": 0.02, "momentum": 0.0},
    "nesterov": {"lr": 0.02, "nesterov": True},
    **{name: {"optimizer": name, "lr": 0.001} for name in UPDATES if name != "sgd"},
}


def pack_of(pack_kind: str, cells: tuple[tuple[str, str, int], ...] = CELLS, **fields: Any) -> list[TrialSpec]:
    """Trials of mixed methods, rates and seeds."""
    return [spec(method, rate, seed=seed, pack=pack_kind, **fields) for method, rate, seed in cells]


def prepared(specs: list[TrialSpec], data: ImageData = DATA) -> list[Trial]:
    trials = [prepare(s, data, "cpu") for s in specs]
    for s, trial in zip(specs, trials, strict=True):
        apply_background(trial.model, trial.masks, s)
    return trials


def after(specs: list[TrialSpec], trials: list[Trial], steps: int) -> list[dict[str, Tensor]]:
    """The state of each trial's model after so many steps of 10 images, trained as the first spec's pack kind says."""
    alone = specs[0].pack == "single"
    groups = [[position] for position in range(len(specs))] if alone else [list(range(len(specs)))]
    for positions in groups:
        trainer = trainer_of(specs[positions[0]], [trials[position] for position in positions])
        random, left = torch.Generator().manual_seed(1), steps
        while left > 0:
            order = torch.randperm(360, generator=random)[: left * 10]
            trainer.epoch([order for _ in positions], [None for _ in positions], lambda step: specs[0].lr)
            left -= len(order) // 10
        trainer.write_back()
    return [{name: value.clone() for name, value in trial.model.state_dict().items()} for trial in trials]


def difference(states: list[dict[str, Tensor]], expected: list[dict[str, Tensor]]) -> float:
    """The largest difference of a value between two lists of states."""
    pairs = zip(states, expected, strict=True)
    return max(float((value - wanted[name]).abs().max()) for state, wanted in pairs for name, value in state.items())
