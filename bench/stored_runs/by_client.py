"""The runs of any store, through MLflow's client."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bench.paging import address, paged
from bench.stored_runs.query import Point, RunQuery, StoredRun, pieces

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

PAGE = 10_000  # runs per call of a search; a server gives no more than it likes


def runs(uri: str, query: RunQuery) -> list[StoredRun]:
    """See `reading.read_runs`."""
    client = _client(uri)
    experiments = {e.experiment_id: e.name for e in paged(client.search_experiments)}
    if query.experiment is not None:
        experiments = {id_: name for id_, name in experiments.items() if id_ == query.experiment}
    if not experiments:
        return []
    search = {"filter_string": _filter(query), "experiment_ids": [*experiments], "max_results": PAGE}
    order = ["attributes.start_time ASC"] if query.oldest_first else []
    return [
        _run(run, experiments[run.info.experiment_id], query)
        for run in paged(client.search_runs, order_by=order, **search)
        if not query.statuses or run.info.status in query.statuses
    ]


def locations(uri: str) -> list[Any]:
    """See `reading.read_locations`."""
    from mlflow.entities import ViewType

    return [e.artifact_location for e in paged(_client(uri).search_experiments, view_type=ViewType.ALL)]


def _client(uri: str) -> MlflowClient:
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # reading sends nothing anywhere
    from mlflow import MlflowClient

    return MlflowClient(address(uri))


def _filter(query: RunQuery) -> str:
    value = "LIKE '%'" if query.value is None else f"= '{query.value}'"
    filters = [f"tags.`{query.tag}` {value}"]
    if len(query.statuses) == 1:  # of several, MLflow takes no list
        filters += [f"attributes.status = '{status}'" for status in query.statuses]
    if query.run:
        filters.append(f"attributes.run_id = '{query.run}'")
    if query.ended_since:
        filters.append(f"attributes.end_time >= {query.ended_milliseconds}")
    return " AND ".join(filters)


def _run(run: Run, experiment: str, query: RunQuery) -> StoredRun:
    tags = run.data.tags
    wanted = {piece for name in query.tags for piece in pieces(tags, name)}
    if query.beginning:
        wanted |= {name for name in tags if name.startswith(query.beginning)}
    return StoredRun(
        id=run.info.run_id,
        experiment=experiment,
        status=run.info.status,
        started=run.info.start_time,
        files=run.info.artifact_uri,
        tags={name: tags[name] for name in wanted},
        parameters=_those(run.data.params, query.parameters),
        metrics=_those(run.data.metrics, query.metrics),
    )


def _those(values: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: values[name] for name in names if name in values}


def curves(uri: str, run_ids: Sequence[str], metrics: Sequence[str]) -> dict[str, list[Point]]:
    """See `reading.read_curves`."""
    client = _client(uri)
    return {run: list(_points(client, run, metrics)) for run in run_ids}


def _points(client: MlflowClient, run: str, metrics: Sequence[str]) -> Iterator[Point]:
    for metric in metrics:
        if points := client.get_metric_history(run, metric):
            yield from (Point(point.step, point.timestamp, point.value) for point in points)
            return
