"""Trials whose results disagree in the store: several runs of one, or a figure and the trial's own record of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench import names
from bench.messages import counted
from bench.metrics import METRICS, sizes
from bench.test_right import counted as counted_right

# What a computer takes, and what a later command measured of one run only, is no result; nor is the size of a file,
# which is another if a library packs better: what is in it is compared.
COMPARED = [
    name for name, row in METRICS.items() if row.when != "later" and name not in (*names.OF_THE_MACHINE, *sizes())
]
CLOSE = 1e-4  # relative: two machines add up in another order, and a gradient's norm moves in its last digits
# Differences of two numbers that can be almost the same: their digits are those of the numbers, not their own. Of a
# change of the flow g'g that is its root, the gradient's norm before training.
DIFFERENCES = {names.FLOW_CHANGE: names.initial(names.GRAD_NORM_ALL)}
DIFFERENCES[names.FLOW_CHANGE_PREDICTED] = DIFFERENCES[names.FLOW_CHANGE]
SAME = 1e-12  # relative, of a number that was written once and read again
NAMED = 10  # trials that a line can name

Vector = NDArray[np.float64]


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
    differ = {name: _differs(runs, name) for name in COMPARED}
    outcomes = runs["outcome"].to_numpy()
    name = next((name for name, differs in differ.items() if differs), "")
    if not name and (outcomes == outcomes[0]).all():
        return ""
    shown = [f"{value:.6g}" if isinstance(value, float) else str(value) for value in runs[name or "outcome"]]
    pairs = ", ".join(f"run {run} has {value}" for run, value in zip(runs["run_id"], shown, strict=True))
    return f"{name or 'outcome'}: {pairs}"


def _differs(runs: pd.DataFrame, name: str) -> bool:
    """Whether a figure of the first run is another than that of a later one."""
    values: Vector = runs[name].to_numpy(np.float64)
    slack = CLOSE * np.maximum(np.abs(values), np.abs(values[0]))
    if name in DIFFERENCES:
        norms: Vector = runs[DIFFERENCES[name]].to_numpy(np.float64)
        slack = np.maximum(slack, CLOSE * np.maximum(norms**2, norms[0] ** 2))
    both = np.isfinite(values) & np.isfinite(values[0])
    return bool((np.abs(values - values[0])[both] > slack[both]).any())


def own_record(figures: Mapping[str, Any], recorded: str) -> str:
    """How figures differ from what was recorded of them when the trial was stored; "" if they do not.

    Args: recorded: names.FIGURES; "" of a trial of an earlier version.
    Raises: ValueError if that is damaged.
    """
    if not recorded:
        return ""
    try:
        record = json.loads(recorded)
        if record.items() <= figures.items():  # nearly always: to look at each takes ten times as long
            return ""
        then = {str(name): float(value) for name, value in record.items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"its {names.FIGURES} is no JSON of figures") from error
    for name, value in then.items():
        if figures.get(name) == value or name not in METRICS:  # the latter of another version, or of outside code
            continue
        if name not in figures:
            return f"{name}: {value:.6g} when it was trained, none in the store"
        if not abs(figures[name] - value) <= SAME * abs(value):
            return f"{name}: {value:.6g} when it was trained, {figures[name]:.6g} in the store"
    return ""


def own_images(figures: Mapping[str, Any], test_right: str) -> str:
    """How the test accuracy differs from the share of the test images that are right; "" if it does not.

    Args: test_right: names.TEST_RIGHT; "" of a trial of an earlier version.
    """
    if not test_right:
        return ""
    try:
        right, images = counted_right(test_right)
    except ValueError as error:
        return f"{names.TEST_RIGHT} {error}"
    accuracy = figures.get(names.TEST_ACCURACY, np.nan)
    if abs(accuracy - right / images) <= SAME:
        return ""
    return f"{names.TEST_ACCURACY}: {accuracy:.6g} in the store, {right} of {images} test images right"


def in_words(conflicting: pd.DataFrame) -> str:
    """The trials with a conflict, in one line; of many the first."""
    named = [
        f"{method} {rate} seed {seed}: {conflict}"
        for method, rate, seed, conflict in conflicting[["method", "rate", "seed", "conflict"]].itertuples(index=False)
    ]
    return disagreeing(named)


def disagreeing(named: Sequence[str]) -> str:
    """That the store has results that disagree, of these trials with their results; of many the first are named."""
    more = f"; and {len(named) - NAMED} more" if len(named) > NAMED else ""
    trials = counted(len(named), "trial")
    words = f"the results of {trials} disagree in the store; of several runs the earliest counts"
    return f"{words}: {'; '.join(named[:NAMED])}{more}"
