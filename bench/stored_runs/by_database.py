"""The runs of a database whose tables are those of an MLflow that is known, in a query a table. Imports no MLflow."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import chain, count
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from bench.paging import address
from bench.stored_runs.query import Point, RunQuery, StoredRun, is_whole_piece
from bench.tags import PIECE

if TYPE_CHECKING:
    from sqlalchemy import Connection, Select
    from sqlalchemy.sql import TableClause

Result = TypeVar("Result")

# The versions of the tables, newest first, in which what is read here means the same: MLflow's from 3.5 on.
REVISIONS = (
    "dc11669786a5", "75868b020152", "b7e2c1a4d9f3", "17e22815139b", "1971f2d9a75b", "6f8d9c3b2a1e", "c3d9e7f1a2b4",
    "c1d2e3f4a5b6", "a8b9c0d1e2f3", "b7e4c1a90f23", "89d3d66ed43f", "da6fb0208061", "7d34483879f0", "ae8bbe7743c9",
    "a5b4c3d2e1f0", "c3d6457b6d8a", "76601a5f987d", "e1f2a3b4c5d6", "1b5f0d9ad7c1", "c8d9e0f1a2b3", "d0e1f2a3b4c5",
    "d3e4f5a6b7c8", "2c33131f4dae", "c9d4e5f6a7b8", "5d2d30f0abce", "b7c8d9e0f1a2", "1bd49d398cd23", "bf29a5ff90ea",
    "3da73c924c2f", "71994744cf8e", "534353b11cbc", "1a0cddfcaa16",
)  # fmt: skip
VERSIONS = "alembic_version"  # the table that says which
WORKSPACES = "MLFLOW_ENABLE_WORKSPACES"  # if it is set, MLflow shows some experiments of a database only
OTHERS = ("", "file", "http", "https")  # schemes of stores that are no database
NAMED = 500  # runs that one query names
NAN = float("nan")
FETCHED = 10_000  # rows that are fetched at once
FEW = 8  # names by which a query is faster: of more, sqlite looks for each name of each run


def is_database(uri: str) -> bool:
    """Whether it is an address of a database of which MLflow shows all."""
    return urlsplit(uri).scheme not in OTHERS and WORKSPACES not in os.environ


def is_latest(uri: str) -> bool:
    """Whether it is a database of the latest tables that are known, which needs no MLflow to be read."""
    return is_database(uri) and bool(_read(uri, lambda _: True, known=REVISIONS[:1]))


def runs(uri: str, query: RunQuery) -> list[StoredRun] | None:
    """See `reading.read_runs`; None if the tables are not known.

    The runs are read before what belongs to them: one that ends meanwhile is whole, or not there.
    """
    return _read(uri, lambda connection: _runs(connection, query))


def curves(uri: str, run_ids: Sequence[str], metrics: Sequence[str]) -> dict[str, list[Point]] | None:
    """See `reading.read_curves`; None if the tables are not known."""
    return _read(uri, lambda connection: _curves(connection, run_ids, metrics))


def locations(uri: str) -> list[Any] | None:
    """See `reading.read_locations`; None if the tables are not known."""
    from sqlalchemy import select

    column = _table("experiments", "artifact_location").c.artifact_location
    return _read(uri, lambda connection: list(connection.execute(select(column)).scalars()))


def _read(uri: str, read: Callable[[Connection], Result], known: Sequence[str] = REVISIONS) -> Result | None:
    from sqlalchemy import create_engine, inspect, select
    from sqlalchemy.pool import NullPool

    versions = _table(VERSIONS, "version_num")
    with create_engine(address(uri), poolclass=NullPool).connect() as connection:
        if not inspect(connection).has_table(VERSIONS):  # what is wrong, MLflow's client says
            return None
        stored = connection.execute(select(versions.c.version_num)).scalars().all()
        return read(connection) if stored and {*stored} <= {*known} else None


def _table(name: str, *columns: str) -> TableClause:
    """A table of MLflow's. Its columns have no types, so that values come as they are."""
    from sqlalchemy import column, table

    return table(name, *map(column, columns))


