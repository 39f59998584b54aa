"""A run that has ended, written to MLflow's tables whole, in one transaction: the rows that MLflow's client writes.

The client takes eight transactions and some fifty statements for a trial. It is still what writes where the tables are
not those that are known here, where files go through a server, and where MLflow keeps workspaces apart.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from bench.paging import address
from bench.storage import mlflow_fields, run_folders
from bench.storage.client.run_files import Run, address_of
from bench.storage.client.writing import data_row, shown_parameters
from bench.storage.entry import Entry
from bench.storage.sql.driver import engine_of
from bench.storage.store_uri import local_path
from bench.stored_runs import by_database
from bench.tags import split

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.sql import TableClause

TABLES = by_database.REVISIONS[:1]  # the versions of the tables in which these are the rows: the tests compare them
WAIT_SECONDS = 20  # for a file that others write, as MLflow's client waits
LARGEST = 1.7976931348623157e308  # what stands for infinity, which SQL does not know

Rows = dict[str, list[dict[str, Any]]]  # table -> its new rows


@dataclass(frozen=True, kw_only=True)
class EndedRun:
    """A run, and all that is written of it."""

    name: str
    status: str
    started: float  # Unix times
    ended: float
    tags: Mapping[str, str]
    parameters: Mapping[str, str]
    points: Sequence[tuple[str, float, int, int]]  # metric, value, milliseconds, step
    data: tuple[str, str]  # name and digest of what it was trained on


def of_trial(entry: Entry, tags: Mapping[str, str]) -> EndedRun:
    """The run of a finished trial.

    Args: tags: which are added to the trial's own, as those of its sweep.
    """
    return EndedRun(
        name=mlflow_fields.run_name(entry.spec, entry.method),
        status="FINISHED" if entry.is_final else "FAILED",
        started=entry.result.started,
        ended=entry.result.ended,
        tags={**mlflow_fields.origin(), **mlflow_fields.tags(entry), **tags},
        parameters=mlflow_fields.parameters(entry),
        points=list(mlflow_fields.points(entry.result)),
        data=mlflow_fields.data_set(entry.spec),
    )


class EndedRuns:
    """Writes such runs to the database of a store."""

    def __init__(self, uri: str) -> None:
        self._uri = uri

    @cached_property
    def _engine(self) -> Engine:
        options = {"timeout": WAIT_SECONDS} if local_path(self._uri) else {}
        return engine_of(address(self._uri), **options)

    def write(self, run_id: str, experiment: str, run: EndedRun, keep_files: Callable[[Run], None]) -> bool:
        """Write the run, after its files, unless it is there; whether that is possible here.

        Args: run_id: of `new_id`; again the same when a write is tried again, which may have succeeded after all.
        """
        if not by_database.is_database(self._uri):
            return False
        with self._engine.begin() as connection:
            location = _location(connection, experiment)
            uri = address_of(location, run_id) if location else ""
            if (folder := run_folders.folder_of(self._uri, uri) if uri else None) is None:
                return False
            if not _select(connection, "runs", ["run_uuid"], run_uuid=run_id):
                with _whole_or_gone(folder.parent):
                    keep_files(Run(run_id, folder))
                    new = rows(run_id, experiment, uri, run) | _data(connection, run_id, experiment, run)
                    insert_rows(connection, new)
        return True


@contextmanager
def _whole_or_gone(folder: Path) -> Iterator[None]:
    """Removes the folder of a run again if what follows fails, on a full disk for one: no row names it then."""
    try:
        yield
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def new_id() -> str:
    """The identity of a new run."""
    return uuid4().hex


def insert_rows(connection: Connection, new: Rows) -> None:
    """Insert rows, a statement for each table, in this order."""
    from sqlalchemy import insert

    for name, of_table in new.items():
        if of_table:
            connection.execute(insert(_table(name, of_table[0])), of_table)


def rows(run_id: str, experiment: str, uri: str, run: EndedRun) -> Rows:
    """The rows of a run but for those of its data set.

    Args: uri: of its files.
    """
    points = list({tuple(point.values()): point for point in _points(run_id, run)}.values())
    latest: dict[str, dict[str, Any]] = {}
    for point in points:
        if (last := latest.get(point["key"])) is None or _moment(point) > _moment(last):
            latest[point["key"]] = point
    return {
        "runs": [_run_row(run_id, experiment, uri, run)],
        "tags": _texts(run_id, split(run.tags) | {mlflow_fields.RUN_NAME: run.name}),
        "params": _texts(run_id, shown_parameters(run.parameters)),
        "metrics": points,
        "latest_metrics": list(latest.values()),
    }


def _run_row(run_id: str, experiment: str, uri: str, run: EndedRun) -> dict[str, Any]:
    return {
        **dict.fromkeys(("source_name", "entry_point_name", "source_version"), ""),
        "run_uuid": run_id,
        "name": run.name,
        "source_type": "UNKNOWN",
        "user_id": run.tags.get(mlflow_fields.USER, "unknown"),
        "experiment_id": int(experiment),
        "artifact_uri": uri,
        "status": run.status,
        "start_time": int(run.started * 1000),
        "end_time": int(run.ended * 1000),
        "lifecycle_stage": "active",
    }


def _points(run_id: str, run: EndedRun) -> Iterator[dict[str, Any]]:
    for key, value, milliseconds, step in run.points:
        is_nan = math.isnan(value)
        number = 0.0 if is_nan else max(-LARGEST, min(LARGEST, float(value)))
        yield {
            "run_uuid": run_id,
            "key": key,
            "value": number,
            "timestamp": milliseconds,
            "step": step,
            "is_nan": is_nan,
        }


def _moment(point: Mapping[str, Any]) -> tuple[int, int, float]:
    """What orders the points of a metric, in MLflow too."""
    return point["step"], point["timestamp"], point["value"]


def _texts(run_id: str, values: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{"run_uuid": run_id, "key": key, "value": value} for key, value in values.items()]


def _location(connection: Connection, experiment: str) -> str | None:
    """Where the files of an experiment are; None if MLflow's client must say what is wrong, or knows better."""
    versions = {version for (version,) in _select(connection, by_database.VERSIONS, ["version_num"])}
    if not versions or not versions <= {*TABLES}:
        return None
    found = _select(connection, "experiments", ["artifact_location", "lifecycle_stage"], experiment_id=int(experiment))
    return next((location for location, stage in found if stage == "active"), None)


