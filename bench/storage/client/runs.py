"""Whether the store has a run, and what it says of it."""

from __future__ import annotations

from mlflow import MlflowClient
from mlflow.entities import RunInfo
from mlflow.exceptions import MlflowException


def known(client: MlflowClient, run: str) -> RunInfo | None:
    """What the store says of a run, deleted or not; None if it has none, or has deleted it for good."""
    try:
        return client.get_run(run).info
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise


def is_running(client: MlflowClient, run: str) -> bool:
    """Whether the run has not ended; False if it is deleted, for good too."""
    info = known(client, run)
    return bool(info is not None and info.status == "RUNNING" and info.lifecycle_stage == "active")
