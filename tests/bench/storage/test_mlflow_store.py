"""The MLflow store: a real one, on sqlite."""

from __future__ import annotations

import getpass
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from bench import metrics, names
from bench.canonical import canonical_json
from bench.cli.cli import main
from bench.methods import Method
from bench.mlflow_metrics import stored_name
from bench.storage import mlflow_store, offline_folder, store_check, stored_trials
from bench.storage.database import CREATING_SECONDS
from bench.storage.delivery.write_queue import WriteQueue
from bench.storage.entry import check_name
from bench.storage.offline_import import ALREADY_STORED, STORED, import_entries
from bench.storage.recorder import Recorder
from bench.storage.sql import run_writer
from bench.tags import whole
from bench.trial.result import TrialResult
from bench.trial.spec import TrialSpec


def spec(seed: int) -> TrialSpec:
    method = Method(criterion="random", background="freeze")
    return TrialSpec(dataset="digits", data_hash="0", model="m", method=method, rate=Decimal("0.99"), seed=seed)


def result(trial: TrialSpec, outcome: str = names.DONE, reason: str = "") -> TrialResult:
    return TrialResult(
        run_key=trial.run_key,
        outcome=outcome,
        reason=reason,
        metrics={names.TEST_ACCURACY: 0.5, names.TOTAL_PARAMETERS: 10.0},
        epochs=[{names.VALIDATION_ACCURACY: 0.1 * epoch, names.GRAD_NORM_ALL: 1.0} for epoch in range(3)],
        layers=[{"name": "fc1.weight", "weights": 8, "live": 2}],
        tags={names.INIT_SHA256: "0" * 64},
        started=1000.0,
        ended=1002.0,
    )


def recorder(uri: str, trials: Sequence[TrialSpec], name: str = "sweep", **options: Any) -> Recorder:
    keys = [trial.run_key for trial in trials]
    done = stored_trials.finished(uri, keys)
    return Recorder(uri, name, keys, options.get("finished", done), "bench run", lambda method: "random-freeze")


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store without a run: to create one takes seconds."""
    path = tmp_path_factory.mktemp("empty") / "mlflow.db"
    mlflow_store.Store(f"sqlite:///{path}")
    return path


@pytest.fixture
def new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store that does not exist yet."""
    monkeypatch.chdir(tmp_path)
    return f"sqlite:///{tmp_path}/mlflow.db"


@pytest.fixture
def uri(new: str, tmp_path: Path, empty: Path) -> str:
    shutil.copy(empty, tmp_path)
    return new


def runs(uri: str, name: str, kind: str, **tags: str) -> list[Any]:
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name(name)
    assert experiment is not None
    return list(client.search_runs([experiment.experiment_id], f"tags.`{names.KIND}` = '{kind}'"))


def test_a_trial_as_it_is_stored(uri: str, tmp_path: Path) -> None:
    with recorder(uri, [spec(3)]) as writer:
        writer.started(spec(3))
        writer.epoch(spec(3), 1, {})
        writer.finished(spec(3), result(spec(3)))
    (run,) = runs(uri, "sweep", names.TRIAL)
    (parent,) = runs(uri, "sweep", names.SWEEP)
    assert (run.info.status, run.info.start_time, run.info.end_time) == ("FINISHED", 1_000_000, 1_002_000)
    assert run.info.run_name == "random-freeze 0.99 seed 3"
    expected = {
        names.RUN_KEY: spec(3).run_key,
        names.GROUP_KEY: spec(3).group_key,
        names.SPEC: canonical_json(spec(3).record()),
        names.METHOD: "random-freeze",
        names.OUTCOME: names.DONE,
        names.INIT_SHA256: "0" * 64,
        names.IN_SWEEP + "sweep": parent.info.run_id,
        "mlflow.parentRunId": parent.info.run_id,
    }
    assert expected.items() <= run.data.tags.items()
    assert names.REASON not in run.data.tags
    assert run.data.params["method.criterion"] == "random"
    assert run.data.params["rate"] == "0.99"
    assert len(run.data.params) == len(spec(3).record()) + len(spec(3).method.record()) + 1
    assert run.data.params[names.TOTAL_PARAMETERS] == "10"  # a constant of the network
    assert run.data.metrics[stored_name(names.TEST_ACCURACY)] == 0.5
    history = MlflowClient(uri).get_metric_history(run.info.run_id, stored_name(names.VALIDATION_ACCURACY))
    assert [(m.step, m.timestamp) for m in history] == [(0, 1_000_000), (1, 1_001_000), (2, 1_002_000)]
    path = tmp_path / "mlruns" / "sweep" / run.info.run_id / "artifacts" / names.LAYERS_FILE
    assert json.loads(path.read_text()) == result(spec(3)).layers
    assert [file.path for file in MlflowClient(uri).list_artifacts(run.info.run_id)] == [names.LAYERS_FILE]


