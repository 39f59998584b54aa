"""A store in which some trials were stored by an earlier version: one frame, one curve."""

from __future__ import annotations

from pathlib import Path

from mlflow.entities import Metric, Param
from small_store import Store
from trial_frames import spec_of

from bench import names
from bench.mlflow_metrics import CONSTANTS, stored_name
from bench.results.frame.collect import collect
from bench.results.frame.history import histories


def test_both_names_are_read_alike(tmp_path: Path) -> None:
    store = Store(tmp_path / "mlflow.db")
    former = store.add(spec_of("freeze", "0.9", 0), "freeze", 0.9)
    present = store.add(spec_of("freeze", "0.9", 1), "freeze", None, status="RUNNING", epochs={"other": [0.0]})
    figures = {name: value for name, value in store.client.get_run(former).data.metrics.items() if name != "train_loss"}
    for name in store.client.get_run(present).data.metrics:
        assert name not in (names.TEST_ACCURACY, names.TRAIN_LOSS)
    points = [Metric(stored_name(n), value, 1, 0) for n, value in figures.items() if n not in CONSTANTS]
    points += [Metric("curve/train_loss", 1 / (epoch + 1), 1, epoch) for epoch in range(3)]
    constants = [Param(name, f"{figures[name]:.15g}") for name in CONSTANTS if name in figures]
    store.client.log_batch(present, metrics=points, params=constants)
    store.client.set_terminated(present)
    frame = collect(store.uri).set_index("run_id")
    columns = [*figures, names.TRAIN_LOSS]
    assert frame.loc[former, columns].tolist() == frame.loc[present, columns].tolist()
    curves = histories(store.uri, [former, present], names.TRAIN_LOSS)
    assert curves[curves["run_id"] == former]["value"].tolist() == curves[curves["run_id"] == present]["value"].tolist()
    assert len(curves) == 6
