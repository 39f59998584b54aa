"""A run that is written at once has the rows that MLflow's client writes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from postgresql import Server
from sqlalchemy import MetaData, create_engine, event, text
from sqlalchemy.engine import Engine
from stored_entries import entry, keys

from bench import names
from bench.metrics import METRICS
from bench.storage import stored_trials
from bench.storage.client.opening import MLFLOW
from bench.storage.client.run_files import Run
from bench.storage.database import versions
from bench.storage.entry import Entry
from bench.storage.mlflow_store import Store
from bench.storage.recorder import Recorder
from bench.storage.sql import run_writer
from bench.storage.sql.ended_run import EndedRun, new_id
from bench.storage.sql.run_writer import NewRun
from bench.test_right import encoded

RANDOM = {"run_uuid", "dataset_uuid", "input_uuid", "source_id", "destination_id"}  # identities, drawn anew
OF_A_SWEEP = {"creation_time", "last_update_time", "artifact_uri", "artifact_location", "start_time", "end_time"}


def full_entry(seed: int = 0, outcome: str = names.DONE) -> Entry:
    """A trial of three epochs with every figure, a reason that is split, and a tag that no store takes as it is."""
    epochs = [{names.TRAIN_LOSS: 1 / (epoch + 1), names.VALIDATION_ACCURACY: epoch} for epoch in range(3)]
    metrics = dict.fromkeys(METRICS, 0.5) | {names.STORED_BYTES: 4096}
    tags = {names.TEST_RIGHT: encoded(np.arange(10) < 5), "bench.host": "a\0b"}
    long = entry(seed, outcome)
    result = replace(long.result, epochs=epochs, metrics=metrics, tags=tags, reason="x" * 12_000, layers=[{"a": 1}])
    spec = {**long.spec, "dataset": "d" * 600, "note": "n" * 7000}
    return replace(long, spec=spec, method="m" * 300, result=result)


WAYS = ("together", "one by one", "in calls")


def stored(uri: str, entries: list[Entry], monkeypatch: pytest.MonkeyPatch, way: str) -> dict[str, Any]:
    """Store the entries; table -> its rows in some order, without what is drawn or read from the clock."""
    with monkeypatch.context() as patch:
        if way == "one by one":
            patch.setattr("bench.storage.delivery.write_queue.MOST", 1)
        if way == "in calls":
            patch.setattr(run_writer, "TABLES", ())
        with Recorder(uri, "sweep", [e.run_key for e in entries], {}, "bench run") as recorder:
            for one in entries:
                recorder.put(one)
    return {name: sorted(map(repr, of_table)) for name, of_table in tables(uri).items()}


def tables(uri: str) -> dict[str, list[dict[str, Any]]]:
    engine, found = create_engine(uri), MetaData()
    found.reflect(engine)
    with engine.connect() as connection:
        every = {name: connection.execute(table.select()).mappings().all() for name, table in found.tables.items()}
    of_sweeps = {row["run_uuid"] for row in every["tags"] if (row["key"], row["value"]) == (names.KIND, names.SWEEP)}
    left_out = (names.OWNER, names.PARENT, names.IN_SWEEP + "sweep")
    return {
        name: [
            {key: value for key, value in row.items() if key not in RANDOM | OF_A_SWEEP}
            for row in rows
            if row.get("key") not in left_out and (name not in METRIC_TABLES or row["run_uuid"] not in of_sweeps)
        ]
        for name, rows in every.items()
    }


RUN = EndedRun(
    name="one", status="FINISHED", started=1.0, ended=2.0, tags={}, parameters={}, points=(), data=("d", "0")
)


def new(run: EndedRun, id_: str = "") -> NewRun:
    """A run without files."""
    return NewRun(id=id_ or new_id(), run=run, keep_files=lambda _: None)


METRIC_TABLES = ("metrics", "latest_metrics")  # where a sweep's rows have the clock's time


def test_the_tables_are_those_of_the_mlflow_that_is_installed() -> None:
    """If a new MLflow has others: the test below compares the rows, then REVISIONS names its version first."""
    assert versions(MLFLOW)[0] in run_writer.TABLES


def test_every_row_is_as_the_client_writes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [full_entry(0), full_entry(1, names.DIVERGED), full_entry(2, names.FAILED), entry(3)]
    uris = [f"sqlite:///{tmp_path}/{way}/mlflow.db" for way in WAYS]
    ours, one_by_one, theirs = (stored(uri, entries, monkeypatch, way) for uri, way in zip(uris, WAYS, strict=True))
    assert ours == one_by_one == theirs
    assert len(ours["runs"]) == 5 and len(ours["datasets"]) == 2 and len(ours["inputs"]) == 4
    assert len(ours["metrics"]) > len(ours["latest_metrics"]) > 30


def test_every_row_in_postgresql_too(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    entries = [full_entry(0), full_entry(2, names.FAILED)]
    ours, one_by_one, theirs = (stored(server.database(), entries, monkeypatch, way) for way in WAYS)
    assert ours == one_by_one == theirs and len(ours["runs"]) == 3 and len(ours["datasets"]) == 1


def test_moments_and_addresses_are_as_the_client_writes_them(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/mlflow.db")
    experiment = store.experiment("sweep")
    by_client = store.create(experiment, "one", {}, 1.2345)
    store.end(by_client.id, "FINISHED", 2.3456)
    run = replace(RUN, started=1.2345, ended=2.3456)
    folders: list[Run] = []
    id_ = new_id()
    assert store.add(experiment, [NewRun(id=id_, run=run, keep_files=folders.append)])
    infos = [store._client.get_run(of).info for of in (by_client.id, id_)]
    assert (
        len({(info.start_time, info.end_time, info.user_id, info.status, info.lifecycle_stage) for info in infos}) == 1
    )
    assert len({info.artifact_uri.replace(info.run_id, "ID") for info in infos}) == 1
    assert folders == [store.run(id_)]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), 3])
def test_numbers_that_sql_does_not_know(tmp_path: Path, value: float) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    store = Store(uri)
    experiment = store.experiment("sweep")
    points = [("m", value, 5, 0), ("m", 1.0, 5, 0), ("m", value, 5, 0), ("n", 2.0, 9, 1), ("n", 3.0, 4, 1)]
    by_client = store.create(experiment, "one", {}, 1.0).id
    store.log(by_client, {}, points)
    run = replace(RUN, points=points)
    id_ = new_id()
    assert store.add(experiment, [new(run, id_)])
    with create_engine(uri).connect() as connection:
        for table in ("metrics", "latest_metrics"):
            query = text(f"SELECT key, value, timestamp, step, is_nan FROM {table} WHERE run_uuid = :run ORDER BY 1, 2")
            ours, theirs = (connection.execute(query, {"run": of}).all() for of in (id_, by_client))
            assert ours == theirs and ours


def test_a_write_that_succeeded_and_is_tried_again_adds_nothing(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    store = Store(uri)
    run = replace(RUN, tags={names.KIND: names.TRIAL}, parameters={"a": "b"}, points=[("m", 1.0, 1, 0)])
    calls: list[Run] = []
    id_, experiment = new_id(), store.experiment("sweep")
    for _ in range(2):
        assert store.add(experiment, [NewRun(id=id_, run=run, keep_files=calls.append)])
    assert len(calls) == 1 and len(tables(uri)["inputs"]) == len(tables(uri)["runs"]) == 1


def test_nothing_is_written_where_the_files_are_not(tmp_path: Path) -> None:
    """A run that is there has its files: a kill or an error before the last of them leaves no run, an error no file."""
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    store = Store(uri)
    begun: list[Path] = []

    def full(run: Run) -> None:
        assert run.folder is not None
        begun.append(run.folder)
        run.folder.mkdir(parents=True)
        (run.folder / "half").touch()
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        store.add(store.experiment("sweep"), [NewRun(id=new_id(), run=RUN, keep_files=full)])
    assert not begun[0].parent.exists() and begun[0].parent.parent.name == "sweep"
    assert not any(of_table for name, of_table in tables(uri).items() if name in ("runs", "tags", "metrics", "inputs"))


def test_unknown_tables_are_left_to_the_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_writer, "TABLES", ("of another version",))
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    with Recorder(uri, "sweep", [entry(0).run_key], {}, "bench run") as recorder:
        recorder.put(entry(0))
    assert keys(uri) == {entry(0).run_key}


@contextmanager
def commits() -> Iterator[list[object]]:
    """Of any engine of this process, of MLflow's too."""
    seen: list[object] = []
    listener = seen.append
    event.listen(Engine, "commit", listener)
    try:
        yield seen
    finally:
        event.remove(Engine, "commit", listener)


