"""The store that `bench speed store` reads is one as `run` writes it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import create_engine
from stored_entries import entry

from bench import names
from bench.cli.cli import main
from bench.results.frame.collect import collect
from bench.speed import large_store
from bench.storage import stored_trials
from bench.storage.recorder import Recorder
from bench.stored_runs import by_client
from bench.stored_runs.query import RunQuery
from bench.test_right import encoded


def test_copies_are_stored_as_the_recorder_stores_trials(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    epochs = [{names.TRAIN_LOSS: 1 / (epoch + 1)} for epoch in range(3)]
    tags = {names.TEST_RIGHT: encoded(np.arange(100_000) % 2 == 0)}
    trained = replace(entry(0), result=replace(entry(0).result, epochs=epochs, tags=tags))
    with Recorder(uri, large_store.SWEEP, [trained.run_key], {}, "bench run") as recorder:
        recorder.put(trained)
    copies = list(large_store._copies([trained], 2))
    with create_engine(uri).begin() as connection:
        large_store._write(connection, copies)
    frame = collect(uri)
    assert capsys.readouterr().err == ""
    expected = sorted((rate, seed) for rate in large_store.RATES for seed in (0, 1))
    assert sorted(zip(frame["rate"], frame["seed"], strict=True)) == expected
    assert set(frame["sweeps"]) == {(large_store.SWEEP,)} and set(frame["conflict"]) == {""}
    assert set(frame[names.TRAIN_LOSS]) == {1 / 3} and len(set(frame[names.TEST_ACCURACY])) == 20
    assert set(stored_trials.finished(uri, [copy.run_key for copy in copies])) == {copy.run_key for copy in copies}
    runs = by_client.runs(uri, RunQuery(tag=names.RUN_KEY, tags=["mlflow.runName", names.PARENT], parameters=["rate"]))
    assert len({run.tags[names.PARENT] for run in runs}) == 1
    assert all(run.tags["mlflow.runName"].startswith(f"freeze {run.parameters['rate']} seed ") for run in runs)


@pytest.mark.slow
def test_the_command_times_each_reader(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["speed", "store", "--seeds", "1", "--epochs", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split("|")[1].strip() == "100 trials × 1 epochs"
    assert [line.split("|")[1].strip() for line in lines[2:8]] == [
        "--version", "table", "run, with nothing to train", "export", "list trials", "doctor --quick"
    ]  # fmt: skip
