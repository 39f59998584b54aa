"""The runs of a store, by the fastest way that it has.

MLflow's search makes an object of every tag, parameter, figure and input of every run: half a minute of 20,000 trials.
"""

from __future__ import annotations

from collections.abc import Sequence

from bench.paging import without_collector
from bench.stored_runs import by_client, by_database
from bench.stored_runs.query import Point, RunQuery, StoredRun
from bench.tags import whole


def read_runs(uri: str, query: RunQuery) -> list[StoredRun]:
    """The runs of a store that exists."""
    with without_collector():
        if by_database.is_database(uri) and (runs := by_database.runs(uri, query)) is not None:
            return runs
        return by_client.runs(uri, query)


def tagged(
    uri: str, tag: str, status: str, *, experiment: str | None = None, ended_since: float = 0.0
) -> list[tuple[str, str]]:
    """(run, value) of the runs with a tag and a status, oldest first; from one experiment, or from all.

    Args: ended_since: a Unix time; of runs that have ended, those that did so later.
    """
    query = RunQuery(
        tag=tag, statuses=(status,), experiment=experiment, ended_since=ended_since, oldest_first=True, tags=(tag,)
    )
    return [(run.id, whole(run.tags, tag)) for run in read_runs(uri, query)]


def read_locations(uri: str) -> list[str]:
    """Where the files of the runs of each experiment are, of deleted ones too."""
    if by_database.is_database(uri) and (locations := by_database.locations(uri)) is not None:
        return [*filter(None, locations)]
    return [*filter(None, by_client.locations(uri))]


def read_curves(uri: str, runs: Sequence[str], metrics: Sequence[str]) -> dict[str, list[Point]]:
    """Run -> all points of the first of these metrics that it has any of, as they were written."""
    with without_collector():
        if by_database.is_database(uri) and (curves := by_database.curves(uri, runs, metrics)) is not None:
            return curves
        return by_client.curves(uri, runs, metrics)
