"""Hand-made trials for the tests of `results`: specs as the store holds them, without training anything."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pandas as pd

from bench import names
from bench.results.frame.collect import DENSE, spec_columns, tidy

WEIGHTS, OTHERS = 10_000, 100  # maskable weights, biases of the imagined network
PROTOCOL = {
    "data_hash": "d1" * 32, "epochs": 30, "batch_size": 100, "optimizer": "sgd", "lr": 0.1, "momentum": 0.9,
    "nesterov": False, "weight_decay": 5e-4, "schedule": "cosine", "milestones": [], "warmup_epochs": 0.0,
    "validation_fraction": 0.1, "precision": "float32", "engine": 1,
}  # fmt: skip
METHODS = {
    "dense": {"criterion": "none", "scope": "global", "background": "prune", "select": "one-shot"},
    "freeze": {"criterion": "snip", "scope": "global", "background": "freeze", "select": "one-shot"},
    "snip": {"criterion": "snip", "scope": "global", "background": "prune", "select": "one-shot"},
    "grasp": {"criterion": "grasp", "scope": "global", "background": "prune", "select": "one-shot"},
}


def spec_of(method: str, rate: str, seed: int, record: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    named = {"dataset": "digits", "model": "lenet-5-caffe", **PROTOCOL, **fields}
    return {**named, "method": record or METHODS[method], "rate": rate, "seed": seed}


def key(spec: dict[str, Any]) -> str:
    return hashlib.sha256(spec_json(spec).encode()).hexdigest()


def group_key(spec: dict[str, Any]) -> str:
    return key({name: value for name, value in spec.items() if name != "seed"})


def spec_json(spec: dict[str, Any]) -> str:
    return json.dumps(spec, sort_keys=True, separators=(",", ":"))


def figures(rate: str, background: str, accuracy: float | None, collapsed: int = 0) -> dict[str, float]:
    live = round((1 - float(rate)) * WEIGHTS)
    known = {
        names.TOTAL_PARAMETERS: WEIGHTS + OTHERS,
        names.MASKABLE_WEIGHTS: WEIGHTS,
        names.LIVE_WEIGHTS: live,
        names.STORED_PARAMETERS: live + OTHERS,
        names.COMPRESSION: (WEIGHTS + OTHERS) / (live + OTHERS),
        names.LAYERS: 4,
        names.COLLAPSED_LAYERS: collapsed,
        names.DISCONNECTED: live if collapsed else live // 20 if rate == "0.99" else 0,
        names.FORWARD_MACS: 50_000 if background == "freeze" else 5 * live,
        names.BACKWARD_MACS: 100_000 if background == "freeze" else 10 * live,
    }
    stored = {
        names.STORED_BYTES: 4 * (live + OTHERS) + 900,
        names.MASK_BYTES: 100,
        names.VALUE_BYTES: 4 * (live + OTHERS),
        names.COMPRESSION_BYTES: 4 * (WEIGHTS + OTHERS) / (4 * (live + OTHERS) + 900),
    }
    return known if accuracy is None else {**known, **stored, names.TEST_ACCURACY: accuracy}


def trial(
    method: str,
    rate: str,
    seed: int,
    accuracy: float | None,
    *,
    outcome: str = names.DONE,
    reason: str = "",
    collapsed: int = 0,
    sweeps: tuple[str, ...] = ("main",),
    record: dict[str, Any] | None = None,
    **fields: Any,
) -> dict[str, Any]:
    """One row, as `bench.results.frame.collect` makes it; a diverged or failed trial has no accuracy."""
    spec = spec_of(method, rate, seed, record, **fields)
    identity = {
        "run_id": key(spec)[:8], "run_key": key(spec), "group_key": group_key(spec), "experiment": "freeze-or-prune",
        "outcome": outcome, "reason": reason, "sweeps": sweeps, "init_sha256": f"init-{seed}", "mask_sha256": "",
        "weights_sha256": "", "started": 0, "git_commit": "",
        "git_dirty": False,
    }  # fmt: skip
    metrics = figures(rate, DENSE if method == DENSE else spec["method"]["background"], accuracy, collapsed)
    return {**identity, **spec_columns(spec, method), **metrics}


def frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    return tidy(rows)


def small() -> list[dict[str, Any]]:
    """Every kind of entry: significant, equivalent, open, collapsed, diverged, failed, missing, dense."""
    rows = [trial("dense", "0", seed, 0.99 + 0.001 * seed) for seed in range(5)]
    noise = (0.000, 0.002, -0.001, 0.001, 0.003)
    for seed, e in enumerate(noise):
        rows += [trial("snip", "0.9", seed, 0.95 + e), trial("freeze", "0.9", seed, 0.97 + e / 2)]
        rows.append(trial("snip", "0.99", seed, 0.90 + e, collapsed=int(seed < 2)))
        rows.append(trial("freeze", "0.99", seed, 0.9001 + e + 1e-4 * seed, collapsed=int(seed < 2)))
    rows += [trial("grasp", "0.9", seed, 0.94 + 0.004 * seed) for seed in range(4)]
    rows += [trial("grasp", "0.99", seed, 0.80 + 0.01 * seed) for seed in (0, 1, 2)]
    rows.append(trial("grasp", "0.99", 3, None, outcome=names.DIVERGED, reason="loss is nan at epoch 2"))
    rows.append(trial("grasp", "0.99", 4, None, outcome=names.FAILED, reason="RuntimeError: out | of <memory>"))
    return rows
