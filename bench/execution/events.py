"""From a schedule's reports to the listener's events, with SIGINT and SIGTERM handled between two of them."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

from bench import names
from bench.execution.worker import Report
from bench.trial.result import Listener, TrialResult
from bench.trial.spec import TrialSpec

DEFAULT = signal.SIG_DFL
PATIENCE_SECONDS = 1.0  # after an interrupt, to wait for results that are on their way


class Events:
    """Tells the listener what happens to each pack; keeps the error that ends the run."""

    def __init__(self, packs: Sequence[Sequence[TrialSpec]], listener: Listener) -> None:
        self.packs, self.listener = packs, listener
        self.error: BaseException | None = None
        self._patience = 0.0  # after an interrupt, results are collected until this time
        self._busy = False  # whether a report came since the last `must_stop`
        self._began: dict[int, float] = {}
        self._ended: set[str] = set()  # run keys; a whole pack is trained again if its worker is lost

    def interrupt(self) -> None:
        """End the run as soon as nothing finished is left to collect."""
        self.error, self._patience = KeyboardInterrupt(), time.monotonic() + PATIENCE_SECONDS

    def must_stop(self) -> bool:
        """Whether to end the run now. Call it between two events."""
        busy, self._busy = self._busy, False
        return self.error is not None and (not busy or time.monotonic() > self._patience)

    def started(self, index: int) -> None:
        """A worker began the pack at `index`."""
        self._began[index] = time.time()
        for spec in self._running(index):
            self._tell(self.listener.started, spec)

    def reported(self, index: int, report: Report) -> None:
        """A worker reported on the pack at `index`."""
        self._busy = True
        pack = self.packs[index]
        for position, epoch, figures in report.epochs:
            self._tell(self.listener.epoch, pack[position], epoch, figures)
        results = {result.run_key: result for result in report.results}
        for spec in self._running(index):
            if spec.run_key in results:
                self._finished(spec, results[spec.run_key])
        if report.reason:
            self.failed(index, report.reason)

    def failed(self, index: int, reason: str) -> None:
        """The pack at `index` ended before all its trials did."""
        began = self._began.get(index, time.time())
        for spec in self._running(index):
            result = TrialResult(
                run_key=spec.run_key, outcome=names.FAILED, reason=reason, started=began, ended=time.time()
            )
            self._finished(spec, result)

    def _running(self, index: int) -> list[TrialSpec]:
        """The trials of the pack at `index` that are still to end."""
        return [spec for spec in self.packs[index] if spec.run_key not in self._ended]

    def _finished(self, spec: TrialSpec, result: TrialResult) -> None:
        self._ended.add(spec.run_key)
        self._tell(self.listener.finished, spec, result)

    def _tell(self, event: Callable[..., None], *arguments: Any) -> None:
        if self.error is None or isinstance(self.error, KeyboardInterrupt):
            try:
                event(*arguments)
            except BaseException as error:
                self.error = error


class Terminated(KeyboardInterrupt):
    """SIGTERM, handled as an interrupt is; the process may then end as one that does not handle it."""


@contextmanager
def sigterm_interrupts() -> Iterator[None]:
    """Within it, SIGTERM raises Terminated: what is open is closed. Does nothing outside the main thread."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) is not DEFAULT:
        yield
        return

    def handle(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, DEFAULT)
        raise Terminated

    signal.signal(signal.SIGTERM, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, DEFAULT)


@contextmanager
def interrupts(on_interrupt: Callable[[], None]) -> Iterator[None]:
    """Within it, the first SIGINT or SIGTERM calls `on_interrupt`; a second one has its usual effect.

    Does nothing outside the main thread: only that one receives signals.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in handlers.items():
            signal.signal(number, handler)

    def handle(number: int, frame: FrameType | None) -> None:
        restore()
        on_interrupt()

    for number in handlers:
        signal.signal(number, handle)
    try:
        yield
    finally:
        restore()
