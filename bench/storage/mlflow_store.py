"""The MLflow store: the few operations that its one writer (`bench.storage.recorder`) and its readers need.

Of `bench` outside `results`, the only file that imports mlflow.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

# No usage reports, and no address on stdout for every run a server stores.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag, ViewType
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from bench import names
from bench.disk import make_folder, write_whole
from bench.messages import said_if_slow, shortened, store_error
from bench.metrics import per_epoch
from bench.mlflow_metrics import stored_figures, stored_name
from bench.paging import address, paged
from bench.storage import database, mlflow_fields, run_folders
from bench.storage.entry import Entry
from bench.storage.mlflow_pages import DESCRIPTION, experiment_tags
from bench.storage.ownership.working_folder import working_folder
from bench.storage.patience import patient_within_reason
from bench.storage.sql.new_file import make_file
from bench.storage.store_check import creating, exists
from bench.storage.store_uri import SERVERS, absolute, given, local_path
from bench.stored_runs.query import RunQuery
from bench.stored_runs.reading import read_runs
from bench.tags import is_piece, split, storable, whole

MLFLOW = Path(mlflow.__file__).parent
BATCH = 1000  # entities MLflow takes in one call, parameters and metrics together
PARAMS = 100  # of these, parameters
PAGE = 1000  # runs a search returns at once
NAME_LENGTH = 250  # of a run
DATA_LENGTH = 500  # of a data set's name
DATA_CONTEXT = "mlflow.data.context"  # MLflow's tag of an input
PARAM_LENGTH = 6000  # of a parameter's value


def store_uri() -> str:
    """MLFLOW_TRACKING_URI if it is set, else the store that a plain `mlflow ui` opens in this folder; made absolute.

    Raises: ValueError, in one line, if it cannot be the address of a store.
    """
    return absolute(given() or mlflow.get_tracking_uri())


@dataclass(frozen=True, kw_only=True)
class StoredSweep:
    """A sweep of the store, as its pages show it."""

    name: str
    experiment: str
    tags: Mapping[str, str]  # of the experiment
    latest: str  # of its runs: a command makes one
    described: str | None  # the latest of them that says what came out


@dataclass(frozen=True)
class Run:
    """A run in the store."""

    id: str
    folder: Path | None  # of its artefacts; None if they go through a server


class Store:
    """The store at `uri`, opened, and created if it does not exist. Raises ValueError if that is impossible."""

    def __init__(self, uri: str) -> None:
        for library in ("mlflow", "alembic"):  # their errors reach us as exceptions
            logging.getLogger(library).setLevel(logging.CRITICAL)
        self.uri = uri
        try:
            self._client = _opened(uri)
        except OSError as error:
            raise ValueError(f"store {uri}: {error.strerror or error}") from error
        except Exception as error:  # a server that answers and refuses, a database that breaks off
            if (reason := store_error(error)) is None:
                raise
            raise ValueError(f"store {uri}: {reason}") from error

    def tagged(
        self, tag: str, status: str, experiment: str | None = None, ended_since: float = 0.0
    ) -> list[tuple[str, str]]:
        """(run, value) of the runs with `tag` and `status`, oldest first; from one experiment, or from all.

        Args: ended_since: a Unix time; of runs that have ended, those that did so later.
        """
        query = RunQuery(
            tag=tag,
            statuses=(status,),
            experiment=experiment,
            ended_since=ended_since,
            oldest_first=True,
            tags=(tag,),
        )
        return [(run.id, whole(run.tags, tag)) for run in read_runs(self.uri, query)]

    def experiment(self, name: str) -> str:
        """The experiment called `name`, created if it does not exist."""
        experiment = self._client.get_experiment_by_name(name)
        if experiment is None:
            location, tags = run_folders.new_location(self.uri, name), experiment_tags()
            try:
                return str(self._client.create_experiment(name, artifact_location=location, tags=tags))
            except MlflowException:  # perhaps another process was faster
                experiment = self._client.get_experiment_by_name(name)
                if experiment is None:
                    raise
        if experiment.lifecycle_stage != "active":
            raise ValueError(f"name {name}: deleted in the store {self.uri}; restore it there, or use another name")
        for tag, value in experiment_tags().items():
            if tag not in experiment.tags:  # of an earlier version
                self._client.set_experiment_tag(experiment.experiment_id, tag, value)
        return str(experiment.experiment_id)

    def sweeps(self) -> list[StoredSweep]:
        """Those whose experiment is not deleted, the latest first."""
        experiments = {e.experiment_id: e for e in paged(self._client.search_experiments, max_results=PAGE)}
        query = {"filter_string": f"tags.`{names.KIND}` = '{names.SWEEP}'", "max_results": PAGE}
        order = ["attributes.start_time DESC"]
        runs: dict[str, list[mlflow.entities.Run]] = {}
        for run in paged(self._client.search_runs, experiment_ids=list(experiments), order_by=order, **query):
            runs.setdefault(run.info.experiment_id, []).append(run)
        return [_stored_sweep(experiments[experiment], of_sweep) for experiment, of_sweep in runs.items()]

    def run(self, run: str) -> Run:
        """A run that is in the store."""
        return Run(run, run_folders.folder_of(self.uri, self._client.get_run(run).info.artifact_uri))

    def create(self, experiment: str, name: str, tags: Mapping[str, str], started: float) -> Run:
        """A new run, begun at the Unix time `started`."""
        run = self._client.create_run(
            experiment, int(started * 1000), split(tags), storable(shortened(name, NAME_LENGTH))
        )
        return Run(run.info.run_id, run_folders.folder_of(self.uri, run.info.artifact_uri))

    def log(self, run: str, params: Mapping[str, str], points: Iterable[tuple[str, float, int, int]]) -> None:
        """Add parameters and metrics (name, value, milliseconds, step) in as few calls as MLflow allows.

        Parameters are for MLflow's pages: a value that is too long for them is shortened.
        """
        metrics = [Metric(*point) for point in points]
        shown = [Param(key, storable(shortened(value, PARAM_LENGTH))) for key, value in params.items()]
        first = BATCH - len(shown[:PARAMS])
        self._client.log_batch(run, metrics=metrics[:first], params=shown[:PARAMS])
        for start in range(PARAMS, len(shown), PARAMS):
            self._client.log_batch(run, params=shown[start : start + PARAMS])
        for start in range(first, len(metrics), BATCH):
            self._client.log_batch(run, metrics=metrics[start : start + BATCH])

    def input(self, run: str, name: str, digest: str) -> None:
        """Name the data set that the run was trained on; its content stays where it is."""
        data = Dataset(storable(shortened(name, DATA_LENGTH)), digest, "local", json.dumps({"uri": name}))
        self._client.log_inputs(run, [DatasetInput(data, [InputTag(DATA_CONTEXT, "training")])])

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

    def artefact_folders(self) -> list[Path]:
        """Where the artefacts of the runs are, a folder for each experiment that has them on this machine."""
        experiments = paged(self._client.search_experiments, max_results=PAGE, view_type=ViewType.ALL)
        folders = (local_path(experiment.artifact_location or "") for experiment in experiments)
        return sorted({folder for folder in folders if folder is not None})

    def knows(self, run: str) -> bool:
        """Whether the store has a run, deleted or not."""
        try:
            self._client.get_run(run)
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return False
            raise
        return True

    def measured(self, run: str, figures: Mapping[str, float]) -> None:
        """Add figures to a run that has ended."""
        now = int(time.time() * 1000)
        self.log(run, {}, [(stored_name(name), value, now, 0) for name, value in figures.items()])

    def tag(self, run: str, name: str, value: str) -> None:
        """Set one tag."""
        self._client.log_batch(run, tags=[RunTag(name, storable(value))])

    def write(self, run: Run, file: str, content: bytes) -> None:
        """Keep `content` as an artefact of the run."""
        if run.folder is None:
            with working_folder() as folder:
                (path := folder / file).write_bytes(content)
                self._client.log_artifact(run.id, str(path))
        else:  # the client would first read the run again, to find this folder
            make_folder(run.folder)  # on the disk: what is stored is kept nowhere else from then on
            write_whole(run.folder / file, content)

    def read(self, run: str, file: str) -> bytes:
        """An artefact of a run. Raises FileNotFoundError naming where it must be, OSError if it cannot be read."""
        uri = self._client.get_run(run).info.artifact_uri
        if folders := run_folders.folders_of(self.uri, uri):
            return run_folders.read(folders, file)
        if file not in {artefact.path for artefact in self._client.list_artifacts(run)}:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), f"{uri}/{file}")
        with working_folder() as folder:
            try:
                return Path(self._client.download_artifacts(run, file, str(folder))).read_bytes()
            except MlflowException as error:
                raise OSError(store_error(error)) from error

    def lacks(self, run: str, file: str) -> str:
        """Where an artefact of a run must be, and is not; "" if the run has it."""
        uri = self._client.get_run(run).info.artifact_uri
        if folders := run_folders.folders_of(self.uri, uri):
            return "" if any((f / file).is_file() for f in folders) else run_folders.words(folders, file)
        has = file in {artefact.path for artefact in self._client.list_artifacts(run)}
        return "" if has else f"{uri}/{file}"

    def end(self, run: str, status: str, ended: float | None = None) -> None:
        """Set the run's last status, reached at the Unix time `ended`, or now."""
        self._client.set_terminated(run, status, int((time.time() if ended is None else ended) * 1000))

    def is_running(self, run: str) -> bool:
        """Whether the run has not ended; False if it is deleted, for good too."""
        try:
            info = self._client.get_run(run).info
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return False
            raise
        return bool(info.status == "RUNNING" and info.lifecycle_stage == "active")

    def end_if_running(self, run: str, status: str) -> None:
        """Set the last status of a run that somebody else began, unless it has ended meanwhile.

        In a database that is one statement; of other stores the status is read again just before.
        """
        if _is_database(self.uri):
            database.end_if_running(self.uri, run, status, int(time.time() * 1000))
        elif self.is_running(run):
            self.end(run, status)


