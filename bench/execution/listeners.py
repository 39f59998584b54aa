"""Listeners to the events of a sweep: several as one, and one that keeps the results."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from bench.trial.result import Listener, TrialResult
from bench.trial.spec import TrialSpec


class _All:
    """Several listeners as one."""

    def __init__(self, listeners: Sequence[Listener]) -> None:
        self.listeners = listeners

    def started(self, spec: TrialSpec) -> None:
        for listener in self.listeners:
            listener.started(spec)

    def epoch(self, spec: TrialSpec, epoch: int, figures: Mapping[str, float]) -> None:
        for listener in self.listeners:
            listener.epoch(spec, epoch, figures)

    def finished(self, spec: TrialSpec, result: TrialResult) -> None:
        for listener in self.listeners:
            listener.finished(spec, result)


def tell(*listeners: Listener) -> Listener:
    """One listener that tells them all, in this order; put the one that keeps the results first."""
    return _All(listeners)


@dataclass(frozen=True)
class Divided:
    """Two listeners: one for trials of these run keys, one for all others."""

    run_keys: Collection[str]
    one: Listener
    other: Listener

    def _of(self, spec: TrialSpec) -> Listener:
        return self.one if spec.run_key in self.run_keys else self.other

    def started(self, spec: TrialSpec) -> None:
        """Tell the trial's listener."""
        self._of(spec).started(spec)

    def epoch(self, spec: TrialSpec, epoch: int, figures: Mapping[str, float]) -> None:
        """Tell the trial's listener."""
        self._of(spec).epoch(spec, epoch, figures)

    def finished(self, spec: TrialSpec, result: TrialResult) -> None:
        """Tell the trial's listener."""
        self._of(spec).finished(spec, result)


class Collected:
    """A listener that keeps the results."""

    def __init__(self) -> None:
        self.results: dict[TrialSpec, TrialResult] = {}

    def started(self, spec: TrialSpec) -> None:
        """Nothing to keep."""

    def epoch(self, spec: TrialSpec, epoch: int, figures: Mapping[str, float]) -> None:
        """Nothing to keep."""

    def finished(self, spec: TrialSpec, result: TrialResult) -> None:
        """Keep the result, but for its network, which may be large."""
        self.results[spec] = replace(result, artefact=b"")