def _data(connection: Connection, run_id: str, experiment: str, run: EndedRun) -> Rows:
    """The rows that name the run's data set, which all runs of an experiment share."""
    data, tag = data_row(*run.data)
    identity = {"experiment_id": int(experiment), "name": data["name"], "digest": data["digest"]}
    found = _select(connection, "datasets", ["dataset_uuid"], **identity)
    data_id, link = found[0][0] if found else new_id(), new_id()
    ends = {"source_type": "DATASET", "source_id": data_id, "destination_type": "RUN", "destination_id": run_id}
    return {
        "datasets": [] if found else [{"dataset_uuid": data_id, "experiment_id": int(experiment), **data}],
        "inputs": [{"input_uuid": link, "step": 0, **ends}],
        "input_tags": [{"input_uuid": link, **tag}],
    }


def _select(connection: Connection, name: str, wanted: Sequence[str], /, **equal: Any) -> Sequence[Any]:
    from sqlalchemy import select

    columns = _table(name, [*wanted, *equal]).c
    where = [columns[column] == value for column, value in equal.items()]
    return connection.execute(select(*(columns[column] for column in wanted)).where(*where)).all()


def _table(name: str, columns: Sequence[str] | Mapping[str, Any]) -> TableClause:
    """A table of MLflow's. Its columns have no types, so that values go as they are."""
    from sqlalchemy import column, table

    return table(name, *map(column, dict.fromkeys(columns)))
