"""What a command asks of a database is no more if the store has more trials."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import create_engine, event
from sqlalchemy.engine import Engine
from stored_entries import entry

from bench import names
from bench.cli import network_commands
from bench.results.frame import spec_columns
from bench.results.frame.collect import collect, commands
from bench.speed import large_store
from bench.storage import stored_trials
from bench.storage.mlflow_store import Store
from bench.storage.recorder import Recorder
from bench.stored_runs.reading import read_locations
from bench.test_right import encoded

FEW, MANY = 1, 3  # seeds of each method and rate

READERS: dict[str, Callable[[str], object]] = {
    "table": collect,
    "report": commands,
    "run": lambda uri: (stored_trials.finished(uri, ["0" * 64]), stored_trials.diverged(uri)),
    "export": lambda uri: Store(uri).tagged(names.RUN_KEY, "FINISHED"),
    "doctor": lambda uri: (stored_trials.addresses(uri), read_locations(uri)),
    "narrow": lambda uri: network_commands._lacking(Store(uri), ["float16"], None),
}


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> dict[int, tuple[str, int]]:
    """Seeds -> a store with so many of each rate, and its number of trials."""
    first = tmp_path_factory.mktemp("store") / "mlflow.db"
    figures = {**entry(0).result.metrics, names.STORED_BYTES: 4096.0}
    tags = {names.TEST_RIGHT: encoded(np.arange(100) < 50)}  # an accuracy of 0.5, as the entry's
    trained = replace(entry(0), result=replace(entry(0).result, metrics=figures, tags=tags))
    with Recorder(f"sqlite:///{first}", large_store.SWEEP, [trained.run_key], {}, "bench run") as recorder:
        recorder.put(trained)
    made = {}
    for seeds in (FEW, MANY):
        shutil.copy(first, file := first.with_name(f"{seeds}.db"))
        with create_engine(f"sqlite:///{file}").begin() as connection:
            large_store._write(connection, list(large_store._copies([trained], seeds)))
        made[seeds] = f"sqlite:///{file}", seeds * len(large_store.RATES)
    return made


@contextmanager
def statements() -> Iterator[list[str]]:
    """Those that any engine of this process executes, of MLflow's too."""
    executed: list[str] = []

    def executing(connection: object, cursor: object, statement: str, *_: object) -> None:
        executed.append(statement)

    event.listen(Engine, "before_cursor_execute", executing)
    try:
        yield executed
    finally:
        event.remove(Engine, "before_cursor_execute", executing)


@pytest.mark.parametrize("command", READERS)
def test_statements_do_not_grow_with_the_trials(command: str, stores: dict[int, tuple[str, int]]) -> None:
    asked = {}
    for seeds, (uri, trials) in stores.items():
        assert len(collect(uri)) == trials
        with statements() as asked[seeds]:
            READERS[command](uri)
    assert asked[FEW] and asked[FEW] == asked[MANY]


def test_a_spec_is_parsed_once_for_each_cell(stores: dict[int, tuple[str, int]]) -> None:
    """Whatever the number of its seeds."""
    for uri, trials in stores.values():
        spec_columns._of_cell.cache_clear()
        assert len(collect(uri)) == trials
        assert spec_columns._of_cell.cache_info().misses == len(large_store.RATES)


def test_lookups_find_the_trials(stores: dict[int, tuple[str, int]]) -> None:
    """Of the stores above: else nothing would have been asked for them."""
    uri, trials = stores[MANY]
    tagged = Store(uri).tagged(names.RUN_KEY, "FINISHED")
    assert len(tagged) == trials == len(stored_trials.finished(uri, [key for _, key in tagged]))
    assert [(run, ["float16"]) for run, _ in tagged] == network_commands._lacking(Store(uri), ["float16"], None)


@pytest.mark.parametrize("others", [0, 100])
def test_runs_are_found_among_few_and_many_others(
    others: int, tmp_path: Path, stores: dict[int, tuple[str, int]]
) -> None:
    """If most runs are wanted all are read, else these only: the same comes out."""
    uri, trials = stores[FEW]
    shutil.copy(uri.removeprefix("sqlite:///"), file := tmp_path / "mlflow.db")
    with create_engine(f"sqlite:///{file}").begin() as connection:
        for number in range(others):
            connection.exec_driver_sql(
                "INSERT INTO runs (run_uuid, status, lifecycle_stage, experiment_id, start_time) "
                "VALUES (?, 'FINISHED', 'active', 1, 0)",
                (f"other{number}",),
            )
            connection.exec_driver_sql(
                "INSERT INTO latest_metrics VALUES ('accuracy/test_accuracy', 0.5, 0, 0, 0, ?)", (f"other{number}",)
            )
    expected, found = collect(uri), collect(f"sqlite:///{file}")
    assert len(found) == trials and found.equals(expected)
