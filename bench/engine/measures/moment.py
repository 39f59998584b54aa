"""A trial at a moment of its training, and the metrics of that moment, by the rows of `bench.metrics`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pkgutil import resolve_name
from typing import Any

from bench import names
from bench.engine.setup.prepare import Trial
from bench.metrics import METRICS, Metric, When
from bench.trial.spec import TrialSpec


@dataclass(frozen=True, kw_only=True)
class Moment:
    """What the function of a metric computes from. It leaves the trial as it is: weights, buffers and random state."""

    spec: TrialSpec
    trial: Trial
    epochs: Sequence[Mapping[str, float]] = ()  # the figures of the epochs so far
    artefact: bytes = b""  # the file of the trained network, once there is one
    layers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # what is recorded of each maskable weight


Function = Callable[[Moment], Mapping[str, float]]


def measure(when: When, moment: Moment) -> dict[str, float]:
    """The metrics of this moment that have a function; one that several rows name is called once."""
    return _called(_functions(lambda row: row.when == when), moment)


def measure_again(moment: Moment) -> dict[str, float]:
    """The metrics that follow from the masks, once these are others; all else was measured before."""
    return _called(_functions(lambda row: row.of_masks), moment)


def _called(functions: Iterable[str], moment: Moment) -> dict[str, float]:
    figures = (_resolved(function)(moment) for function in functions)
    return {name: float(value) for of_function in figures for name, value in of_function.items()}


def is_measured(when: When) -> bool:
    """Whether a metric of this moment has a function."""
    return bool(_functions(lambda row: row.when == when))


def _functions(holds: Callable[[Metric], bool]) -> list[str]:
    return list(dict.fromkeys(row.function for row in METRICS.values() if row.function and holds(row)))


@cache
def _resolved(function: str) -> Function:
    resolved: Function = resolve_name(function)
    return resolved


def setup(moment: Moment) -> dict[str, float]:
    """What setting the trial up tells."""
    return {names.CLASSES: moment.trial.classes, names.SCORING_SECONDS: moment.trial.scoring_seconds}
