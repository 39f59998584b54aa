"""A sweep as `bench run` trains it, in a fresh process, with a stopwatch at its store. Imports no more than that."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

from bench.execution.execution import Execution
from bench.execution.run import Display, Plan, open_destination, start_ray, train_missing
from bench.methods import Method
from bench.storage import destinations
from bench.storage.entry import OnStored
from bench.storage.ownership.working_folder import working_folder
from bench.trial.result import SweepError, TrialResult
from bench.trial.sweep import Sweep

if TYPE_CHECKING:
    from bench.execution.worker import Load
    from bench.speed.timed_recorder import TimedRecorder

STOP_SECONDS = 20.0  # for an interrupted sweep to end by itself: the terminal interrupts it too


@dataclass(frozen=True, kw_only=True)
class TimedRun:
    """What became of a sweep. Moments are Unix times."""

    began: float  # of the process
    results: Sequence[TrialResult]
    stored: float  # when the last was stored
    transactions: int  # in which they were
    storing_seconds: float  # of processor time: to have them on the disk, and then in the store


def timed_run(sweep: Callable[[], Sweep], check: Callable[[], Load], display: Display) -> TimedRun:
    """Train a sweep in a process, with a Ray and a store of its own; nothing of it stays.

    Args: sweep: makes the sweep; the process does that itself, which alone gives it what plug-ins add to the tables.
          check: checks the data set, as the command does at its start, and says how a worker loads it.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    with working_folder() as folder:
        stderr = folder / "stderr"
        began = time.time()
        process = context.Process(target=_run, args=(theirs, sweep, check, display, stderr), daemon=True)
        process.start()
        theirs.close()  # otherwise the end of the process would not end the link
        try:
            told = ours.recv()
        except EOFError:
            last = stderr.read_text().rstrip().rpartition("\n")[2] if stderr.exists() else ""
            raise SweepError(f"the run command ended without results: {last}") from None
        finally:
            process.join(STOP_SECONDS)
            process.terminate()
            process.join()
    return TimedRun(began=began, **told)


def _run(
    link: Connection, make: Callable[[], Sweep], check: Callable[[], Load], display: Display, stderr: Path
) -> None:
    """In the fresh process: what the command does."""
    folder, sweep = stderr.parent, make()
    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder}/mlflow.db"
    os.chdir(folder)
    os.dup2(os.open(stderr, os.O_WRONLY | os.O_CREAT), 2)
    destination = _TimedDestination()
    try:
        plan = Plan(
            sweep=sweep,
            trials=sweep.trials(),
            load=check(),
            execution=_execution(folder),
            destination=destination,
            name=sweep.default_name,
            command="bench speed trials",
        )
        start_ray(plan.execution)
        ended = open_destination(plan)
        train_missing(plan, plan.trials, ended, display)
    finally:
        from bench.execution.ray_machine import ray_process

        ray_process.stop()  # a process of multiprocessing's ends without asking atexit
    if (timed := destination.timed) is not None:
        seconds = sum(timed.seconds.values())
        told = {"stored": timed.stored, "transactions": timed.transactions, "storing_seconds": seconds}
        link.send({"results": timed.results, **told})


def _execution(folder: Path) -> Execution:
    """On all cores of this machine, without its GPUs."""
    return Execution(
        executor="ray", gpus_per_trial=0.0, address=None, max_retries=0, storage=str(folder / "checkpoints")
    )


class _TimedDestination(destinations.StoreDestination):
    """The MLflow store, with a stopwatch."""

    timed: TimedRecorder | None = None

    def recorder(
        self, sweep: str, run_keys: Sequence[str], command: str, name_of: Callable[[Method], str], on_stored: OnStored
    ) -> TimedRecorder:
        """As `StoreDestination.recorder`."""
        from bench.speed.timed_recorder import TimedRecorder

        self.timed = TimedRecorder(self.uri, sweep, run_keys, self._runs, command, name_of, on_stored)
        return self.timed
