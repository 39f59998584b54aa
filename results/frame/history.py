"""Figures over the epochs, of chosen runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isfinite

import pandas as pd

from bench.messages import say_left_out
from bench.mlflow_metrics import stored_name
from bench.results.frame.collect import UNREADABLE
from bench.results.frame.stored_spec import is_number
from bench.stored_runs.query import Point
from bench.stored_runs.reading import read_curves

COLUMNS = ("run_id", "epoch", "value")


def histories(tracking_uri: str, run_ids: Iterable[str], metric: str) -> pd.DataFrame:
    """Every point of one metric of the runs: columns `run_id`, `epoch` (0 = before training) and `value`, finite.

    One row per run and epoch, in the order of `run_ids` and then of the epochs; an epoch that was written twice has
    the value written last. A run with a damaged point is left out, named on stderr, and stands in the frame's attribute
    UNREADABLE.
    """
    runs = list(run_ids)
    curves = read_curves(tracking_uri, runs, (stored_name(metric), metric))  # the latter of earlier versions
    rows, unreadable = [], []
    for run in runs:
        try:
            by_epoch = _by_epoch(curves[run])
        except ValueError as error:
            unreadable.append((run, f"its {metric} over the epochs: {error}"))
            continue
        rows += [(run, epoch, value) for epoch, value in by_epoch.items() if isfinite(value)]
    say_left_out("curve", unreadable)
    frame = pd.DataFrame(rows, columns=pd.Index(COLUMNS))
    frame = frame.astype({"run_id": "object", "epoch": "int64", "value": "float64"})
    frame.attrs[UNREADABLE] = unreadable
    return frame


def _by_epoch(points: Sequence[Point]) -> dict[int, float]:
    """Raises ValueError if one is no number: a database takes anything."""
    for point in points:
        for number in (point.step, point.timestamp, point.value):
            if not is_number(number):
                raise ValueError(f"{number!r} is no number")
    in_order = sorted(points, key=lambda point: (point.step, point.timestamp))
    return {int(point.step): float(point.value) for point in in_order}