def _runs(connection: Connection, query: RunQuery) -> list[StoredRun]:
    chosen = _chosen(query)
    rows = {}
    for id_, experiment, status, started, files, value in chain.from_iterable(_fetched(connection, chosen)):
        if query.value in (None, value):  # to the letter, whatever a database takes to be equal
            tags = {query.tag: value} if query.tag in query.tags else {}
            rows[id_] = StoredRun(id=id_, experiment=experiment, status=status, started=started, files=files, tags=tags)
    if not rows:
        return []
    ids = _ids(connection, chosen, len(rows)) if {*query.tags, *query.parameters, *query.metrics} else None
    _add_tags(connection, ids, query, rows)
    same: dict[str, str] = {}  # one object of equal texts: most runs have the same
    for some in _values(connection, "params", ids, query.parameters):
        for id_, name, text in some:
            if (run := rows.get(id_)) is not None and name in query.parameters:
                run.parameters[same.setdefault(name, name)] = same.setdefault(text, text)
    metrics_of, metrics = {id_: run.metrics for id_, run in rows.items()}, {name: name for name in query.metrics}
    for some in _values(connection, "latest_metrics", ids, query.metrics, "is_nan"):
        for id_, name, number, is_nan in some:
            if name in metrics and id_ in metrics_of:
                metrics_of[id_][metrics[name]] = NAN if is_nan else number
    return list(rows.values())


def _ids(connection: Connection, chosen: Select[Any], count: int) -> Select[Any] | None:
    """Their identities; None if they are most runs of the store: it is faster then to read all, and leave some."""
    from sqlalchemy import func, select

    stored = connection.execute(select(func.count()).select_from(_table("runs"))).scalar_one()
    return None if 2 * count > stored else chosen.with_only_columns(chosen.selected_columns[0]).order_by(None)


def _chosen(query: RunQuery) -> Select[Any]:
    """The runs in MLflow's order, each with the value of its tag."""
    from sqlalchemy import case, select

    runs = _table(
        "runs", "run_uuid", "experiment_id", "status", "start_time", "end_time", "lifecycle_stage", "artifact_uri"
    )
    experiments = _table("experiments", "experiment_id", "name", "lifecycle_stage")
    tags = _table("tags", "run_uuid", "key", "value")
    chosen = (
        select(runs.c.run_uuid, experiments.c.name, runs.c.status, runs.c.start_time, runs.c.artifact_uri, tags.c.value)
        .join(experiments, experiments.c.experiment_id == runs.c.experiment_id)
        .join(tags, tags.c.run_uuid == runs.c.run_uuid)
        .where(runs.c.lifecycle_stage == "active", experiments.c.lifecycle_stage == "active", tags.c.key == query.tag)
        .where(tags.c.value.is_not(None) if query.value is None else tags.c.value == query.value)
    )
    if query.statuses:
        chosen = chosen.where(runs.c.status.in_(query.statuses))
    if query.run:
        chosen = chosen.where(runs.c.run_uuid == query.run)
    if query.experiment is not None:
        chosen = chosen.where(runs.c.experiment_id == int(query.experiment))
    if query.ended_since:
        chosen = chosen.where(runs.c.end_time >= query.ended_milliseconds)
    if query.oldest_first:
        without_start = case((runs.c.start_time.is_(None), 1), else_=0)
        return chosen.order_by(without_start, runs.c.start_time, runs.c.run_uuid)
    return chosen.order_by(runs.c.start_time.desc(), runs.c.run_uuid)


