"""What `tune` shows: the listener of its candidates."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from rich.console import Console

from bench.execution.progress.layout import Latest
from bench.execution.progress.screen import OnScreen, Screen
from bench.messages import counted
from bench.methods import Method
from bench.trial.spec import TrialSpec


class Candidates(OnScreen):
    """Counts the candidates done, running and failed. Some are stopped early, so the time left is an upper bound."""

    def __init__(
        self,
        cells: Sequence[TrialSpec],
        budget: int,
        name_of: Callable[[Method], str],
        waiting: str = "",
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        epochs = budget * sum(cell.epochs for cell in cells)
        super().__init__(Screen(len(cells) * budget, epochs, waiting, "at most", console, clock))
        self._name_of, self._cells, self._chosen = name_of, len(cells), 0

    def kept(self) -> str:
        """What an interrupt leaves."""
        return f"{counted(self._chosen, 'cell')} chosen, {self._cells - self._chosen:,} left"

    def started(self, cell: TrialSpec, number: int) -> None:
        """A worker began a candidate, perhaps again."""
        self.screen.started((cell.cell_key, number))

    def epoch(self, cell: TrialSpec, number: int, epoch: int, accuracy: float) -> None:
        """A candidate finished an epoch."""
        method = self._name_of(cell.method)
        words = f" {cell.rate} candidate {number + 1}: {accuracy:.2%} validation at epoch {epoch}"
        self.screen.epoch((cell.cell_key, number), epoch, Latest(head=method, tail=words))

    def finished(self, cell: TrialSpec, number: int, outcome: str) -> None:
        """A candidate ended, perhaps early."""
        self.screen.finished((cell.cell_key, number), cell.epochs, outcome, None)

    def chosen(self) -> None:
        """A cell has its values."""
        self._chosen += 1
