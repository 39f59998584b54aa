"""`bench run` in a fresh process, with a stopwatch at its store. Imports no more than `bench run` does."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.cli import run
from bench.methods import Method
from bench.storage import destinations
from bench.storage.entry import OnStored
from bench.trial.result import SweepError, TrialResult

if TYPE_CHECKING:
    from bench.speed.timed_recorder import TimedRecorder

STOP_SECONDS = 20.0  # for an interrupted command to end by itself: the terminal interrupts it too


@dataclass(frozen=True, kw_only=True)
class TimedRun:
    """What a `run` command did. Moments are Unix times."""

    began: float  # of the process
    results: Sequence[TrialResult]
    writes: Sequence[tuple[float, float]]  # of each result: the moments at which writing it began and ended


def timed_run(options: Mapping[str, Any]) -> TimedRun:
    """Carry out a `run` command in a process, a Ray and a store of its own; nothing of it stays."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    with tempfile.TemporaryDirectory(prefix="bench-speed-") as folder:
        told = Path(folder) / "stderr"
        began = time.time()
        own = {**options, "storage": str(Path(folder) / "checkpoints")}
        process = context.Process(target=_run, args=(theirs, own, told), daemon=True)
        process.start()
        theirs.close()  # else the end of the process would not end the link
        try:
            results, writes = ours.recv()
        except EOFError:
            last = told.read_text().rstrip().rpartition("\n")[2] if told.exists() else ""
            raise SweepError(f"the run command ended without results: {last}") from None
        finally:
            process.join(STOP_SECONDS)
            process.terminate()
            process.join()
    return TimedRun(began=began, results=results, writes=writes)


def _run(link: Connection, options: Mapping[str, Any], told: Path) -> None:
    """In the fresh process: the command, as the command line calls it."""
    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{told.parent}/mlflow.db"
    os.chdir(told.parent)
    os.dup2(os.open(told, os.O_WRONLY | os.O_CREAT), 2)
    place = _TimedDestination()
    try:
        code = run.run_sweep(options, lambda: place)
    finally:
        from bench.execution import schedule

        schedule.stop()  # a process of multiprocessing's ends without asking atexit
    if code == 0 and place.timed is not None:
        link.send((place.timed.results, place.timed.writes))


class _TimedDestination(destinations.StoreDestination):
    """The MLflow store, with a stopwatch."""

    timed: TimedRecorder | None = None

    def recorder(
        self, sweep: str, run_keys: Sequence[str], command: str, name_of: Callable[[Method], str], on_stored: OnStored
    ) -> TimedRecorder:
        """As `Destination.recorder`."""
        from bench.speed.timed_recorder import TimedRecorder

        self.timed = TimedRecorder(self.uri, sweep, run_keys, self._runs, command, name_of, on_stored)
        return self.timed
