"""Pace: the epochs trained and those to train, and so the time left."""

from __future__ import annotations

from collections.abc import Callable, Hashable


class Pace:
    """Counts epochs. Its clock starts with the first that is reported: the start of Ray says nothing of the pace."""

    def __init__(self, planned: int, clock: Callable[[], float]) -> None:
        self.planned = planned  # epochs of all trainings
        self._clock = clock
        self._began: float | None = None
        self._trained = 0  # since then, those of a lost worker included
        self._ended = 0  # of the trainings that ended, those included that a failed one did not train
        self._at: dict[Hashable, int] = {}  # running training -> its epoch

    @property
    def done(self) -> int:
        """The epochs that need no more training."""
        return self._ended + sum(self._at.values())

    def started(self, training: Hashable) -> None:
        """A training began, perhaps again."""
        self._at.pop(training, None)

    def reported(self, training: Hashable, epoch: int) -> None:
        """A training is after that epoch; 0 is before the first. One that resumes has trained the others before."""
        if self._began is None:
            self._began, before = self._clock(), epoch
        else:
            before = self._at.get(training, max(epoch - 1, 0))
        self._trained += max(epoch - before, 0)
        self._at[training] = epoch

    def ended(self, training: Hashable, epochs: int) -> None:
        """A training of so many epochs ended."""
        self._at.pop(training, None)
        self._ended += epochs

    def seconds_left(self) -> float | None:
        """Time to the end at the pace of the epochs so far; None while there is no pace."""
        if self._began is None or not self._trained:
            return None
        return (self._clock() - self._began) / self._trained * (self.planned - self.done)


def clock_text(seconds: float | None) -> str:
    """A time of fixed width, up to 999 hours.

    >>> clock_text(65), clock_text(100 * 3600), clock_text(None)
    ('  0:01:05', '100:00:00', '  -:--:--')
    """
    if seconds is None:
        return "  -:--:--"
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours:>3}:{minute:02}:{second:02}"
