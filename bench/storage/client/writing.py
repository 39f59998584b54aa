"""What a run is told: in as few calls as MLflow allows, and what is longer than a store takes shortened."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag

from bench.messages import shortened
from bench.tags import storable

BATCH = 1000  # entities MLflow takes in one call, parameters and metrics together
PARAMS = 100  # of these, parameters
DATA_LENGTH = 500  # of a data set's name
DATA_CONTEXT = "mlflow.data.context"  # MLflow's tag of an input
PARAM_LENGTH = 6000  # of a parameter's value


def log(
    client: MlflowClient, run: str, params: Mapping[str, str], points: Iterable[tuple[str, float, int, int]]
) -> None:
    """Add parameters and metrics (name, value, milliseconds, step).

    Parameters are for MLflow's pages: a value that is too long for them is shortened.
    """
    metrics = [Metric(*point) for point in points]
    shown = [Param(key, value) for key, value in shown_parameters(params).items()]
    first = BATCH - len(shown[:PARAMS])
    client.log_batch(run, metrics=metrics[:first], params=shown[:PARAMS])
    for start in range(PARAMS, len(shown), PARAMS):
        client.log_batch(run, params=shown[start : start + PARAMS])
    for start in range(first, len(metrics), BATCH):
        client.log_batch(run, metrics=metrics[start : start + BATCH])


def shown_parameters(params: Mapping[str, str]) -> dict[str, str]:
    """Parameters as a store takes them."""
    return {key: storable(shortened(value, PARAM_LENGTH)) for key, value in params.items()}


def data_row(name: str, digest: str) -> tuple[dict[str, str], dict[str, str]]:
    """A data set, and the tag of a run's link to it, in the words of MLflow's tables."""
    shown, source = storable(shortened(name, DATA_LENGTH)), json.dumps({"uri": name})
    data = {"name": shown, "digest": digest, "dataset_source_type": "local", "dataset_source": source}
    return data, {"name": DATA_CONTEXT, "value": "training"}


def log_data_set(client: MlflowClient, run: str, name: str, digest: str) -> None:
    """Name the data set that the run was trained on; its content stays where it is."""
    data, tag = data_row(name, digest)
    client.log_inputs(run, [DatasetInput(Dataset(*data.values()), [InputTag(*tag.values())])])


def tag(client: MlflowClient, run: str, name: str, value: str) -> None:
    """Set one tag."""
    client.log_batch(run, tags=[RunTag(name, storable(value))])
