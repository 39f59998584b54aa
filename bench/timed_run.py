"""`bench run` in a fresh process, with a stopwatch at its store. Imports no more than `bench run` does."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import places, run
from bench.result import SweepError, TrialResult
from methods import Method

if TYPE_CHECKING:
    from bench.timed_recorder import TimedRecorder


@dataclass(frozen=True, kw_only=True)
class TimedRun:
    """What a `run` command did. Moments are Unix times."""

    began: float  # of the process
    results: Sequence[TrialResult]
    writes: Sequence[tuple[float, float]]  # of each result: the moments at which writing it began and ended


def timed_run(options: Mapping[str, Any]) -> TimedRun:
    """Carry out a `run` command in a process, a Ray and a store of its own; nothing of it stays."""
    with tempfile.TemporaryDirectory(prefix="bench-speed-") as folder:
        began = time.time()
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as fresh:
            results, writes = fresh.submit(_run, dict(options), Path(folder)).result()
    return TimedRun(began=began, results=results, writes=writes)


def _run(options: Mapping[str, Any], folder: Path) -> tuple[list[TrialResult], list[tuple[float, float]]]:
    """In the fresh process: the command, as the command line calls it."""
    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder}/mlflow.db"
    os.chdir(folder)
    told = folder / "stderr"
    os.dup2(os.open(told, os.O_WRONLY | os.O_CREAT), 2)
    place = _TimedPlace()
    try:
        code = run.run_sweep(options, lambda: place)
    finally:
        from bench import schedule

        schedule.stop()  # a process of multiprocessing's ends without asking atexit
    if code or place.timed is None:
        raise SweepError(f"the trials were not trained: {told.read_text().rstrip().rpartition(chr(10))[2]}")
    return place.timed.results, place.timed.writes


class _TimedPlace(places.StorePlace):
    """The MLflow store, with a stopwatch."""

    timed: TimedRecorder | None = None

    def recorder(
        self, sweep: str, run_keys: Sequence[str], command: str, name_of: Callable[[Method], str]
    ) -> TimedRecorder:
        """As `Place.recorder`."""
        from bench.timed_recorder import TimedRecorder

        self.timed = TimedRecorder(self.uri, sweep, run_keys, self._runs, command, name_of)
        return self.timed