@pytest.mark.parametrize("runs", [1, 3])
def test_trials_are_one_transaction(tmp_path: Path, runs: int) -> None:
    store = Store(uri := f"sqlite:///{tmp_path}/mlflow.db")
    experiment = store.experiment("sweep")
    with commits() as seen:
        assert store.add(experiment, [new(RUN) for _ in range(runs)])
    assert len(seen) == 1
    assert len(tables(uri)["runs"]) == len(tables(uri)["inputs"]) == runs and len(tables(uri)["datasets"]) == 1


def test_of_runs_some_of_which_are_there_the_others_are_added(tmp_path: Path) -> None:
    store = Store(uri := f"sqlite:///{tmp_path}/mlflow.db")
    experiment, three = store.experiment("sweep"), [new(RUN) for _ in range(3)]
    for some in (three[:1], three, three[1:]):
        assert store.add(experiment, some)
    assert len(tables(uri)["runs"]) == len(tables(uri)["inputs"]) == 3


def test_of_runs_one_of_which_cannot_be_written_none_is(tmp_path: Path) -> None:
    store = Store(uri := f"sqlite:///{tmp_path}/mlflow.db")
    folders: list[Path] = []

    def keep(run: Run) -> None:
        assert run.folder is not None
        run.folder.mkdir(parents=True)
        folders.append(run.folder)

    bad: Any = object()  # which no database takes
    both = [NewRun(id=new_id(), run=run, keep_files=keep) for run in (RUN, replace(RUN, points=[("m", 1.0, bad, 0)]))]
    with pytest.raises(Exception, match="object"):
        store.add(store.experiment("sweep"), both)
    assert tables(uri)["runs"] == tables(uri)["datasets"] == []
    assert len(folders) == 2 and not any(folder.parent.exists() for folder in folders)


