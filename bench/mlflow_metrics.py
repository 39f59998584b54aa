"""The names of a trial's figures in MLflow: their group first, as `accuracy/test_accuracy`, so that its pages have a
section for each group. Earlier versions wrote no group: what they stored is read alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.metrics import METRICS, names_of

CONSTANTS = names_of(lambda row: row.group == "constant")  # parameters in MLflow; of earlier versions metrics
STORED = {name: f"{row.group}/{name}" for name, row in METRICS.items() if name not in CONSTANTS}

NAMES = {stored: name for name, stored in STORED.items()}


def stored_name(name: str) -> str:
    """The name of a metric in MLflow; of one that is no trial's, the same.

    >>> stored_name("test_accuracy"), stored_name("train_loss"), stored_name("done")
    ('accuracy/test_accuracy', 'curve/train_loss', 'done')
    """
    return STORED.get(name, name)


def stored_figures(metrics: Mapping[str, Any], parameters: Mapping[str, str]) -> dict[str, Any]:
    """Name -> value of the figures of a run, whatever version wrote it; a constant may still be text.

    >>> stored_figures({"accuracy/test_accuracy": 0.9, "train_loss": 0.5, "layers": 3.0}, {"classes": "10"})
    {'classes': '10', 'train_loss': 0.5, 'layers': 3.0, 'test_accuracy': 0.9}
    """
    constants = {name: parameters[name] for name in CONSTANTS if name in parameters}
    former: dict[str, Any] = {}
    if not METRICS.keys().isdisjoint(metrics):  # of a run of today's version none
        former = {name: value for name, value in metrics.items() if name in METRICS}
    return {**constants, **former, **{NAMES[name]: value for name, value in metrics.items() if name in NAMES}}
