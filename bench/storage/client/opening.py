"""The client of a store."""

from __future__ import annotations

import contextlib
from pathlib import Path
from urllib.parse import urlsplit

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from bench.messages import said_if_slow
from bench.paging import address
from bench.storage import database
from bench.storage.client.patience import patient_within_reason
from bench.storage.sql.new_file import make_file
from bench.storage.store_check import creating, exists
from bench.storage.store_uri import SERVERS, absolute, given, local_path

MLFLOW = Path(mlflow.__file__).parent


def store_uri() -> str:
    """MLFLOW_TRACKING_URI if it is set, else the store that a plain `mlflow ui` opens in this folder; made absolute.

    Raises: ValueError, in one line, if it cannot be the address of a store.
    """
    return absolute(given() or mlflow.get_tracking_uri())


def opened(uri: str) -> MlflowClient:
    """The store's client. Tables, or their first row, that another program makes at this moment are found again."""
    try:
        return _opened_at_once(uri)
    except (MlflowException, SQLAlchemyError):
        if not is_database(uri):
            raise
    return _opened_at_once(uri)


def _opened_at_once(uri: str) -> MlflowClient:
    if _is_ready(uri):
        return _client(uri)
    if (path := local_path(uri)) is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
    with creating(uri):
        if is_database(uri):
            database.check_version(uri, MLFLOW, mlflow.__version__)
            if path is not None and not path.exists():
                make_file(uri, path, _create)
        return _client(uri)


def _create(uri: str) -> None:
    _client(uri)._tracking_client.store._dispose_engine()  # whose connections would follow the file


def _is_ready(uri: str) -> bool:
    """Whether opening the store creates nothing."""
    return database.is_current(uri, MLFLOW) if is_database(uri) else exists(uri)


def is_database(uri: str) -> bool:
    """Whether the store at the address is a database that MLflow's client opens itself."""
    return urlsplit(uri).scheme not in (*SERVERS, "file")


def _client(uri: str) -> MlflowClient:
    on_server = urlsplit(uri).scheme in SERVERS
    waiting = said_if_slow(f"store {uri}: waiting for an answer") if on_server else contextlib.nullcontext()
    with patient_within_reason(), waiting:
        client = MlflowClient(tracking_uri=address(uri))
        client.search_experiments(max_results=1)
    return client
