"""A run that has ended, as rows of MLflow's tables: those that MLflow's client writes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from bench.storage import mlflow_fields
from bench.storage.client.writing import shown_parameters
from bench.storage.entry import Entry
from bench.tags import split

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.sql import TableClause

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


def new_id() -> str:
    """The identity of a new run."""
    return uuid4().hex


def insert_rows(connection: Connection, new: Rows) -> None:
    """Insert rows, a statement for each table, in this order."""
    from sqlalchemy import insert

    for name, of_table in new.items():
        if of_table:
            connection.execute(insert(table_of(name, of_table[0])), of_table)


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


def table_of(name: str, columns: Sequence[str] | Mapping[str, Any]) -> TableClause:
    """A table of MLflow's. Its columns have no types, so that values go as they are."""
    from sqlalchemy import column, table

    return table(name, *map(column, dict.fromkeys(columns)))
