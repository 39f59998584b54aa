"""The commands on the store itself: import, ui."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bench.api.stored import existing_store
from bench.cli.requests.store import ImportRequest, UiRequest
from bench.messages import counted, nearest, say, usage_errors
from bench.storage import mlflow_pages, mlflow_ui
from bench.storage.store_check import check_writable
from bench.storage.store_uri import SERVERS

if TYPE_CHECKING:
    from bench.storage.client.sweeps import StoredSweep

SHOWN = 5  # sweeps whose addresses `ui` says


def import_trials(request: ImportRequest) -> int:
    """Store the trials of an offline folder or a rescue folder, each run key once.

    Returns: 0, or 1 if something in it could not be read.
    """
    folder = request.folder.absolute()
    with usage_errors():
        from bench.storage import mlflow_store

        uri = mlflow_store.store_uri()
        if check_writable(uri):
            mlflow_store.Store(uri)  # what it refuses is no matter of the folder
        from bench.storage.offline_import import ALREADY_STORED, LINKED, STORED, import_entries

        problems: list[str] = []
        counts = import_entries(folder, uri, problems.append)
        from bench.api.sweep_page import describe_changed
    total = counts.total()
    if counts[ALREADY_STORED] == total:
        say(f"nothing to import: the store {uri} has all {total} trials of {folder}")
    else:
        outcomes = ", ".join(f"{counts[outcome]} {outcome}" for outcome in (STORED, LINKED, ALREADY_STORED))
        say(f"{total} trials of {folder}: {outcomes}; store {uri}")
        describe_changed(uri)
    for problem in problems:
        say(f"left out: {problem}")
    return 1 if problems else 0


def open_ui(request: UiRequest) -> int:
    """Serve MLflow's pages until interrupted, and say where the runs are; a server has pages of its own."""
    with usage_errors():
        uri = existing_store()
        is_server = urlsplit(uri).scheme in SERVERS
        server = uri if is_server else mlflow_pages.local_address(request.host, request.port)
        lines = _addresses(uri, server, request.name)
        if not is_server:
            mlflow_ui.check(request.host, request.port)
    if is_server:
        _say_all(lines)
        return 0
    return mlflow_ui.ui(uri, request.host, request.port, partial(_say_all, lines))


def _addresses(uri: str, server: str, name: str | None) -> list[str]:
    """Where the runs of the sweep are, or of all sweeps. Raises ValueError if there is none of that name."""
    from bench.storage.mlflow_store import Store

    sweeps = Store(uri).sweeps()
    known = [sweep.name for sweep in sweeps]
    if name is not None and name not in known:
        raise ValueError(nearest("sweep", name, known))
    chosen = [sweep for sweep in sweeps if name in (None, sweep.name)]
    lines = [line for sweep in chosen[:SHOWN] for line in _lines(server, sweep)]
    older = f"{counted(len(chosen) - SHOWN, 'older sweep')}: {server}/#/experiments; --name shows one"
    return [*lines, older] if len(chosen) > SHOWN else lines or [f"no sweep yet: {server}"]


def _lines(server: str, sweep: StoredSweep) -> list[str]:
    runs = f"runs of {sweep.name}: {mlflow_pages.runs_address(server, sweep.experiment, sweep.tags)}"
    if sweep.described is None:
        return [runs]
    return [runs, f"answer of {sweep.name}: {mlflow_pages.run_address(server, sweep.experiment, sweep.described)}"]


def _say_all(lines: Sequence[str]) -> None:
    for line in lines:
        say(line)