def test_the_sweeps_own_run(uri: str) -> None:
    trials = [spec(seed) for seed in range(3)]
    with recorder(uri, trials) as writer:
        writer.finished(trials[0], result(trials[0]))
        writer.finished(trials[1], result(trials[1], names.FAILED, "no"))
    (parent,) = runs(uri, "sweep", names.SWEEP)
    assert parent.info.status == "FINISHED"
    assert parent.data.params == {"trials": "3", "already_finished": "0"}
    assert parent.data.metrics == {names.DONE: 1.0, names.FAILED: 1.0}
    assert parent.data.tags["bench.command"] == "bench run"


def test_outcomes_and_what_counts_as_finished(uri: str) -> None:
    trials = [spec(seed) for seed in range(3)]
    with recorder(uri, trials) as writer:
        for trial, outcome in zip(trials, names.OUTCOMES, strict=True):
            writer.finished(trial, result(trial, outcome, "why" * (outcome != names.DONE)))
    stored = {run.data.tags[names.OUTCOME]: run for run in runs(uri, "sweep", names.TRIAL)}
    assert {o: run.info.status for o, run in stored.items()} == {
        names.DONE: "FINISHED", names.DIVERGED: "FINISHED", names.FAILED: "FAILED"
    }  # fmt: skip
    assert stored[names.DIVERGED].data.tags[names.REASON] == "why"
    done = stored_trials.finished(uri, [trial.run_key for trial in trials] + ["0" * 64])
    assert done == {trials[i].run_key: stored[o].info.run_id for i, o in ((0, names.DONE), (1, names.DIVERGED))}


def test_another_sweep_links_what_is_done(uri: str) -> None:
    trials = [spec(seed) for seed in range(2)]
    with recorder(uri, trials) as writer:
        for trial in trials:
            writer.finished(trial, result(trial))
    for _ in range(2):
        with recorder(uri, trials, "other"):
            pass
    assert runs(uri, "other", names.TRIAL) == []
    first = min(runs(uri, "other", names.SWEEP), key=lambda run: run.info.start_time)
    for run in runs(uri, "sweep", names.TRIAL):
        assert run.data.tags[names.IN_SWEEP + "other"] == first.info.run_id
        assert names.IN_SWEEP + "sweep" in run.data.tags


def test_deleted_runs_and_experiments_are_not_finished(uri: str) -> None:
    with recorder(uri, [spec(0)]) as writer:
        writer.finished(spec(0), result(spec(0)))
    (run,) = runs(uri, "sweep", names.TRIAL)
    MlflowClient(uri).delete_experiment(run.info.experiment_id)
    assert stored_trials.finished(uri, [spec(0).run_key]) == {}
    with pytest.raises(ValueError, match="name sweep: deleted in the store"), recorder(uri, [spec(0)]):
        pass


