"""How long a start of Ray is waited for: as long as it shows progress, so that a slow one is no stuck one."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

START_SECONDS = (
    100.0  # without a sign of progress; Ray itself gives up some steps after 30 s, and tries others for ever
)
MOST_SECONDS = 600.0  # with signs of it: workers that start and fail again and again show some
LOOK_SECONDS = 2.0  # between two looks
TICK = 0.01  # seconds, the least processor time that Linux counts

WORKER = re.compile(r"default_worker\.py$|^ray::(?!.*Agent$)")  # in a command line; Ray's agents run for good


class Patience:
    """A clock that every new sign of progress sets back."""

    def __init__(self, signs: Callable[[], int]) -> None:
        self._signs, self._most = signs, 0  # how many signs there are, and have been at most
        self.restart()

    def restart(self) -> None:
        """Set the clock back."""
        self.began = self._first = time.monotonic()

    def is_over(self) -> bool:
        """Whether START_SECONDS went by without a new sign, or MOST_SECONDS in all."""
        now, signs = time.monotonic(), self._signs()
        is_new, self._most = signs > self._most, max(signs, self._most)
        self.began = now if is_new else self.began
        return now >= self._first + MOST_SECONDS or (not is_new and now >= self.began + START_SECONDS)


def silence() -> str:
    """What is said of a start that is waited for no longer."""
    return f"no progress for {START_SECONDS:.0f} s"


def signs_of(logs: Path) -> int:
    """The signs of progress of a local Ray that logs to this folder.

    Each kind of log file is one, and so is each time that a worker has computed twice as long as any before: what
    fails and is tried again, or waits, shows neither for long.
    """
    kinds = {re.split(r"[^a-z_]", log.name)[0] for log in logs.glob("*")}
    return len(kinds) + round(_longest_work() / TICK).bit_length()


def _longest_work() -> float:
    """Seconds of processor time of the worker that has computed longest, among those of this process's Ray."""
    import psutil  # comes with Ray, which is imported by now

    longest = 0.0
    for process in psutil.Process().children(recursive=True):
        try:
            words, times = process.cmdline(), process.cpu_times()
        except psutil.Error:  # it has just ended
            continue
        if any(WORKER.search(word) for word in words):
            longest = max(longest, times.user + times.system)
    return longest