def with_folder(folders: list[Path]) -> NewRun:
    """A run whose folder is added to these."""

    def keep(run: Run) -> None:
        assert run.folder is not None
        run.folder.mkdir(parents=True)
        folders.append(run.folder)

    return NewRun(id=new_id(), run=RUN, keep_files=keep)


def test_of_a_commit_that_fails_no_file_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who reads keeps a SQLite file from being written, at the commit and not before."""
    monkeypatch.setattr(run_writer, "WAIT_SECONDS", 0.1)
    store = Store(uri := f"sqlite:///{tmp_path}/mlflow.db")
    experiment, folders = store.experiment("sweep"), list[Path]()
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as reader:
        reader.execute("CREATE TABLE two (x)").execute("INSERT INTO two VALUES (1), (2)")
        reader.commit()
        cursor = reader.execute("SELECT x FROM two")
        cursor.fetchone()  # the other row keeps it reading
        with pytest.raises(Exception, match="database is locked"):
            store.add(experiment, [with_folder(folders)])
    assert len(folders) == 1 and not folders[0].parent.exists() and tables(uri)["runs"] == []


def test_files_of_a_run_that_another_write_has_stored_stay(tmp_path: Path) -> None:
    """As when a connection breaks in a commit that a server does all the same, and the write is tried again."""
    store = Store(uri := f"sqlite:///{tmp_path}/mlflow.db")
    experiment, folders = store.experiment("sweep"), list[Path]()
    first = with_folder(folders)

    def meanwhile(run: Run) -> None:
        assert store.add(experiment, [first])
        raise OSError("broken")

    with pytest.raises(OSError, match="broken"):
        store.add(experiment, [replace(first, keep_files=meanwhile)])
    assert folders[0].exists() and len(tables(uri)["runs"]) == 1


def test_a_deleted_experiment_is_the_clients_to_refuse(tmp_path: Path) -> None:
    store = Store(uri := f"sqlite:///{tmp_path}/mlflow.db")
    experiment = store.experiment("sweep")
    store._client.delete_experiment(experiment)
    assert not store.add(experiment, [new(RUN)])
    assert stored_trials.finished(uri, []) == {}
