"""The recorder with a stopwatch: what `bench speed trials` stores its trials with."""

from __future__ import annotations

import time

from bench.storage.entry import Entry
from bench.storage.recorder import Recorder
from bench.trial.result import TrialResult


class TimedRecorder(Recorder):
    """A recorder that keeps each trial's result, and the Unix times at which writing it began and ended."""

    results: list[TrialResult]
    writes: list[tuple[float, float]]

    def __enter__(self) -> Recorder:
        self.results, self.writes = [], []
        return super().__enter__()

    def write(self, entry: Entry | None) -> None:
        """As `Recorder.write`."""
        start = time.time()
        super().write(entry)
        if entry is not None:
            self.results.append(entry.result)
            self.writes.append((start, time.time()))
