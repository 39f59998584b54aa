"""The screen of a sweep: counts, pace and the latest figure, and when they are shown."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Hashable
from datetime import timedelta
from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.live import Live

from bench import names
from bench.execution.execution import Executor
from bench.execution.progress.layout import Latest, State, rendered
from bench.execution.progress.pace import Pace
from bench.messages import visible

LINE_SECONDS = 1.0  # between two plain lines, when a training has ended
QUIET_SECONDS = 30.0  # between two plain lines, when only an epoch has
PREPARING = Latest(head="preparing: imports, data, initial weights, masks…")


def awaited(executor: Executor, address: str | None) -> str:
    """What is waited for until the first training starts."""
    if executor == "local":
        return "importing torch, reading the data…"
    return "starting Ray…" if address is None else f"joining the Ray cluster at {address}…"


class Screen:
    """A moving line on a terminal, which leaves no trace but the last state; plain lines elsewhere."""

    def __init__(
        self,
        planned: int,
        epochs: int,
        waiting: str,
        left: str = "left",
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """For so many trainings of so many epochs together; `waiting` is said until the first of them starts."""
        self.console = console or Console(stderr=True, highlight=False)
        self.planned, self.ended_well, self.ended = planned, 0, 0
        self.pace = Pace(epochs, clock)
        self._clock, self._left_words = clock, left
        self._running: set[Hashable] = set()
        self._bad = {names.FAILED: 0, names.DIVERGED: 0}
        self._latest, self._is_figure = Latest(head=waiting), False
        self._printed = -LINE_SECONDS
        self._left: tuple[float, float] | None = None  # seconds, and when that was
        self._live: Live | None = None

    def __enter__(self) -> Screen:
        if self.console.is_terminal and not self.console.is_dumb_terminal:
            self._live = Live(
                get_renderable=self.render,
                console=self.console,
                transient=True,
                redirect_stdout=sys.stdout.isatty(),
            )
            self._live.start()
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
        if self.planned and not isinstance(error, KeyboardInterrupt):
            self.print(self.line())

    def started(self, training: Hashable) -> None:
        """A worker began a training, perhaps again."""
        self.pace.started(training)
        self._running.add(training)
        if not self._is_figure:
            self._latest = PREPARING
        self._show()

    def epoch(self, training: Hashable, epoch: int, figure: Latest | None) -> None:
        """A training is after an epoch."""
        if training in self._running:  # one that ended is trained again, with its pack, if the worker was lost
            self.pace.reported(training, epoch)
            self._note(figure)
            self._show(QUIET_SECONDS)

    def finished(self, training: Hashable, epochs: int, outcome: str, figure: Latest | None) -> None:
        """A training of so many epochs ended."""
        self.pace.ended(training, epochs)
        self._running.discard(training)
        self.ended += 1
        if outcome in self._bad:
            self._bad[outcome] += 1
        else:
            self.ended_well += 1
        self._note(figure)
        self._show(LINE_SECONDS)

    def line(self) -> str:
        """The plain line: "3/10 done, 2 running, 1 failed | snip 0.9 seed 0: 97.22% test | 0:01:05 left"."""
        counts = [f"{self.ended}/{self.planned} done"]
        counts += [f"{len(self._running)} running"] if self._running else []
        latest = f"{self._latest.head}{self._latest.tail}" if self._is_figure else ""
        left = self.pace.seconds_left()
        clock = f"{timedelta(seconds=round(left))} {self._left_words}" if left else ""
        counts += [bad] if (bad := self._bad_text()) else []
        return " | ".join(item for item in (", ".join(counts), latest, clock) if item)

    def render(self) -> RenderableType:
        """The moving line, now."""
        return rendered(self.state(), self.console.width)

    def state(self) -> State:
        """What the moving line shows; the time left goes down between two events."""
        left = None if self._left is None else max(0.0, self._left[0] - (self._clock() - self._left[1]))
        return State(
            ended=self.ended,
            planned=self.planned,
            running=len(self._running),
            bad=self._bad_text(),
            seconds_left=left,
            latest=self._latest,
            share=self.pace.done / max(self.pace.planned, 1),
            left=self._left_words,
        )

    def print(self, line: str) -> None:
        """A line that stays."""
        self.console.print(visible(line), markup=False, highlight=False, soft_wrap=True)

    def _bad_text(self) -> str:
        return ", ".join(f"{n} {outcome}" for outcome, n in self._bad.items() if n)

    def _note(self, figure: Latest | None) -> None:
        if figure is not None:
            self._latest, self._is_figure = figure, True

    def _show(self, pause: float = float("inf")) -> None:
        """Note the time left; without a terminal, print a line if the last is at least `pause` seconds old."""
        left, now = self.pace.seconds_left(), self._clock()
        self._left = None if left is None else (left, now)
        if self._live is None and now - self._printed >= pause:
            self._printed = now
            self.print(self.line())


class OnScreen:
    """A listener that shows on a screen what it hears, as a context."""

    def __init__(self, screen: Screen) -> None:
        self.screen = screen

    def __enter__(self) -> Self:
        self.screen.__enter__()
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.screen.__exit__(error_type, error, trace)
        if isinstance(error, KeyboardInterrupt):
            error.add_note(self.kept())

    def kept(self) -> str:
        """What an interrupt leaves."""
        raise NotImplementedError
