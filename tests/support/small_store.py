"""A small MLflow store in an sqlite file, written run by run without training anything."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, RunTag
from trial_frames import figures, group_key, key, spec_json

from bench import names


@cache
def empty() -> bytes:
    """The sqlite file of a store without a run: MLflow takes seconds to create one, so a test process does it once."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "mlflow.db"
        MlflowClient(f"sqlite:///{file}").search_experiments()
        return file.read_bytes()


class Store:
    """A store with one experiment and one sweep, written as the benchmark writes it."""

    def __init__(self, file: Path) -> None:
        file.write_bytes(empty())
        self.uri = f"sqlite:///{file}"
        self.client = MlflowClient(self.uri)
        self.experiment = self.client.create_experiment("freeze-or-prune", artifact_location=str(file.parent))
        self.sweep = self.client.create_run(self.experiment, tags={names.KIND: names.SWEEP}).info.run_id

    def add(
        self, spec: dict[str, Any], method: str, accuracy: float | None, started: int = 1_000, status: str = "FINISHED",
        epochs: Mapping[str, Sequence[float]] | None = None, final: Mapping[str, float] | None = None, **tags: str,
    ) -> str:  # fmt: skip
        """A trial's run: its figures by epoch (the training loss if none are given), and final ones."""
        tags_of_trial = {
            names.KIND: names.TRIAL, names.RUN_KEY: key(spec), names.GROUP_KEY: group_key(spec),
            names.SPEC: spec_json(spec), names.METHOD: method, names.OUTCOME: names.DONE,
            names.INIT_SHA256: f"init-{spec['seed']}", names.GIT_COMMIT: "c0ffee",
            names.GIT_DIRTY: "true", "bench.python": "3.11.7", **tags,
        }  # fmt: skip
        run = self.client.create_run(self.experiment, start_time=started, tags=tags_of_trial).info.run_id
        known = figures(spec["rate"], spec["method"]["background"], accuracy)
        points = [Metric(name, value, started, 0) for name, value in {**known, **(final or {})}.items()]
        for name, values in (epochs or {names.TRAIN_LOSS: [1 / (epoch + 1) for epoch in range(3)]}).items():
            points += [Metric(name, value, started, epoch) for epoch, value in enumerate(values)]
        self.client.log_batch(run, metrics=points, tags=[RunTag(f"{names.IN_SWEEP}main", self.sweep)])
        if status != "RUNNING":
            self.client.set_terminated(run, status)
        return str(run)
