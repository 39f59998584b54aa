"""Hand-made trials that start from a base, beside those from scratch, and the bases themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trial_frames import trial

from bench.results.frame.collect import DENSE

BASE = {
    "dataset": "mnist", "data_hash": "a1" * 32, "seed": "own", "epochs": 30, "lr": 0.1, "head": "redrawn",
    "norm": "kept",
}  # fmt: skip
GIVEN = {"weights": "f1" * 32, "head": "redrawn", "norm": "kept"}
NEEDS = ("main-needs",)
Losses = Mapping[str, float | Sequence[float]]  # rate -> what is lost against dense, alike or at each seed


def base(seed: int, accuracy: float = 0.97, **more: Any) -> dict[str, Any]:
    """The dense trial that trained a base."""
    return trial(DENSE, "0", seed, accuracy, **{"dataset": "mnist", "sweeps": NEEDS, **more})


def dense(start: Mapping[str, Any] | None, seeds: int = 4, accuracy: float = 0.9) -> list[dict[str, Any]]:
    return [_trial(DENSE, "0", seed, accuracy + 0.01 * seed, start) for seed in range(seeds)]


def curve(method: str, start: Mapping[str, Any] | None, losses: Losses, seeds: int = 4) -> list[dict[str, Any]]:
    """A method's trials, whose dense ones are those of `dense`."""
    return [
        _trial(method, rate, seed, 0.9 + 0.01 * seed - (loss if isinstance(loss, float) else loss[seed]), start)
        for rate, loss in losses.items()
        for seed in range(seeds)
    ]


def _trial(method: str, rate: str, seed: int, accuracy: float, start: Mapping[str, Any] | None) -> dict[str, Any]:
    if start is None:
        return trial(method, rate, seed, accuracy)
    key = start.get("weights") or base(seed if start["seed"] == "own" else start["seed"])["run_key"]
    return {**trial(method, rate, seed, accuracy, start=dict(start)), "base_key": key}