def test_interrupted_failed_and_left_over_sweeps(uri: str) -> None:
    with pytest.raises(KeyboardInterrupt), recorder(uri, [spec(0)]) as writer:
        writer.finished(spec(0), result(spec(0)))
        raise KeyboardInterrupt
    assert stored_trials.finished(uri, [spec(0).run_key])
    with pytest.raises(ZeroDivisionError), recorder(uri, [spec(0)]):
        raise ZeroDivisionError
    client = MlflowClient(uri)
    experiment = runs(uri, "sweep", names.SWEEP)[0].info.experiment_id
    client.create_run(experiment, tags={names.KIND: names.SWEEP})
    half = client.create_run("0", tags={names.KIND: names.TRIAL, names.RUN_KEY: spec(1).run_key}).info.run_id
    foreign = client.create_run("0", tags={names.KIND: names.TRIAL, names.RUN_KEY: "another"}).info.run_id
    with recorder(uri, [spec(0), spec(1)]):
        pass
    sweeps = sorted(runs(uri, "sweep", names.SWEEP), key=lambda run: run.info.start_time)
    assert sorted(run.info.status for run in sweeps) == ["FAILED", "FINISHED", "KILLED", "KILLED"]
    assert client.get_run(half).info.status == "KILLED"
    assert client.get_run(foreign).info.status == "RUNNING"


def test_another_command_ends_nothing_that_is_being_written(uri: str) -> None:
    with recorder(uri, [spec(0), spec(1)]):
        client = MlflowClient(uri)
        (sweep,) = runs(uri, "sweep", names.SWEEP)
        tags = {names.KIND: names.TRIAL, names.RUN_KEY: spec(0).run_key, names.PARENT: sweep.info.run_id}
        trial = client.create_run(sweep.info.experiment_id, tags=tags).info.run_id
        with recorder(uri, [spec(0), spec(1)]):
            statuses = [client.get_run(run).info.status for run in (sweep.info.run_id, trial)]
    assert statuses == ["RUNNING", "RUNNING"]
    assert {run.info.status for run in runs(uri, "sweep", names.SWEEP)} == {"FINISHED"}


def test_long_values_and_many_points(uri: str) -> None:
    long = result(spec(0), names.FAILED, f"{'x' * 20_000} the end")
    many = [{name: float(epoch) for name in metrics.per_epoch()} for epoch in range(400)]
    with recorder(uri, [spec(0), spec(1)]) as writer:
        writer.finished(spec(0), long)
        writer.finished(spec(1), TrialResult(run_key=spec(1).run_key, outcome=names.DONE, epochs=many))
    stored = {run.data.tags[names.OUTCOME]: run for run in runs(uri, "sweep", names.TRIAL)}
    assert whole(stored[names.FAILED].data.tags, names.REASON) == f"{'x' * 20_000} the end"
    assert stored_trials.failures(uri) == {(spec(0).run_key, f"{'x' * 20_000} the end")}
    client = MlflowClient(uri)
    assert len(client.get_metric_history(stored[names.DONE].info.run_id, stored_name(names.TRAIN_LOSS))) == 400


