"""The sweeps of a store: their experiments, and how its pages show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlflow import MlflowClient
from mlflow.entities import Experiment, Run
from mlflow.exceptions import MlflowException

from bench import names
from bench.paging import paged
from bench.storage import run_folders
from bench.storage.mlflow_pages import DESCRIPTION, experiment_tags

PAGE = 1000  # runs a search returns at once


@dataclass(frozen=True, kw_only=True)
class StoredSweep:
    """A sweep of the store, as its pages show it."""

    name: str
    experiment: str
    tags: Mapping[str, str]  # of the experiment
    latest: str  # of its runs: a command makes one
    described: str | None  # the latest of them that says what came out


def experiment(client: MlflowClient, store: str, name: str) -> str:
    """The experiment called `name`, created if it does not exist."""
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        location, tags = run_folders.new_location(store, name), experiment_tags()
        try:
            return str(client.create_experiment(name, artifact_location=location, tags=tags))
        except MlflowException:  # perhaps another process was faster
            experiment = client.get_experiment_by_name(name)
            if experiment is None:
                raise
    if experiment.lifecycle_stage != "active":
        raise ValueError(f"name {name}: deleted in the store {store}; restore it there, or use another name")
    for tag, value in experiment_tags().items():
        if tag not in experiment.tags:  # of an earlier version
            client.set_experiment_tag(experiment.experiment_id, tag, value)
    return str(experiment.experiment_id)


def stored_sweeps(client: MlflowClient) -> list[StoredSweep]:
    """Those whose experiment is not deleted, the latest first."""
    experiments = {e.experiment_id: e for e in paged(client.search_experiments, max_results=PAGE)}
    query = {"filter_string": f"tags.`{names.KIND}` = '{names.SWEEP}'", "max_results": PAGE}
    order = ["attributes.start_time DESC"]
    runs: dict[str, list[Run]] = {}
    for run in paged(client.search_runs, experiment_ids=list(experiments), order_by=order, **query):
        runs.setdefault(run.info.experiment_id, []).append(run)
    return [_stored_sweep(experiments[experiment], of_sweep) for experiment, of_sweep in runs.items()]


def _stored_sweep(experiment: Experiment, runs: Sequence[Run]) -> StoredSweep:
    """The sweep of these runs, the latest first."""
    described = (run.info.run_id for run in runs if DESCRIPTION in run.data.tags)
    return StoredSweep(
        name=experiment.name,
        experiment=experiment.experiment_id,
        tags=experiment.tags,
        latest=runs[0].info.run_id,
        described=next(described, None),
    )
