"""What is written of a sweep beside its destination: tables, and runs in Weights & Biases.

Whatever goes wrong there is a warning: the results are in the store. Imports neither MLflow nor wandb.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol
from urllib.parse import quote

from bench.messages import one_line, say
from bench.methods import Method
from bench.storage.delivery.write_queue import WriteQueue
from bench.storage.entry import Entry
from bench.storage.tracking.csv_files import FOLDER, CsvFiles
from bench.storage.tracking.wandb_runs import WandbRuns
from bench.trial.result import TrialResult
from bench.trial.spec import TrialSpec


class Sink(Protocol):
    """Where entries are written."""

    def open(self) -> None:
        """Get ready; called once, before anything else."""

    def lacking(self, run_keys: Iterable[str]) -> list[str]:
        """Those of these trials that are to be added though an earlier command trained them."""

    def add(self, entries: Iterable[Entry]) -> None:
        """Write the entries that are not there yet."""


class Tracker:
    """A listener that gives a sweep's finished trials to a sink, off the critical path. A context."""

    def __init__(
        self, name: str, sink: Sink, sweep: str, planned: Sequence[str], command: str,
        name_of: Callable[[Method], str], earlier: Callable[[Sequence[str]], Iterable[Entry]],
    ) -> None:  # fmt: skip
        """`planned`: the sweep's run keys; `earlier`: of these, the trials that were done before."""
        self.name, self.sink, self.sweep, self.planned, self.command = name, sink, sweep, planned, command
        self.name_of, self.earlier = name_of, earlier

    def __enter__(self) -> Tracker:
        self._queue: WriteQueue[Entry | None] = WriteQueue(self._write, pauses=())
        self._queue.put("", None)
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write what is left, and what earlier commands trained; after an error, only the former."""
        self._queue.close()
        failure = self._queue.error
        if failure is None and error_type is None:
            try:
                self.sink.add(self.earlier(self.sink.lacking(self.planned)))
            except Exception as late:
                failure = late
        if failure is not None:
            say(
                f"warning: {self.name}: not written in full: {one_line(failure)}; the same command adds what is missing"
            )

    def started(self, spec: TrialSpec) -> None:
        """Nothing to write yet."""

    def epoch(self, spec: TrialSpec, epoch: int, figures: Mapping[str, float]) -> None:
        """Nothing to write yet."""

    def finished(self, spec: TrialSpec, result: TrialResult) -> None:
        """Write the result soon."""
        if self._queue.error is None:
            method, record = self.name_of(spec.method), spec.record()
            entry = Entry(sweep=self.sweep, command=self.command, method=method, spec=record, result=result)
            self._queue.put(entry.run_key, entry)

    def _write(self, entry: Entry | None) -> None:
        if entry is None:
            self.sink.open()
        else:
            self.sink.add([entry])


def csv_folder(beside: Path, sweep: str) -> Path:
    """The folder of a sweep's tables.

    >>> csv_folder(Path("/store"), "a/b").as_posix()
    '/store/csv/a%2Fb'
    """
    return beside / FOLDER / quote(sweep, safe=" ")


SINKS: Mapping[str, Callable[[Path, str], Sink]] = {
    "csv": lambda beside, sweep: CsvFiles(csv_folder(beside, sweep)),
    "wandb": lambda beside, sweep: WandbRuns(sweep),
}
STORE = "mlflow"  # no sink: the store that decides what is done
TRACKERS = (STORE, *SINKS)