def _stored_sweep(experiment: mlflow.entities.Experiment, runs: Sequence[mlflow.entities.Run]) -> StoredSweep:
    """The sweep of these runs, the latest first."""
    described = (run.info.run_id for run in runs if DESCRIPTION in run.data.tags)
    return StoredSweep(
        name=experiment.name,
        experiment=experiment.experiment_id,
        tags=experiment.tags,
        latest=runs[0].info.run_id,
        described=next(described, None),
    )


def _opened(uri: str) -> MlflowClient:
    """The store's client. Tables, or their first row, that another program makes at this moment are found again."""
    try:
        return _opened_at_once(uri)
    except (MlflowException, SQLAlchemyError):
        if not _is_database(uri):
            raise
    return _opened_at_once(uri)


def _opened_at_once(uri: str) -> MlflowClient:
    if _is_ready(uri):
        return _client(uri)
    if (path := local_path(uri)) is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
    with creating(uri):
        if _is_database(uri):
            database.check_version(uri, MLFLOW, mlflow.__version__)
            if path is not None and not path.exists():
                make_file(uri, path, _create)
        return _client(uri)


def _create(uri: str) -> None:
    _client(uri)._tracking_client.store._dispose_engine()  # whose connections would follow the file


def _is_ready(uri: str) -> bool:
    """Whether opening the store creates nothing."""
    return database.is_current(uri, MLFLOW) if _is_database(uri) else exists(uri)


def _is_database(uri: str) -> bool:
    return urlsplit(uri).scheme not in (*SERVERS, "file")


def _client(uri: str) -> MlflowClient:
    on_server = urlsplit(uri).scheme in SERVERS
    waiting = said_if_slow(f"store {uri}: waiting for an answer") if on_server else contextlib.nullcontext()
    with patient_within_reason(), waiting:
        client = MlflowClient(tracking_uri=address(uri))
        client.search_experiments(max_results=1)
    return client
