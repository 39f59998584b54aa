"""What is at the store's address, for every command alike: a store, nothing yet, or what can be none.

Looks without creating anything.
"""

from __future__ import annotations

import contextlib
import os
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from bench.disk import locked
from bench.messages import folded, said_if_slow, say
from bench.storage import database
from bench.storage.sql import first_start
from bench.storage.store_uri import DATABASES, SERVERS, check_address, check_folder, existing_folder, local_path


def check(uri: str) -> bool:
    """As `exists`; raises ValueError, in one line, also if a server does not answer."""
    check_address(uri)
    if urlsplit(uri).scheme in SERVERS:
        _check_server(uri)
    return exists(uri)


def exists(uri: str) -> bool:
    """Whether there is a store; opening one creates it. A server is assumed to have one.

    Raises: ValueError, in one line, if there is neither a store nor a place for one.
    """
    scheme, path = urlsplit(uri).scheme, local_path(uri)
    if scheme in SERVERS:
        return True
    if scheme == "file":
        assert path is not None
        return _folder_has_store(uri, path)
    return database.version(uri) is not None


def check_writable(uri: str) -> bool:
    """As `check`; raises ValueError also if nothing could be written there."""
    is_there = check(uri)
    if (path := local_path(uri)) is not None:
        check_folder(f"store {uri}", path if urlsplit(uri).scheme == "file" else path.parent)
        if path.is_file() and not os.access(path, os.W_OK):
            raise ValueError(f"store {uri}: {path} cannot be written: check its permissions")
    return is_there


@contextlib.contextmanager
def creating(uri: str) -> Iterator[None]:
    """Keep our other processes from creating this store meanwhile: two that make its tables at once both fail.

    Raises: ValueError, in one line, if another process creates it for more than CREATING_SECONDS.
    """
    busy, turn = _turn(uri)
    seconds = database.CREATING_SECONDS
    waiting = partial(say, f"store {uri}: {busy}; waiting {seconds:g} seconds at the most")
    try:
        with turn(waiting, seconds):
            yield
    except TimeoutError as error:
        raise ValueError(
            f"store {uri}: {busy} for more than {seconds:g} seconds; try again when that has ended"
        ) from error


def _turn(uri: str) -> tuple[str, Callable[[Callable[[], None], float], AbstractContextManager[None]]]:
    """Why one waits for its turn to create the store, and what waits: it is given what says so, and for how long."""
    path = local_path(uri)
    if urlsplit(uri).scheme.partition("+")[0] in DATABASES:
        return "its tables are made by another process", partial(first_start.turn, uri)
    if path is None or not os.access(path.parent, os.R_OK) or not path.parent.is_dir():
        return "", lambda on_wait, seconds: contextlib.nullcontext()
    return f"its folder {path.parent} is locked by another process", partial(locked, path.parent)


def _folder_has_store(uri: str, folder: Path) -> bool:
    if os.environ.get("MLFLOW_ALLOW_FILE_STORE", "").lower() not in ("true", "1"):
        raise ValueError(
            f"store {uri}: MLflow no longer writes to a folder unless MLFLOW_ALLOW_FILE_STORE=true;"
            " a database is better, as MLFLOW_TRACKING_URI=sqlite:///mlflow.db"
        )
    existing_folder(f"store {uri}", folder)
    return any(folder.glob("*/meta.yaml"))  # of its experiments


def _check_server(uri: str) -> None:
    parts = urlsplit(uri)
    host = parts.netloc.rpartition("@")[2]  # urllib takes no user; the server asks for one when it is opened
    address = urlunsplit((parts.scheme, host, f"{parts.path.rstrip('/')}/health", "", ""))
    try:
        with said_if_slow(f"store {uri}: waiting for an answer"):
            urllib.request.urlopen(address, timeout=database.SERVER_SECONDS).close()
    except urllib.error.HTTPError:
        pass  # it answers; opening it shows what it permits
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        if not isinstance(reason, ssl.SSLError):  # MLflow has settings of its own for whom it trusts
            raise ValueError(f"store {uri}: no answer ({folded(reason)})") from error
