"""What is read of a database by queries is what MLflow's client gives, of any runs in any order."""

from __future__ import annotations

import math
import random
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import mlflow
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from small_store import empty
from sqlalchemy import create_engine, text

from bench import names
from bench.storage.database import versions
from bench.stored_runs import by_client, by_database
from bench.stored_runs.query import Point, RunQuery, StoredRun
from bench.stored_runs.reading import read_curves, read_locations, read_runs
from bench.tags import PIECE, split, whole

TAGS = ("bench.spec", "bench.kind", "bench.Kind", "bench.spec.1", "bench_spec", "bench.run_key", "von anderen")
VALUES = ("trial", "Trial", "sweep", "", "x" * PIECE, "y" * (2 * PIECE + 7), "ß | ' %_", "100%")
METRICS = ("accuracy/test_accuracy", "test_accuracy", "curve/train_loss", "loss")
NUMBERS = (0.1, -0.0, math.nan, math.inf, -math.inf, 1e-300, 3.0, 2.0**60)
STATUSES = ("FINISHED", "FAILED", "KILLED", "RUNNING")
LIKE_BENCH = "bench.s%'_e"  # the beginning of a tag, with what means something to a database


def fill(uri: str) -> list[str]:
    """Runs of all kinds, also deleted ones, those of a deleted experiment and of other people; their identities."""
    client, draw = MlflowClient(uri), random.Random(7)
    experiments = [client.create_experiment(name) for name in ("first", "second", "deleted")]
    runs = []
    for number in range(40):
        tags = {tag: draw.choice(VALUES) for tag in TAGS if draw.random() < 0.5}
        tags |= {f"{LIKE_BENCH}{number}": "linked"} if number % 3 == 0 else {"bench.s%'_E": "other case"}
        tags |= {f"bench.spec.{piece}": "left over" for piece in (2, 10) if draw.random() < 0.2}
        if number == 1:  # a value that fills its tag, and does not go on
            tags = {name: text for name, text in tags.items() if name != "bench.spec.1"} | {"bench.spec": "x" * PIECE}
        started = draw.choice((0, 1_000, 1_000, 2_000, 10**12))
        run = client.create_run(experiments[number % 3], started, split(tags)).info.run_id
        points = [
            Metric(draw.choice(METRICS), draw.choice(NUMBERS), draw.choice((5, 6)), draw.randrange(3))
            for _ in range(draw.randrange(12))
        ]
        parameters = [Param(name, draw.choice(("10", "ten", ""))) for name in ("classes", "layers", "lr")[: number % 4]]
        client.log_batch(run, points, parameters, [RunTag("late", str(number))])
        if (status := draw.choice(STATUSES)) != "RUNNING":
            client.set_terminated(run, status, draw.choice((3_000, 4_000, 10**12)))
        if number % 7 == 0:
            client.delete_run(run)
        runs.append(run)
    client.rename_experiment(experiments[1], "renamed")
    client.delete_experiment(experiments[2])
    return runs


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, list[str]]]:
    if request.param == "sqlite":
        (file := tmp_path_factory.mktemp("store") / "mlflow.db").write_bytes(empty())
        yield f"sqlite:///{file}", fill(f"sqlite:///{file}")
        return
    uri = request.getfixturevalue("server").database()
    yield uri, fill(uri)


def comparable(values: Any) -> Any:
    """With words for what equals nothing, not even itself."""
    if isinstance(values, float):
        return "nan" if math.isnan(values) else repr(values)
    if isinstance(values, dict):
        return {name: comparable(value) for name, value in values.items()}
    if isinstance(values, StoredRun | Point):
        return [comparable(getattr(values, name)) for name in values.__slots__]
    return [comparable(value) for value in values] if isinstance(values, list) else values


def in_order(curves: dict[str, list[Point]]) -> dict[str, list[Any]]:
    """Points of one step and moment come in any order."""
    return {run: sorted(comparable(points)) for run, points in curves.items()}


some = st.lists(st.sampled_from([*TAGS, "late", "bench.s"]), unique=True)
queries = st.builds(
    RunQuery,
    tag=st.sampled_from([*TAGS, "late", "nobody's"]),
    value=st.none() | st.sampled_from([value for value in VALUES if "'" not in value and len(value) < PIECE]),
    statuses=st.lists(st.sampled_from(STATUSES), unique=True),
    experiment=st.sampled_from([None, None, "1", "2", "3"]),
    ended_since=st.sampled_from([0.0, 3.0, 3.0015, 4.0, 1e9 + 1]),
    oldest_first=st.booleans(),
    tags=some,
    beginning=st.sampled_from(["", LIKE_BENCH, "bench."]),
    parameters=st.lists(st.sampled_from(["classes", "lr", "none"]), unique=True),
    metrics=st.lists(st.sampled_from([*METRICS, "none"]), unique=True),
)


