"""What `run` shows: the listener of its trials."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from rich.console import Console

from bench import names
from bench.execution.progress.layout import Latest
from bench.execution.progress.screen import OnScreen, Screen
from bench.messages import counted
from bench.methods import Method
from bench.storage.mlflow_fields import run_name
from bench.trial.result import TrialResult
from bench.trial.spec import TrialSpec


class Progress(OnScreen):
    """Counts the trials done, running and failed; shows the latest accuracy and the time left."""

    def __init__(
        self,
        planned: Sequence[TrialSpec],
        name_of: Callable[[Method], str],
        waiting: str = "",
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        epochs = sum(spec.epochs for spec in planned)
        super().__init__(Screen(len(planned), epochs, waiting, console=console, clock=clock))
        self._name_of = name_of

    def kept(self) -> str:
        """What an interrupt leaves."""
        return f"{counted(self.screen.ended_well, 'trial')} kept, {self.screen.planned - self.screen.ended_well:,} left"

    def started(self, spec: TrialSpec) -> None:
        """A worker began the trial, perhaps again."""
        self.screen.started(spec.run_key)

    def epoch(self, spec: TrialSpec, epoch: int, figures: Mapping[str, float]) -> None:
        """The trial finished an epoch."""
        accuracy = figures.get(names.VALIDATION_ACCURACY)
        figure = None if accuracy is None else self._figure(spec, f"{accuracy:.2%} validation at epoch {epoch}")
        self.screen.epoch(spec.run_key, epoch, figure)

    def finished(self, spec: TrialSpec, result: TrialResult) -> None:
        """The trial ended; one that failed or diverged gets a line of its own."""
        accuracy = result.metrics.get(names.TEST_ACCURACY)
        if result.outcome != names.DONE:
            self.screen.print(f"{result.outcome}: {self._label(spec)}: {result.reason}")
            accuracy = None
        figure = None if accuracy is None else self._figure(spec, f"{accuracy:.2%} test")
        self.screen.finished(spec.run_key, spec.epochs, result.outcome, figure)

    def _label(self, spec: TrialSpec) -> str:
        return run_name(spec.record(), self._name_of(spec.method))

    def _figure(self, spec: TrialSpec, words: str) -> Latest:
        method = self._name_of(spec.method)
        return Latest(head=method, tail=f"{self._label(spec).removeprefix(method)}: {words}")
