"""The moving line. Counts and time stand at its left in columns that keep their places; bar and name get the rest."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Group
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bench.execution.progress.pace import clock_text
from bench.messages import shortened, visible

GAP = "  "
MARGIN = 3  # columns left free at the right: a terminal echoes ^C there
BAR = (20, 60)  # columns of a bar that shares a line with the latest figure; alone it takes what there is
LATEST = 48  # columns of the latest figure in a line that is shared


@dataclass(frozen=True, kw_only=True)
class Latest:
    """The latest figure. If it does not fit, its head is cut."""

    head: str = ""  # the name of a method
    tail: str = ""

    def fitted(self, width: int) -> str:
        """The text in so many columns.

        >>> Latest(head="random-freeze", tail=" 0.9 seed 0: 97.22% test").fitted(30)
        'rando… 0.9 seed 0: 97.22% test'
        """
        tail = visible(self.tail)
        head = shortened(visible(self.head), max(2, width - len(tail)))
        return shortened(f"{head}{tail}", width)


@dataclass(frozen=True, kw_only=True)
class State:
    """What the line shows."""

    ended: int
    planned: int
    running: int
    bad: str  # "1 failed", or ""
    seconds_left: float | None
    latest: Latest
    share: float  # of the epochs that are done
    left: str = "left"  # what is said of the time


def counts(state: State) -> str:
    """The part of fixed width: "  3/120 done,   2 running,   0:01:05 left"."""
    digits = len(str(state.planned))
    done, running = f"{state.ended:>{digits}}/{state.planned} done", f"{state.running:>{digits}} running"
    return f"{done}, {running}, {clock_text(state.seconds_left)} {state.left}"


def rendered(state: State, width: int) -> Group | Table:
    """The line for a terminal of so many columns; two lines if it is narrow."""
    fixed, room = counts(state), width - MARGIN
    bar = room - len(fixed) - len(GAP)
    shared = bar - len(GAP) - LATEST
    if shared >= BAR[0]:
        size = min(shared, BAR[1])
        return _grid(Text(fixed), _bar(state, size), _latest(state, bar - size - len(GAP)))
    top = _grid(Text(fixed), _bar(state, bar)) if bar > 0 else Text(shortened(fixed, max(1, room)))
    return Group(top, _latest(state, room))


def _grid(*cells: Text | ProgressBar) -> Table:
    grid = Table.grid(padding=(0, len(GAP), 0, 0))
    for _ in cells:
        grid.add_column(no_wrap=True)
    grid.add_row(*cells)
    return grid


def _bar(state: State, width: int) -> ProgressBar:
    return ProgressBar(total=1.0, completed=state.share, width=width)


def _latest(state: State, width: int) -> Text:
    before = f"{state.bad}{GAP}" if state.bad else ""
    return Text(shortened(before + state.latest.fitted(max(1, width - len(before))), max(1, width)), no_wrap=True)
