"""TrialResult: what a trial leaves behind, as plain JSON values, and the events of a sweep on its way there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from bench import names
from bench.trial.spec import TrialSpec


@dataclass(frozen=True, kw_only=True)
class TrialResult:
    """The outcome of one trial. Names of figures and tags: `bench.names`."""

    run_key: str
    outcome: str  # names.DONE, DIVERGED or FAILED
    reason: str = ""  # one line, for diverged and failed trials
    metrics: Mapping[str, float] = field(default_factory=dict)  # bench.metrics.final(), as far as known; all finite
    epochs: Sequence[Mapping[str, float]] = ()  # index = epoch, 0 = before training; metrics.per_epoch(), finite
    layers: Sequence[Mapping[str, Any]] = ()  # names.LAYERS_FILE
    tags: Mapping[str, str] = field(default_factory=dict)  # checksums, which test images are right, where it ran
    artefact: bytes | Path = b""  # the trained network's file, or where it lies; empty if the trial is not done
    started: float = 0.0  # Unix time, seconds
    ended: float = 0.0


class SweepError(RuntimeError):
    """A sweep cannot go on: the store takes nothing more, or Ray cannot be had. Its message is one line."""


class Listener(Protocol):
    """Who is told what happens in a sweep; called in the driver process only, one call at a time."""

    def started(self, spec: TrialSpec) -> None:
        """A worker began the trial."""

    def epoch(self, spec: TrialSpec, epoch: int, figures: Mapping[str, float]) -> None:
        """The trial finished an epoch; 0 is before training. One that resumes starts behind its checkpoint."""

    def finished(self, spec: TrialSpec, result: TrialResult) -> None:
        """The trial ended, whatever its outcome."""


class CandidateListener(Protocol):
    """Who is told what happens to the candidates of `tune`; called in the driver process only, one call at a time."""

    def started(self, cell: TrialSpec, number: int) -> None:
        """A worker began a candidate of a cell, perhaps again."""

    def epoch(self, cell: TrialSpec, number: int, epoch: int, accuracy: float) -> None:
        """A candidate finished an epoch, with that validation accuracy."""

    def finished(self, cell: TrialSpec, number: int, outcome: str) -> None:
        """A candidate ended, perhaps early."""


@dataclass
class Tried:
    """What became of a candidate."""

    values: Mapping[str, float]  # field -> value
    validation_accuracy: list[float] = field(default_factory=list)  # after epoch 1, 2, …; mean over the seeds
    outcome: str = names.DONE  # DONE, also if it was stopped early; DIVERGED or FAILED
    reason: str = ""  # why it diverged or failed