@given(query=queries)
@settings(max_examples=60, deadline=None, phases=[Phase.explicit, Phase.generate], suppress_health_check=[*HealthCheck])
def test_a_database_is_read_as_the_client_reads_it(store: tuple[str, list[str]], query: RunQuery) -> None:
    fast = by_database.runs(store[0], query)
    assert fast is not None
    assert comparable(fast) == comparable(by_client.runs(store[0], query))


def test_one_run_is_read_as_the_client_reads_it(store: tuple[str, list[str]]) -> None:
    uri, runs = store
    read = {}
    for run in (*runs[:8], "0" * 32):
        query = RunQuery(tag="late", run=run, tags=TAGS, metrics=METRICS)
        read[run] = by_database.runs(uri, query)
        assert comparable(read[run]) == comparable(by_client.runs(uri, query))
    assert {len(of_run or ()) for of_run in read.values()} == {0, 1}  # some are deleted


def test_where_the_files_are_is_what_the_client_says(store: tuple[str, list[str]]) -> None:
    locations = by_database.locations(store[0])
    assert locations is not None and len(locations) == 4  # of a deleted experiment too
    assert sorted(read_locations(store[0])) == sorted(locations) == sorted(by_client.locations(store[0]))


@pytest.mark.parametrize("metrics", [METRICS[:1], METRICS[:2], METRICS[::-1], ("none",)])
def test_curves_are_those_of_the_client(
    store: tuple[str, list[str]], metrics: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    uri, runs = store
    monkeypatch.setattr(by_database, "NAMED", 7)  # several queries
    fast = by_database.curves(uri, runs, metrics)
    assert fast is not None and list(fast) == runs
    assert in_order(fast) == in_order(by_client.curves(uri, runs, metrics))
    assert in_order(read_curves(uri, runs, metrics)) == in_order(fast)


def test_the_store_has_what_is_to_be_told_apart(store: tuple[str, list[str]]) -> None:
    uri, runs = store
    read = read_runs(uri, RunQuery(tag="late", tags=TAGS, beginning=LIKE_BENCH, metrics=METRICS, parameters=("lr",)))
    assert 5 < len(read) < len(runs)  # others are deleted
    assert {run.experiment for run in read} == {"first", "renamed"}
    lengths = {len(whole(run.tags, "bench.spec")) for run in read}
    assert lengths >= {0, PIECE} and max(lengths) >= 2 * PIECE
    numbers = [value for run in read for value in run.metrics.values()]
    assert any(map(math.isnan, numbers)) and max(n for n in numbers if not math.isnan(n)) > 1e308
    assert any(run.parameters for run in read) and any(name.startswith(LIKE_BENCH) for run in read for name in run.tags)


def test_pages_of_a_client_are_followed(store: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    query = RunQuery(tag="late", oldest_first=True, tags=TAGS)
    expected = by_client.runs(store[0], query)
    monkeypatch.setattr(by_client, "PAGE", 4)
    assert by_client.runs(store[0], query) == expected


def test_the_tables_of_this_mlflow_are_known() -> None:
    """A newer MLflow than is known is read through its client: slowly, until somebody has compared its tables."""
    installed = versions(Path(mlflow.__file__).parent)
    assert installed[: len(by_database.REVISIONS)] == [*by_database.REVISIONS]


@pytest.mark.parametrize("version", ["0123456789ab", None])
def test_unknown_tables_are_left_to_the_client(tmp_path: Path, version: str | None) -> None:
    (file := tmp_path / "mlflow.db").write_bytes(empty())
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?" if version else "DELETE FROM alembic_version",
                           (version,) if version else ())  # fmt: skip
    connection.close()
    assert by_database.runs(f"sqlite:///{file}", RunQuery(tag=names.KIND)) is None
    assert by_database.curves(f"sqlite:///{file}", [], []) is None


@pytest.mark.parametrize("uri", ["http://127.0.0.1:5000", "https://host/mlflow", "file:///mlruns", "/mlruns"])
def test_what_is_no_database_is_left_to_the_client(uri: str) -> None:
    assert not by_database.is_database(uri)


def test_workspaces_are_left_to_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    assert by_database.is_database("sqlite:///mlflow.db")
    monkeypatch.setenv(by_database.WORKSPACES, "true")
    assert not by_database.is_database("sqlite:///mlflow.db")


def test_a_tag_without_a_value_is_none(store: tuple[str, list[str]]) -> None:
    """Somebody has changed the database by hand."""
    uri, (_, run, *_) = store
    with create_engine(uri).begin() as connection:
        connection.execute(text("UPDATE tags SET value = NULL WHERE key = 'late' AND run_uuid = :run"), {"run": run})
    query = RunQuery(tag="late", tags=("late",))
    assert run not in {read.id for read in read_runs(uri, query)}
    assert comparable(by_database.runs(uri, query)) == comparable(by_client.runs(uri, query))
