"""The MLflow store: the few operations that its one writer (`bench.storage.recorder`) and its readers need."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bench.messages import shortened, store_error
from bench.metrics import per_epoch
from bench.mlflow_metrics import stored_figures, stored_name
from bench.storage import database, mlflow_fields, run_folders
from bench.storage.client import run_files, runs, writing
from bench.storage.client.opening import is_database, opened
from bench.storage.client.opening import store_uri as store_uri
from bench.storage.client.run_files import Run
from bench.storage.client.sweeps import StoredSweep, experiment, stored_sweeps
from bench.storage.entry import Entry
from bench.storage.sql.run_writer import NewRun, RunWriter
from bench.stored_runs.reading import tagged
from bench.tags import is_piece, split, storable, whole

NAME_LENGTH = 250  # of a run


def run_name(name: str) -> str:
    """The name of a run as a store takes it."""
    return storable(shortened(name, NAME_LENGTH))


class Store:
    """The store at `uri`, opened, and created if it does not exist. Raises ValueError if that is impossible."""

    def __init__(self, uri: str) -> None:
        for library in ("mlflow", "alembic"):  # their errors reach us as exceptions
            logging.getLogger(library).setLevel(logging.CRITICAL)
        self.uri, self._run_writer = uri, RunWriter(uri)
        try:
            self._client = opened(uri)
        except OSError as error:
            raise ValueError(f"store {uri}: {error.strerror or error}") from error
        except Exception as error:  # a server that answers and refuses, a database that breaks off
            if (reason := store_error(error)) is None:
                raise
            raise ValueError(f"store {uri}: {reason}") from error

    def tagged(
        self, tag: str, status: str, experiment: str | None = None, ended_since: float = 0.0
    ) -> list[tuple[str, str]]:
        """See `bench.stored_runs.reading.tagged`."""
        return tagged(self.uri, tag, status, experiment=experiment, ended_since=ended_since)

    def experiment(self, name: str) -> str:
        """The experiment called `name`, created if it does not exist."""
        return experiment(self._client, self.uri, name)

    def sweeps(self) -> list[StoredSweep]:
        """Those whose experiment is not deleted, the latest first."""
        return stored_sweeps(self._client)

    def run(self, run: str) -> Run:
        """A run that is in the store."""
        return Run(run, run_folders.folder_of(self.uri, self._client.get_run(run).info.artifact_uri))

    def create(self, experiment: str, name: str, tags: Mapping[str, str], started: float) -> Run:
        """A new run, begun at the Unix time `started`."""
        run = self._client.create_run(experiment, int(started * 1000), split(tags), run_name(name))
        return Run(run.info.run_id, run_folders.folder_of(self.uri, run.info.artifact_uri))

    def add(self, experiment: str, new: Sequence[NewRun]) -> bool:
        """Add runs that have ended, whole and at once, after their files; whether this store takes them so."""
        named = [replace(one, run=replace(one.run, name=run_name(one.run.name))) for one in new]
        return is_database(self.uri) and self._run_writer.write(experiment, named)

    def log(self, run: str, params: Mapping[str, str], points: Iterable[tuple[str, float, int, int]]) -> None:
        """Add parameters and metrics (name, value, milliseconds, step)."""
        writing.log(self._client, run, params, points)

    def input(self, run: str, name: str, digest: str) -> None:
        """Name the data set that the run was trained on; its content stays where it is."""
        writing.log_data_set(self._client, run, name, digest)

    def figures(self, run: str) -> dict[str, Any]:
        """The figures of a trial's run, of an epoch the last ones; see `stored_figures`."""
        data = self._client.get_run(run).data
        return stored_figures(data.metrics, data.params)

    def tags(self, run: str) -> dict[str, str]:
        """The tags of a run, those that were split as one."""
        tags = self._client.get_run(run).data.tags
        return {name: whole(tags, name) for name in tags if not is_piece(tags, name)}

    def entry(self, run: str) -> Entry:
        """A trial that is done, as it was stored; without its network, and without where it ran."""
        stored = self._client.get_run(run)
        figures = {**stored.data.metrics, **stored.data.params}
        curves = {n: self._curve(run, n) for n in per_epoch() if {stored_name(n), n} & figures.keys()}
        return mlflow_fields.entry(stored, curves)

    def _curve(self, run: str, name: str) -> dict[int, float]:
        """Epoch -> value of a figure, whatever version stored it."""
        points = self._client.get_metric_history(run, stored_name(name)) or self._client.get_metric_history(run, name)
        return {point.step: point.value for point in sorted(points, key=lambda point: point.timestamp)}

    def knows(self, run: str) -> bool:
        """Whether the store has a run, deleted or not."""
        return runs.known(self._client, run) is not None

    def measured(self, run: str, figures: Mapping[str, float]) -> None:
        """Add figures to a run that has ended."""
        now = int(time.time() * 1000)
        self.log(run, {}, [(stored_name(name), value, now, 0) for name, value in figures.items()])

    def tag(self, run: str, name: str, value: str) -> None:
        """Set one tag."""
        writing.tag(self._client, run, name, value)

    def write(self, run: Run, file: str, content: bytes) -> None:
        """Keep `content` as an artefact of the run."""
        run_files.write(self._client, run, file, content)

    def read(self, run: str, file: str) -> bytes:
        """An artefact of a run. Raises FileNotFoundError naming where it must be, OSError if it cannot be read."""
        return run_files.read(self._client, self.uri, run, file)

    def lacks(self, run: str, file: str, uri: str | None = None) -> str:
        """Where an artefact of a run must be, and is not; "" if the run has it.

        Args: uri: where the store says that the run's are, if it was asked before.
        """
        address = self._client.get_run(run).info.artifact_uri if uri is None else uri
        return run_files.lacks(self._client, self.uri, run, address, file)

    def end(self, run: str, status: str, ended: float | None = None) -> None:
        """Set the run's last status, reached at the Unix time `ended`, or now."""
        self._client.set_terminated(run, status, int((time.time() if ended is None else ended) * 1000))

    def is_running(self, run: str) -> bool:
        """Whether the run has not ended; False if it is deleted, for good too."""
        return runs.is_running(self._client, run)

    def end_if_running(self, run: str, status: str) -> None:
        """Set the last status of a run that somebody else began, unless it has ended meanwhile.

        In a database that is one statement; of other stores the status is read again just before.
        """
        if is_database(self.uri):
            database.end_if_running(self.uri, run, status, int(time.time() * 1000))
        elif self.is_running(run):
            self.end(run, status)
