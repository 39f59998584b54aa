"""Trials that the store has more than once with different results."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bench import names
from bench.messages import counted
from bench.metrics import METRICS

# What a computer takes, and what a later command measured of one run only, is no result.
COMPARED = [
    name
    for name, row in METRICS.items()
    if row.when != "later" and name not in (names.SCORING_SECONDS, names.TRAINING_SECONDS, names.PEAK_MEMORY)
]
CLOSE = 1e-4  # relative: two machines add up in another order, and a gradient's norm moves in its last digits


def conflicts(finished: pd.DataFrame) -> dict[str, str]:
    """Run key -> what its runs differ in, of finished runs in the order in which they were begun; runs with equal
    results are no conflict.

    Figures differ if one is further from the other than CLOSE of it. One that a run lacks is of another version.
    """
    repeated = finished[finished["run_key"].duplicated(keep=False)]
    differing = {str(key): _difference(runs) for key, runs in repeated.groupby("run_key", sort=False)}
    return {key: difference for key, difference in differing.items() if difference}


def _difference(runs: pd.DataFrame) -> str:
    """How the first run's results differ from those of others; "" if they do not."""
    values = runs[COMPARED].to_numpy(np.float64)
    differ = ~np.isclose(values, values[0], rtol=CLOSE, atol=0.0) & np.isfinite(values) & np.isfinite(values[0])
    outcomes = runs["outcome"].to_numpy()
    if not differ.any() and (outcomes == outcomes[0]).all():
        return ""
    name = COMPARED[differ.any(axis=0).argmax()] if differ.any() else "outcome"
    shown = [f"{value:.6g}" if isinstance(value, float) else str(value) for value in runs[name]]
    pairs = ", ".join(f"run {run} has {value}" for run, value in zip(runs["run_id"], shown, strict=True))
    return f"{name}: {pairs}"


def in_words(conflicting: pd.DataFrame) -> str:
    """The trials with a conflict, the first of them with its runs, in one line."""
    first = conflicting.iloc[0]
    trials = f"{counted(len(conflicting), 'trial')} of the store {'has' if len(conflicting) == 1 else 'have'}"
    which = "" if len(conflicting) == 1 else "the first, "
    trial = f"{which}{first['method']} {first['rate']} seed {first['seed']}"
    return f"{trials} runs with different results, of which the earliest counts: {trial}: {first['conflict']}"
