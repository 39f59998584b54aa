"""How long MLflow's client waits for a server."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from bench.storage.database import SERVER_SECONDS

# A server that starts again is asked three times; one that is silent, for less than two minutes in all.
PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": str(SERVER_SECONDS)}


@contextlib.contextmanager
def patient_within_reason() -> Iterator[None]:
    """MLflow's client asks a server that refuses for minutes: here within PATIENCE, unless the user has said more."""
    added = {name: value for name, value in PATIENCE.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]
