"""Where the MLflow store is, and whether it can be written; looks without creating anything."""

from __future__ import annotations

import os
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import unquote, urlsplit

SERVER_SECONDS = 5.0  # the longest wait for a server's answer
SQLITE = "sqlite:///"
DATABASES = ("postgresql", "mysql", "mssql", "sqlite")


def absolute(uri: str) -> str:
    """The address with its path made absolute: workers and later commands run in other folders.

    >>> absolute("https://host:5000/mlflow"), absolute("sqlite:////a/b.db"), absolute("/a/mlruns")
    ('https://host:5000/mlflow', 'sqlite:////a/b.db', 'file:///a/mlruns')
    """
    if uri.startswith(SQLITE):
        path, mark, query = uri.removeprefix(SQLITE).partition("?")
        return f"{SQLITE}{Path(path).absolute()}{mark}{query}"
    scheme = urlsplit(uri).scheme
    if scheme in ("", "file"):
        return Path(unquote(urlsplit(uri).path)).absolute().as_uri()
    return uri


def foreseen() -> str | None:
    """The store's address, if it is known without MLflow: MLFLOW_TRACKING_URI, or the file that MLflow creates in a
    folder without a store. `bench.storage.mlflow_store.store_uri` decides."""
    if uri := os.environ.get("MLFLOW_TRACKING_URI"):
        return absolute(uri)
    return None if Path("mlruns").exists() else absolute(f"{SQLITE}mlflow.db")


def local_path(uri: str) -> Path | None:
    """The file or folder that holds the store; None if a server has it."""
    if uri.startswith(SQLITE):
        return Path(unquote(uri.removeprefix(SQLITE).partition("?")[0]))
    return Path(unquote(urlsplit(uri).path)) if urlsplit(uri).scheme == "file" else None


def exists(uri: str) -> bool:
    """Whether there is a store; opening one creates it. A server is assumed to have one."""
    path = local_path(uri)
    return path is None or (path.stat().st_size > 0 if path.is_file() else path.is_dir())


def check_writable(uri: str) -> None:
    """Raise ValueError, in one line, if the store cannot be written."""
    scheme = urlsplit(uri).scheme
    if scheme in ("http", "https"):
        _check_server(uri)
    elif scheme == "file":
        if os.environ.get("MLFLOW_ALLOW_FILE_STORE", "").lower() not in ("true", "1"):
            raise ValueError(
                f"store {uri}: MLflow no longer writes to a folder unless MLFLOW_ALLOW_FILE_STORE=true;"
                " a database is better, as MLFLOW_TRACKING_URI=sqlite:///mlflow.db"
            )
        check_folder(f"store {uri}", Path(urlsplit(uri).path))
    elif uri.startswith(SQLITE):
        _check_sqlite(uri)
    elif scheme.partition("+")[0] not in (*DATABASES, "databricks") or uri.startswith("sqlite:"):
        schemes = "sqlite:///FILE, http://, https://, postgresql://, mysql://, mssql:// or databricks"
        raise ValueError(f"store {uri}: MLFLOW_TRACKING_URI must be {schemes}")


def _check_sqlite(uri: str) -> None:
    path = local_path(uri)
    assert path is not None
    check_folder(f"store {uri}", path.parent)
    if path.is_dir():
        raise ValueError(f"store {uri}: {path} is a folder")
    if path.exists():
        if not os.access(path, os.R_OK | os.W_OK):
            raise ValueError(f"store {uri}: {path} cannot be read and written: check its permissions")
        with path.open("rb") as file:
            head = file.read(16)
        if head and head != b"SQLite format 3\0":
            raise ValueError(f"store {uri}: {path} is no SQLite database; name one, or a new file")


def check_folder(label: str, folder: Path) -> None:
    """Raise ValueError if `folder`, or the nearest folder above it that exists, cannot be written."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        raise ValueError(f"{label}: {folder} is no folder")
    try:
        tempfile.TemporaryFile(dir=folder).close()  # leaves nothing behind; for root, the permissions alone say nothing
    except OSError as error:
        raise ValueError(f"{label}: the folder {folder} cannot be written: {error.strerror}") from error


def check_output(label: str, file: Path) -> None:
    """Raise ValueError if the file that `label` names cannot be written; writes nothing."""
    folder = file.absolute().parent
    if not folder.is_dir():
        raise ValueError(f"{label}: no such folder")
    if file.exists() and not file.is_file():
        raise ValueError(f"{label}: must be a file")
    check_folder(label, folder)


def _check_server(uri: str) -> None:
    try:
        urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=SERVER_SECONDS).close()
    except urllib.error.HTTPError:
        pass  # it answers; the first write shows what it permits
    except (OSError, ValueError) as error:
        raise ValueError(f"store {uri}: no answer ({getattr(error, 'reason', error)})") from error
