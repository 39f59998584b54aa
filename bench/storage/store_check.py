"""What is at the store's address, for every command alike: a store, nothing yet, or what can be none.

Looks without creating anything.
"""

from __future__ import annotations

import contextlib
import os
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from bench.disk import locked
from bench.messages import folded
from bench.storage import database
from bench.storage.store_uri import SERVERS, check_address, check_folder, existing_folder, local_path


def check(uri: str) -> None:
    """Raise ValueError, in one line, if there is neither a store nor a place for one."""
    check_address(uri)
    if urlsplit(uri).scheme in SERVERS:
        _check_server(uri)
    else:
        exists(uri)


def exists(uri: str) -> bool:
    """Whether there is a store; opening one creates it. A server is assumed to have one.

    Raises: ValueError, in one line, as `check`.
    """
    scheme, path = urlsplit(uri).scheme, local_path(uri)
    if scheme in SERVERS:
        return True
    if scheme == "file":
        assert path is not None
        return _folder_has_store(uri, path)
    with opening(path):
        return database.version(uri) is not None


def check_writable(uri: str) -> None:
    """As `check`; also if nothing could be written there."""
    check(uri)
    if (path := local_path(uri)) is not None:
        check_folder(f"store {uri}", path if urlsplit(uri).scheme == "file" else path.parent)
        if path.is_file() and not os.access(path, os.W_OK):
            raise ValueError(f"store {uri}: {path} cannot be written: check its permissions")


@contextlib.contextmanager
def opening(path: Path | None) -> Iterator[None]:
    """Keep our other processes from opening this store meanwhile: two that create its tables at once both fail, and
    half of its tables are none."""
    is_shared = path is not None and os.access(path.parent, os.R_OK) and path.parent.is_dir()
    with locked(path.parent) if path is not None and is_shared else contextlib.nullcontext():
        yield


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
        urllib.request.urlopen(address, timeout=database.SERVER_SECONDS).close()
    except urllib.error.HTTPError:
        pass  # it answers; opening it shows what it permits
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        if not isinstance(reason, ssl.SSLError):  # MLflow has settings of its own for whom it trusts
            raise ValueError(f"store {uri}: no answer ({folded(reason)})") from error
