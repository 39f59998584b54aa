"""The progress of a sweep: below the cell of a notebook one line that changes, elsewhere as on the command line."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from types import TracebackType
from typing import Any

from rich.console import Console

from bench.execution.execution import Execution
from bench.execution.listeners import Collected
from bench.execution.progress.screen import awaited
from bench.execution.progress.trials import Progress
from bench.execution.run import Display
from bench.methods import Method
from bench.trial.result import Listener, TrialResult
from bench.trial.spec import TrialSpec

SECONDS = 0.2  # between two changes of the line


def display_of(execution: Execution) -> Display:
    """What shows the progress of a sweep here."""
    if in_notebook():
        return CellProgress
    return partial(Progress, waiting=awaited(execution.executor, execution.address))


def silent(missing: Sequence[TrialSpec], name_of: Callable[[Method], str]) -> AbstractContextManager[Listener]:
    """What shows nothing."""
    return nullcontext(Collected())


def in_notebook() -> bool:
    """Whether the cell of a notebook is running, whose output can be changed."""
    ipython = sys.modules.get("IPython")
    return getattr(ipython and ipython.get_ipython(), "kernel", None) is not None


class CellProgress:
    """The line of `Progress` below a notebook's cell."""

    def __init__(self, planned: Sequence[TrialSpec], name_of: Callable[[Method], str]) -> None:
        self._progress = Progress(planned, name_of, console=Console(file=io.StringIO(), force_jupyter=False))
        self._shown = 0.0
        self._handle: Any = None

    def __enter__(self) -> CellProgress:
        from IPython.display import display

        self._handle = display(self._content(), raw=True, display_id=True)  # type: ignore[no-untyped-call]
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.__exit__(error_type, error, trace)
        self._show()

    def started(self, spec: TrialSpec) -> None:
        """As `Listener.started`."""
        self._progress.started(spec)
        self._show(SECONDS)

    def epoch(self, spec: TrialSpec, epoch: int, figures: Mapping[str, float]) -> None:
        """As `Listener.epoch`."""
        self._progress.epoch(spec, epoch, figures)
        self._show(SECONDS)

    def finished(self, spec: TrialSpec, result: TrialResult) -> None:
        """As `Listener.finished`."""
        self._progress.finished(spec, result)
        self._show(SECONDS)

    def _content(self) -> dict[str, str]:
        return {"text/plain": self._progress.screen.line()}

    def _show(self, pause: float = 0.0) -> None:
        """Change the line if the last change is at least `pause` seconds old."""
        if time.monotonic() - self._shown >= pause:
            self._shown = time.monotonic()
            self._handle.update(self._content(), raw=True)