def _add_tags(connection: Connection, ids: Select[Any] | None, query: RunQuery, rows: Mapping[str, StoredRun]) -> None:
    """Tags but the one that all have, in as many rounds as the longest value has pieces."""
    names = {name: name for name in query.tags if name != query.tag}  # key of a piece -> name of its tag
    read = _values(connection, "tags", ids, names, beginning=query.beginning)
    longer = [(id_, query.tag) for id_, run in rows.items() if is_whole_piece(run.tags.get(query.tag))]
    longer += [(run, names[key]) for run, key in _take_tags(read, rows, names, query.beginning)]
    for number in count(1):
        if not longer:
            return
        wanted = {(run, f"{name}.{number}") for run, name in longer}
        names = {f"{name}.{number}": name for _, name in longer}
        read = _values(connection, "tags", ids, names)
        longer = [(run, names[key]) for run, key in _take_tags(read, rows, names, wanted=wanted)]


def _take_tags(
    read: Iterator[Sequence[Any]],
    rows: Mapping[str, StoredRun],
    names: Collection[str],
    beginning: str = "",
    wanted: Collection[tuple[str, str]] | None = None,
) -> list[tuple[str, str]]:
    """Put these tags into their runs. Returns run and key of each value of `names` that may go on in another tag.

    Args: wanted: of tags of these names the only ones, by run and key.
    """
    longer = []
    same: dict[str, str] = {}
    for some in read:
        for id_, key, text in some:
            is_named = key in names  # to the letter, as above
            if not is_named and not (beginning and key.startswith(beginning)):
                continue
            if (run := rows.get(id_)) is None or (wanted is not None and (id_, key) not in wanted):
                continue
            run.tags[same.setdefault(key, key)] = same.setdefault(text, text)
            if type(text) is str and len(text) == PIECE and is_named:  # `is_whole_piece`, of some hundred thousand
                longer.append((id_, key))
    return longer


def _values(
    connection: Connection,
    table: str,
    ids: Select[Any] | None,
    names: Collection[str],
    *more: str,
    beginning: str = "",
) -> Iterator[Sequence[Any]]:
    """Rows of run, key, value and more, of these runs and names; and of others, if that is faster. Many at a time."""
    from sqlalchemy import or_, select

    columns = _table(table, "run_uuid", "key", "value", *more).c
    if not names and not beginning:
        return
    statement = select(columns.run_uuid, columns.key, columns.value, *(columns[name] for name in more))
    if ids is not None:
        statement = statement.where(columns.run_uuid.in_(ids))
    if len(names) <= FEW:
        begins = [columns.key.startswith(beginning, autoescape=True)] if beginning else []
        statement = statement.where(or_(columns.key.in_(names), *begins))
    yield from _fetched(connection, statement)


def _fetched(connection: Connection, statement: Select[Any]) -> Iterator[Sequence[Any]]:
    """The rows as the driver gives them, many at a time: SQLAlchemy's own objects take twice as long."""
    cursor = connection.execute(statement).cursor
    assert cursor is not None  # of a SELECT there always is one
    while rows := cursor.fetchmany(FETCHED):
        yield rows


def _curves(connection: Connection, run_ids: Sequence[str], metrics: Sequence[str]) -> dict[str, list[Point]]:
    from sqlalchemy import select

    columns = _table("metrics", "run_uuid", "key", "value", "is_nan", "step", "timestamp").c
    statement = select(columns.run_uuid, columns.key, columns.step, columns.timestamp, columns.value, columns.is_nan)
    statement = statement.order_by(columns.timestamp, columns.step, columns.value)
    curves: dict[str, dict[str, list[Point]]] = {run: {metric: [] for metric in metrics} for run in run_ids}
    for start in range(0, len(run_ids), NAMED):
        of_runs = columns.run_uuid.in_(run_ids[start : start + NAMED])
        rows = connection.execute(statement.where(columns.key.in_(metrics), of_runs))
        for run, metric, step, timestamp, value, is_nan in rows:
            curves[run][metric].append(Point(step, timestamp, float("nan") if is_nan else value))
    return {run: next(filter(None, of_run.values()), []) for run, of_run in curves.items()}
