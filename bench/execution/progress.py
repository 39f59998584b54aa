"""What a sweep shows while it runs, on stderr: one moving line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn
from rich.progress import Progress as Bar

from bench import names
from bench.methods import Method
from bench.storage.mlflow_fields import run_name
from bench.trial.result import TrialResult
from bench.trial.spec import TrialSpec

LINE_SECONDS = 1.0  # between two plain lines, when a trial has finished
QUIET_SECONDS = 30.0  # between two plain lines, when only an epoch has


class Progress:
    """Counts the trials done, running and failed; shows the latest accuracy and the time left."""

    def __init__(
        self,
        planned: Sequence[TrialSpec],
        name_of: Callable[[Method], str],
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.console = console or Console(stderr=True, highlight=False)
        self._planned, self._name_of, self._clock = planned, name_of, clock
        self._running: dict[str, int] = {}  # run key -> epochs so far
        self._ended = 0
        self._bad = {names.FAILED: 0, names.DIVERGED: 0}
        self._epochs_ended = 0
        self._epochs_planned = sum(spec.epochs for spec in planned)
        self._latest = ""
        self._began: float | None = None
        self._printed = -LINE_SECONDS
        self._bar = Bar(BarColumn(30), TextColumn("{task.description}"), console=self.console, transient=True)
        self._task: TaskID | None = None

    def __enter__(self) -> Progress:
        if self.console.is_terminal:
            self._task = self._bar.add_task(self.line(), total=max(self._epochs_planned, 1))
            self._bar.start()
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._bar.stop()
        if self._planned:
            self._print(self.line())

    def started(self, spec: TrialSpec) -> None:
        """A worker began the trial, perhaps again."""
        if self._began is None:  # the start of Ray says nothing of the trials' pace
            self._began = self._clock()
        self._running[spec.run_key] = 0
        self._show()

    def epoch(self, spec: TrialSpec, epoch: int, figures: Mapping[str, float]) -> None:
        """The trial finished an epoch."""
        self._running[spec.run_key] = epoch
        if names.VALIDATION_ACCURACY in figures:
            accuracy = figures[names.VALIDATION_ACCURACY]
            self._latest = f"{self._name(spec)}: {accuracy:.2%} validation at epoch {epoch}"
        self._show(QUIET_SECONDS)

    def finished(self, spec: TrialSpec, result: TrialResult) -> None:
        """The trial ended; one that failed or diverged gets a line of its own."""
        self._running.pop(spec.run_key, None)
        self._ended += 1
        self._epochs_ended += spec.epochs
        if result.outcome in self._bad:
            self._bad[result.outcome] += 1
            self._print(f"{result.outcome}: {self._name(spec)}: {result.reason}")
        elif names.TEST_ACCURACY in result.metrics:
            self._latest = f"{self._name(spec)}: {result.metrics[names.TEST_ACCURACY]:.2%} test"
        self._show(LINE_SECONDS)

    def line(self) -> str:
        """The line: "3/10 done, 2 running, 1 failed | snip 0.9 seed 0: 97.22% test | 0:01:05 left"."""
        counts = [f"{self._ended}/{len(self._planned)} done"]
        counts += [f"{len(self._running)} running"] if self._running else []
        counts += [f"{n} {outcome}" for outcome, n in self._bad.items() if n]
        left = self.seconds_left()
        clock = f"{timedelta(seconds=round(left))} left" if left else ""
        return " | ".join(item for item in (", ".join(counts), self._latest, clock) if item)

    def seconds_left(self) -> float | None:
        """Time to the end at the pace of the epochs so far; None while there is no pace."""
        done = self._epochs_done()
        if self._began is None or not done:
            return None
        return (self._clock() - self._began) / done * (self._epochs_planned - done)

    def _epochs_done(self) -> int:
        return self._epochs_ended + sum(self._running.values())

    def _name(self, spec: TrialSpec) -> str:
        return run_name(spec.record(), self._name_of(spec.method))

    def _show(self, pause: float = float("inf")) -> None:
        """Move the bar; without one, print a line if the last is at least `pause` seconds old."""
        if self._task is not None:
            self._bar.update(self._task, description=self.line(), completed=self._epochs_done())
        elif self._clock() - self._printed >= pause:
            self._printed = self._clock()
            self._print(self.line())

    def _print(self, line: str) -> None:
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)
