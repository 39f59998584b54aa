"""Figures over the epochs, of chosen runs. With `collect` the only file of `results` that imports mlflow."""

from __future__ import annotations

import os
from collections.abc import Iterable
from math import isfinite

import pandas as pd

COLUMNS = ("run_id", "epoch", "value")


def histories(tracking_uri: str, run_ids: Iterable[str], metric: str) -> pd.DataFrame:
    """Every point of one metric of the runs: columns `run_id`, `epoch` (0 = before training) and `value`, finite.

    One row per run and epoch, in the order of `run_ids` and then of the epochs; an epoch that was written twice has
    the value written last.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri)
    rows = []
    for run in run_ids:
        points = sorted(client.get_metric_history(run, metric), key=lambda point: (point.step, point.timestamp))
        by_epoch = {int(point.step): float(point.value) for point in points}
        rows += [(run, epoch, value) for epoch, value in by_epoch.items() if isfinite(value)]
    frame = pd.DataFrame(rows, columns=pd.Index(COLUMNS))
    return frame.astype({"run_id": "object", "epoch": "int64", "value": "float64"})
