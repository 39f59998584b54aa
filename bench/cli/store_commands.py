"""The commands on the store itself: import, ui."""

from __future__ import annotations

from bench.cli.requests.store import ImportRequest, UiRequest
from bench.messages import say, usage_errors
from bench.storage import mlflow_ui
from bench.storage.store_check import check, check_writable


def existing_store() -> str:
    """The address of the store, which can be opened. Raises ValueError, in one line, if there is none."""
    from bench.storage import mlflow_store

    uri = mlflow_store.store_uri()
    if not check(uri):
        raise ValueError(f"no store at {uri}: `python -m bench run` makes one, MLFLOW_TRACKING_URI names another")
    mlflow_store.Store(uri)  # a server may refuse, a database be of another version
    return uri


def import_trials(request: ImportRequest) -> int:
    """Store the trials of an offline folder or a rescue folder, each run key once."""
    folder = request.folder.absolute()
    with usage_errors():
        from bench.storage import mlflow_store

        uri = mlflow_store.store_uri()
        if check_writable(uri):
            mlflow_store.Store(uri)  # what it refuses is no matter of the folder
        from bench.storage.offline_import import ALREADY_STORED, LINKED, STORED, import_entries

        counts = import_entries(folder, uri)
    total = counts.total()
    if counts[ALREADY_STORED] == total:
        say(f"nothing to import: the store {uri} has all {total} trials of {folder}")
    else:
        outcomes = ", ".join(f"{counts[outcome]} {outcome}" for outcome in (STORED, LINKED, ALREADY_STORED))
        say(f"{total} trials of {folder}: {outcomes}; store {uri}")
    return 0


def open_ui(request: UiRequest) -> int:
    """Serve the MLflow UI until it is interrupted."""
    with usage_errors():
        uri = existing_store()
        mlflow_ui.check(uri, request.host, request.port)
    say(f"MLflow on http://{request.host}:{request.port}: choose an experiment, then Runs")
    return mlflow_ui.ui(uri, request.host, request.port)
