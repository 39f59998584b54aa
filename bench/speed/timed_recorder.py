"""The recorder with a stopwatch: what `bench speed trials` stores its trials with."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from bench.storage.entry import Entry
from bench.storage.recorder import Recorder
from bench.trial.result import TrialResult


class TimedRecorder(Recorder):
    """A recorder that keeps each trial's result, and what storing them took."""

    results: list[TrialResult]
    stored = 0.0  # the Unix time at which the last was stored
    transactions = 0
    seconds: dict[str, float]  # of processor time, by what took it: each is another thread's

    def __enter__(self) -> Recorder:
        self.results, self.seconds = [], {"put": 0.0, "write": 0.0}
        return super().__enter__()

    def put(self, entry: Entry) -> None:
        """As `Recorder.put`."""
        with self._timed("put"):
            super().put(entry)

    def write(self, entry: Entry | None) -> None:
        """As `Recorder.write`."""
        with self._timed("write"):
            super().write(entry)
        if entry is not None:
            self._count([entry])

    def write_together(self, entries: Sequence[Entry | None]) -> bool:
        """As `Recorder.write_together`."""
        with self._timed("write"):
            is_done = super().write_together(entries)
        if is_done:
            self._count([entry for entry in entries if entry is not None])
        return is_done

    @contextmanager
    def _timed(self, call: str) -> Iterator[None]:
        start = time.thread_time()
        try:
            yield
        finally:
            self.seconds[call] += time.thread_time() - start

    def _count(self, entries: Sequence[Entry]) -> None:
        self.results += [entry.result for entry in entries]
        self.transactions += 1
        self.stored = time.time()
