"""The trials of a measured report, read from its CSV file, for the pictures: MNIST on LeNet-5-Caffe, six seeds."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path
from typing import Any

import pandas as pd

from bench import names
from bench.methods import METHODS
from bench.results.frame.collect import DENSE, spec_columns, tidy

FILE = Path(__file__).parents[2] / "results" / "reports" / "mnist-study-lenet-5-caffe.csv"
PROTOCOL = {
    "dataset": "mnist", "model": "lenet-5-caffe", "epochs": 5, "batch_size": 100, "optimizer": "sgd", "lr": 0.05,
    "momentum": 0.9, "nesterov": False, "weight_decay": 5e-4, "schedule": "cosine", "milestones": [],
    "warmup_epochs": 1.0, "initialiser": "xavier-normal", "validation_fraction": 0.1, "criterion_per_class": 10,
    "precision": "float32", "engine": 2,
}  # fmt: skip
WEIGHTS, PARAMETERS, LAYERS = 430_500, 431_080, 4


def store() -> pd.DataFrame:
    """The frame of a store with these trials."""
    with FILE.open(encoding="utf-8") as stream:
        return tidy([_row(trial) for trial in csv.DictReader(stream)])


def _row(trial: dict[str, str]) -> dict[str, Any]:
    method, seed = trial["method"], int(trial["seed"])
    spec = {**PROTOCOL, "method": METHODS[method].record(), "rate": trial["rate"], "seed": seed}
    group = {name: value for name, value in spec.items() if name != "seed"}
    figures = {
        name: float(trial[name])
        for name in (
            names.LIVE_WEIGHTS, names.STORED_PARAMETERS, names.COLLAPSED_LAYERS, names.STORED_BYTES,
            names.TEST_ACCURACY,
        )
    }  # fmt: skip
    whole = {names.TOTAL_PARAMETERS: PARAMETERS, names.MASKABLE_WEIGHTS: WEIGHTS, names.LAYERS: LAYERS}
    ratio = {names.COMPRESSION: PARAMETERS / figures[names.STORED_PARAMETERS]}
    cut = {names.DISCONNECTED: 0.0 if method == DENSE else float(trial["disconnected_weights"])}
    identity = {
        "run_id": _key(spec)[:8], "run_key": _key(spec), "group_key": _key(group), "experiment": "freeze-or-prune",
        "outcome": trial["outcome"], "reason": "", "sweeps": ("mnist",), "init_sha256": f"seed {seed}",
        "mask_sha256": "", "weights_sha256": "", "started": 0, "git_commit": "", "git_dirty": False,
    }  # fmt: skip
    return {**identity, **spec_columns(spec, method), **figures, **whole, **ratio, **cut}


def _key(spec: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(spec, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
