"""A store in a PostgreSQL of the tests' own: what it must do as every other store does."""

from __future__ import annotations

import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest
from command_line import COMMAND, bench, called, environment
from postgresql import PASSWORD, Server
from stored_entries import entry, keys

from bench.canonical import key_of
from bench.masking import masked
from bench.storage import database as database_module
from bench.storage import stored_trials
from bench.storage.client.opening import MLFLOW
from bench.storage.database import versions
from bench.storage.delivery.redeliver import redeliver
from bench.storage.mlflow_store import Store
from bench.storage.recorder import Recorder
from bench.storage.store_check import creating
from bench.trial.result import SweepError

pytestmark = pytest.mark.usefixtures("own_state")
SWEEP = ["--methods", "freeze", "--rates", "0.9", "--seeds", "1", "--epochs", "1", "--executor", "local"]


@pytest.fixture
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be delivered is kept in the test's folder, and the files of runs too."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)


def test_two_processes_make_the_tables_at_once(
    first_start: tuple[str, list[subprocess.CompletedProcess[str]]], server: Server
) -> None:
    uri, done = first_start
    assert [(process.returncode, process.stdout) for process in done] == [(0, "1\n")] * 2, done
    assert PASSWORD not in "".join(process.stderr for process in done)
    assert server.ask(uri, "SELECT name FROM experiments ORDER BY experiment_id") == [("Default",), ("here",)]


def test_results_are_stored_and_found_again(database: str) -> None:
    with Recorder(database, "sweep", [entry(seed).run_key for seed in range(2)], {}, "bench run") as recorder:
        for seed in range(2):
            recorder.put(entry(seed))
    assert keys(database) == {entry(seed).run_key for seed in range(2)}


def test_a_run_that_has_ended_meanwhile_is_not_ended_again(database: str) -> None:
    store = Store(database)
    run = store.create(store.experiment("sweep"), "trial", {}, 1.0).id
    store.end_if_running(run, "KILLED")
    assert not store.is_running(run)
    store.end(run, "FINISHED")
    store.end_if_running(run, "KILLED")
    assert store._client.get_run(run).info.status == "FINISHED"


def test_text_that_postgresql_does_not_take_as_it_stands(database: str) -> None:
    """No character of code 0, no half of a pair: of an error's message, or of a file's name."""
    odd, shown = "a\0b\udcff" + "x" * 6000, "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}" + "x" * 6000
    result = replace(entry(0).result, reason=odd, tags={"bench.host": "a\0b"})
    stored = replace(entry(0), result=result, method=odd, command=odd)
    with Recorder(database, "sweep", [stored.run_key], {}, odd) as recorder:
        recorder.put(stored)
    assert keys(database) == {stored.run_key}
    assert [*stored_trials.diverged(database).values()] == [shown]


def test_a_data_set_of_a_long_name(database: str, server: Server) -> None:
    record = {**entry(0).spec, "dataset": f"folder:{'x' * 900}"}
    named = replace(entry(0), spec=record, result=replace(entry(0).result, run_key=key_of(record)))
    with Recorder(database, "s" * 200, [named.run_key], {}, "bench run") as recorder:
        recorder.put(named)
    assert [len(name) for (name,) in server.ask(database, "SELECT name FROM datasets")] == [500]


@pytest.mark.parametrize("wrong", ["password", "database", "server"])
def test_what_does_not_answer(wrong: str, database: str, tmp_path: Path) -> None:
    uri = {
        "password": database.replace(PASSWORD, "wrOng"),
        "database": database.replace("/bench_", "/none_"),
        "server": database.replace("?host=", "?host=/none"),
    }[wrong]
    done = called(tmp_path, "table", MLFLOW_TRACKING_URI=uri)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "wrOng" not in done.stderr
    assert PASSWORD not in done.stderr


def test_tables_of_an_older_mlflow_are_named_with_the_command_that_migrates_them(
    database: str, server: Server, tmp_path: Path
) -> None:
    before = versions(MLFLOW)[1]
    server.ask(database, f"UPDATE alembic_version SET version_num = '{before}'")
    done = called(tmp_path, "table", MLFLOW_TRACKING_URI=database)
    migrate = f'(version {before}): keep a copy, then `mlflow db upgrade "$MLFLOW_TRACKING_URI"`\n'
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and done.stderr.endswith(migrate)


def test_who_makes_the_tables_is_waited_for_with_a_word_and_an_end(
    server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(database_module, "CREATING_SECONDS", 0.2)
    uri = server.database()
    with creating(uri), pytest.raises(ValueError) as error:
        Store(uri)
    busy = "its tables are made by another process"
    assert str(error.value) == f"store {uri}: {busy} for more than 0.2 seconds; try again when that has ended"
    assert capsys.readouterr().err.endswith(f"{busy}; waiting 0.2 seconds at the most\n")
    assert not server.ask(uri, "SELECT 1 FROM information_schema.tables WHERE table_schema = 'public'")


@pytest.mark.slow  # a write is tried again for seconds
def test_what_a_database_that_goes_away_has_not_taken_is_stored_when_it_is_back(database: str, server: Server) -> None:
    trials = [entry(seed) for seed in range(2)]
    planned = [trial.run_key for trial in trials]
    with (
        pytest.raises(SweepError) as error,
        Recorder(database, "sweep", planned, {}, "x") as recorder,
    ):
        recorder.put(trials[0])
        while not keys(database):
            time.sleep(0.05)
        with server.away(database):
            recorder.put(trials[1])
            recorder._queue.close()
    said = masked(str(error.value))
    assert "1 result in " in said and "sEcret" not in said and "not currently accepting connections" in said
    redeliver(database)
    assert keys(database) == {*planned}


@pytest.mark.slow
def test_two_commands_at_once_train_each_trial_once_and_a_third_has_nothing_to_do(
    database: str, server: Server, tmp_path: Path
) -> None:
    """The way of a user, from the sweep to the table and a stored network."""
    command = [*COMMAND, "run", *SWEEP]
    environment_of = environment() | {"MLFLOW_TRACKING_URI": database}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    both = [subprocess.Popen(command, cwd=tmp_path, env=environment_of, **pipes) for _ in range(2)]
    said = [process.communicate(timeout=500)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    trials = "SELECT t.value, r.status FROM tags t JOIN runs r USING (run_uuid) WHERE t.key = 'bench.run_key'"
    stored = server.ask(database, trials)
    assert len(stored) == 2 == len(set(stored)) and {status for _, status in stored} == {"FINISHED"}
    third = bench(tmp_path, "run", *SWEEP, MLFLOW_TRACKING_URI=database)
    assert third.returncode == 0 and "2 trials: 2 done before, 0 to train" in third.stderr
    table = bench(tmp_path, "table", MLFLOW_TRACKING_URI=database)
    assert table.returncode == 0 and "| freeze" in table.stdout, table
    key = stored[0][0]
    done = bench(tmp_path, "export", key, "-o", "network.frz", MLFLOW_TRACKING_URI=database)
    assert done.returncode == 0 and (tmp_path / "network.frz").stat().st_size > 1000, done
    outputs = "".join([*said, *(out for d in (third, table, done) for out in (d.stdout, d.stderr))])
    assert "sEcret" not in outputs and "sEcret" not in "".join(server.rows(database))