def test_a_store_that_is_gone_loses_nothing(
    uri: str, tmp_path: Path, empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queues: list[WriteQueue[Any]] = []
    both_are_told = threading.Event()

    def impatient(write: Any, together: Any) -> WriteQueue[Any]:
        def write_later(entry: Any) -> None:
            if entry is not None:
                both_are_told.wait()
            write(entry)

        queues.append(WriteQueue(write_later, pauses=(0.01,)))
        return queues[-1]

    monkeypatch.setattr("bench.storage.recorder.WriteQueue", impatient)
    trials = [spec(seed) for seed in range(3)]
    with pytest.raises(RuntimeError, match=r"3 results in .*mlflow.db-undelivered/"), recorder(uri, trials) as w:
        while queues[0].unwritten():  # the links to earlier trials
            time.sleep(0.01)
        (tmp_path / "mlflow.db").write_bytes(b"no database any more" * 100)
        w.finished(trials[0], result(trials[0]))
        w.finished(trials[1], result(trials[1]))
        both_are_told.set()
        while queues[0].error is None:
            time.sleep(0.01)
        w.finished(trials[2], result(trials[2]))
    (path,) = tmp_path.glob("mlflow.db-undelivered/*")
    assert {entry.run_key for entry in offline_folder.read(path)} == {trial.run_key for trial in trials}
    assert trials[0].record() in [entry.spec for entry in offline_folder.read(path)]
    assert offline_folder.read(path)[0].method == "random-freeze"
    shutil.copy(empty, tmp_path)
    assert import_entries(path, uri, refuse) == {STORED: 3}
    assert len(runs(uri, "sweep", names.TRIAL)) == 3
    assert import_entries(path, uri, refuse) == {ALREADY_STORED: 3}


def refuse(problem: str) -> None:
    raise AssertionError(problem)


@pytest.mark.parametrize("last", ["add", "end"], ids=["at once", "in calls"])
def test_a_write_that_fails_once_is_repeated_without_a_second_run(
    uri: str, last: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether its last call did what it was to do before it failed, or not."""
    monkeypatch.setattr("bench.storage.recorder.WriteQueue", lambda write, _: WriteQueue(write, pauses=(0.01,)))
    if last == "end":
        monkeypatch.setattr(run_writer, "TABLES", ())
    original, calls = getattr(mlflow_store.Store, last), []

    def failing(self: mlflow_store.Store, *given: Any) -> Any:
        calls.append(given[1][0].id if last == "add" else given[0])
        answer = original(self, *given) if last == "add" or len(calls) > 1 else None
        if len(calls) == 1:
            raise OSError("database is locked")
        return answer

    monkeypatch.setattr(mlflow_store.Store, last, failing)
    with recorder(uri, [spec(0)]) as writer:
        writer.finished(spec(0), result(spec(0)))
    (run,) = runs(uri, "sweep", names.TRIAL)
    assert calls[:2] == [run.info.run_id] * 2 and run.info.status == "FINISHED"
    assert len(MlflowClient(uri).get_metric_history(run.info.run_id, stored_name(names.GRAD_NORM_ALL))) == 3


PARALLEL = """
import sys
import threading
from test_mlflow_store import recorder, result, spec
first, name = int(sys.argv[2]), sys.argv[3]
trials = [spec(seed) for seed in range(first, first + 5)]
with recorder(sys.argv[1], trials, name) as writer:
    for trial in trials:
        writer.finished(trial, result(trial))
"""


def test_two_processes_on_one_new_store(new: str) -> None:
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path.rstrip(os.pathsep)}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", PARALLEL, new, str(first), name], env=environment, stderr=subprocess.PIPE, text=True
        )
        for first, name in ((0, "one"), (10, "one"), (20, "two"))
    ]
    said = [process.communicate(timeout=300)[1] for process in started]
    assert [process.returncode for process in started] == [0, 0, 0], said
    waiting = (
        f"store {new}: its folder {Path(new.removeprefix('sqlite:///')).parent} is locked by another process; waiting"
    )
    assert {line.rpartition(f" {CREATING_SECONDS:g} ")[0] for line in "".join(said).splitlines()} <= {waiting}
    keys = [spec(seed).run_key for seed in range(30)]
    assert len(stored_trials.finished(new, keys)) == 15
    assert {run.info.status for run in runs(new, "one", names.SWEEP)} == {"FINISHED"}


def test_looking_creates_nothing(new: str, tmp_path: Path) -> None:
    assert not store_check.exists(new)
    store_check.check_writable(new)
    assert stored_trials.finished(new, ["0"]) == {}
    assert list(tmp_path.iterdir()) == []


def test_store_uri_is_what_mlflow_opens_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert mlflow_store.store_uri() == f"sqlite:///{tmp_path}/mlflow.db"
    for given, absolute in {
        "sqlite:///a/b.db": f"sqlite:///{tmp_path}/a/b.db",
        "sqlite:////a/b.db": "sqlite:////a/b.db",
        "./mlruns": f"file://{tmp_path}/mlruns",
        "http://host:5000": "http://host:5000",
    }.items():
        monkeypatch.setenv("MLFLOW_TRACKING_URI", given)
        assert mlflow_store.store_uri() == absolute


def test_unwritable_stores_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_ALLOW_FILE_STORE", raising=False)
    file = tmp_path / "file"
    file.write_text("text, not a database")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for uri, why in {
        f"sqlite:///{file}/mlflow.db": "is no folder",
        f"sqlite:///{file}": "is no SQLite database",
        f"sqlite:///{tmp_path}": "is a folder",
        f"file://{tmp_path}/mlruns": "MLFLOW_ALLOW_FILE_STORE",
        f"http://127.0.0.1:{port}": "no answer",
        "sqlite://": "must be",
        "ftp://host/x": "must be",
    }.items():
        with pytest.raises(ValueError, match=why) as caught:
            store_check.check_writable(uri)
        assert str(caught.value).startswith(f"store {uri}: ")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["", "a\nb", "a;b", "x" * 201])
def test_names_the_store_would_refuse(name: str) -> None:
    with pytest.raises(ValueError, match="must be 1 to 200 letters"):
        check_name(name)


def test_mlflow_is_told_who_stored_a_trial_and_of_which_data(uri: str) -> None:
    with recorder(uri, [spec(3)]) as writer:
        writer.finished(spec(3), result(spec(3)))
    (run,) = runs(uri, "sweep", names.TRIAL)
    assert run.data.tags["mlflow.source.name"] == "freeze-or-prune"
    assert run.data.tags["mlflow.user"] == getpass.getuser()
    (data,) = (given.dataset for given in run.inputs.dataset_inputs)
    assert (data.name, data.digest) == ("digits", "0")


def test_a_trial_read_from_the_store_is_the_one_that_was_stored(uri: str) -> None:
    stored = result(spec(3))
    with recorder(uri, [spec(3)]) as writer:
        writer.finished(spec(3), stored)
    (run,) = runs(uri, "sweep", names.TRIAL)
    entry = mlflow_store.Store(uri).entry(run.info.run_id)
    assert (entry.method, entry.spec, entry.run_key) == ("random-freeze", spec(3).record(), spec(3).run_key)
    assert entry.result == replace(stored, layers=(), tags={})


def test_a_sweep_opens_in_the_view_of_trainings_with_its_accuracy_first(uri: str) -> None:
    client = MlflowClient(uri)
    older = client.create_experiment("older", tags={"mlflow.experimentKind": "finetuning"})
    store = mlflow_store.Store(uri)
    for name in ("older", "new"):
        tags = client.get_experiment(store.experiment(name)).tags
        view = json.loads(tags["mlflow.sharedViewState.trials"])
        assert view["columnOrder"][3] == "metrics.`accuracy/test_accuracy`"
        assert tags["mlflow.experimentKind"] == ("finetuning" if name == "older" else "custom_model_development")
    assert store.experiment("older") == older


class Refusing(BaseHTTPRequestHandler):
    """A server that is there and allows nothing, as MLflow's does to a client that calls it by an unknown name."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health" else 403)
        self.end_headers()
        self.wfile.write(b"not\nyou")

    do_POST = do_GET

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.mark.parametrize(
    "command", [["run", "--executor", "local"], ["run", "--dry-run"], ["table"], ["list", "trials"]]
)
def test_a_server_that_refuses_is_one_line(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        uri = f"http://127.0.0.1:{server.server_address[1]}"
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        assert main(command) == 2
        server.shutdown()
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith(f"error: store {uri}: ") and "403" in error and error.endswith("not you'")
    assert [*tmp_path.iterdir()] == []
