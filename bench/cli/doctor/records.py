"""Trials that disagree, cannot be read, or are of several engines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from bench.cli.doctor.finding import Finding
from bench.messages import counted

if TYPE_CHECKING:
    import pandas as pd

UNREADABLE = "unreadable"  # attribute of the frame of `bench.api.stored.frame`


def unreadable(frame: pd.DataFrame) -> Iterator[Finding]:
    """Runs whose record is damaged."""
    for run, reason in frame.attrs[UNREADABLE]:
        remedy = "no table shows it; delete the run in MLflow, and `run` trains it again"
        yield Finding(words=f"run {run}: {reason}", remedy=remedy)


def conflicts(frame: pd.DataFrame) -> Iterator[Finding]:
    """Trials of which several runs have different results, or whose figures are not those they were stored with, or
    whose accuracy is not the share of the test images that are right.
    """
    shown = frame.loc[frame["conflict"] != "", ["method", "rate", "seed", "conflict"]]
    for method, rate, seed, conflict in shown.itertuples(index=False):
        remedy = "the earliest run counts; delete the wrong one in MLflow"
        yield Finding(words=f"{method} {rate} seed {seed}: the store disagrees on {conflict}", remedy=remedy)


def engines(frame: pd.DataFrame) -> Iterator[Finding]:
    """Groups of trials that differ in the number of the engine alone."""
    if "spec.engine" not in frame:
        return
    cells = frame.assign(protocol=frame["protocol"].map(cache(_without_engine)))
    for (dataset, model, _), group in cells.groupby(["dataset", "model", "protocol"], sort=False):
        counts = group["spec.engine"].value_counts().sort_index()
        if len(counts) > 1:
            said = ", ".join(f"{counted(count, 'trial')} of engine {engine:g}" for engine, count in counts.items())
            yield Finding(
                words=f"{dataset} {model}: {said}: their numbers are of other code, and stand in tables of their own",
                remedy="`run` trains those of the earlier engine again",
            )


def _without_engine(protocol: str) -> str:
    fields = json.loads(protocol)
    return json.dumps({name: value for name, value in fields.items() if name != "engine"}, sort_keys=True)
