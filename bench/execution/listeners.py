"""Listeners to the events of a sweep: several as one, and one that keeps how trials ended."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from bench.execution.outcomes import REMARKS
from bench.storage.destinations import Destination, SweepRecorder
from bench.storage.ownership.claims import Claims
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
class Writers:
    """Two recorders: that of the sweep, for trials of these run keys, and that of all that they need."""

    run_keys: Collection[str]
    sweep: SweepRecorder
    needs: SweepRecorder

    def _of(self, spec: TrialSpec) -> Listener:
        return self.sweep if spec.run_key in self.run_keys else self.needs

    def claim(self, run_keys: Collection[str]) -> Claims:
        """Claim trials, whichever sweep they belong to."""
        return self.sweep.claim(run_keys)

    def adopt(self, run_keys: Collection[str], destination: Destination) -> None:
        """Have trials that another command finished belong to these sweeps too."""
        own = [key for key in run_keys if key in self.run_keys]
        for recorder, keys in ((self.sweep, own), (self.needs, [key for key in run_keys if key not in own])):
            if keys:
                recorder.adopt(destination.places(keys))

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
    """A listener that keeps how trials ended, and what is said of them in the end; no figures: a sweep is long."""

    def __init__(self) -> None:
        self.results: dict[TrialSpec, TrialResult] = {}

    def started(self, spec: TrialSpec) -> None:
        """Nothing to keep."""

    def epoch(self, spec: TrialSpec, epoch: int, figures: Mapping[str, float]) -> None:
        """Nothing to keep."""

    def finished(self, spec: TrialSpec, result: TrialResult) -> None:
        """Keep the outcome, its reason and the tags of REMARKS."""
        said = {tag: result.tags[tag] for tag in REMARKS if tag in result.tags}
        self.results[spec] = replace(result, metrics={}, epochs=(), layers=(), tags=said, artefact=b"")
