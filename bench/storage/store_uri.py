"""Where the MLflow store is: its address, and what an address must be; looks without creating anything."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from bench.disk import expanded
from bench.messages import nearest

SQLITE = "sqlite:///"
PYSQLITE = "sqlite+pysqlite:///"  # the same, with the driver's name
SERVERS = ("http", "https")
DATABASES = ("postgresql", "mysql", "mssql")  # on a server of their own; perhaps with a driver, as mysql+pymysql
SCHEMES = ("sqlite", *SERVERS, *DATABASES)
MANAGED = ("databricks", "databricks-uc", "uc")  # MLflow's names of services whose runs have no name of ours
VARIABLE = "MLFLOW_TRACKING_URI"


def given() -> str | None:
    """MLFLOW_TRACKING_URI, if it is set. Raises ValueError if it has blanks around it, or nothing else."""
    uri = os.environ.get(VARIABLE)
    if uri and uri != uri.strip():
        must = "must have no blanks around it" if uri.strip() else "must be the address of a store, or unset"
        raise ValueError(f"{VARIABLE} {uri!r}: {must}")
    return uri or None


def absolute(uri: str) -> str:
    """The address with its path made absolute: workers and later commands run in other folders.

    Raises: ValueError, in one line, if it cannot be the address of a store.

    >>> absolute("https://host:5000/mlflow"), absolute("sqlite:////a/b.db"), absolute("/a/mlruns")
    ('https://host:5000/mlflow', 'sqlite:////a/b.db', 'file:///a/mlruns')
    >>> absolute("/a#b/é%20"), absolute("file:///a%23b/%C3%A9%2520")
    ('file:///a%23b/%C3%A9%2520', 'file:///a%23b/%C3%A9%2520')
    """
    uri = f"{SQLITE}{uri.removeprefix(PYSQLITE)}" if uri.startswith(PYSQLITE) else uri
    check_address(uri)
    if uri.startswith(SQLITE):
        path, mark, query = uri.removeprefix(SQLITE).partition("?")
        return f"{SQLITE}{_quoted(Path.cwd() / unquote(path))}{mark}{query}"
    if urlsplit(uri).scheme == "file":
        return Path(unquote(urlsplit(uri).path)).absolute().as_uri()
    return uri if urlsplit(uri).scheme else Path(uri).absolute().as_uri()  # a path as it is, whatever is in its names


def _quoted(file: Path) -> str:
    """As it stands in an address: readable, and without a character that means something there."""
    return str(file).replace("%", "%25").replace("?", "%3F")


def check_address(uri: str) -> None:
    """Raise ValueError, in one line, if no store can have this address."""
    try:
        parts = urlsplit(uri)
        wrong = _wrong(uri, parts)
    except ValueError as error:  # of urllib: a bracket without its other half, a port that is no number
        # Its words on a port quote it, which is half of a password with a slash in it.
        reason = "its port must be a number from 1 to 65535" if str(error).startswith("Port") else error
        raise ValueError(f"store {uri}: {reason}") from error
    if wrong:
        raise ValueError(f"store {uri}: {wrong}")


def _wrong(uri: str, parts: SplitResult) -> str:
    """What is wrong with the address; "" if nothing is. Raises ValueError as `urllib` does."""
    if uri.startswith(SQLITE):
        return _wrong_file(unquote(uri.removeprefix(SQLITE).partition("?")[0]))
    if parts.scheme in ("", "file") and uri not in MANAGED:
        return _wrong_folder(uri, parts)
    if parts.scheme in SERVERS:
        return "" if parts.hostname and parts.port != 0 else "must name a host, as http://host:5000"
    if parts.scheme == "sqlite":
        return f"must be {SQLITE}FILE"
    return "" if parts.scheme.partition("+")[0] in DATABASES else nearest("scheme", parts.scheme or uri, SCHEMES)


def _wrong_file(path: str) -> str:
    if path in ("", ":memory:") or path.startswith("file:"):
        return f"must name a file, as {SQLITE}mlflow.db"
    return _wrong_path(path)


def _wrong_folder(uri: str, parts: SplitResult) -> str:
    if parts.fragment and parts.scheme:
        return "has a # in it, behind which an address has no path: must be %23 there"
    if parts.netloc not in ("", "localhost"):
        return f"{parts.netloc} stands where a host does: a folder is file:///FOLDER, with its whole path"
    return _wrong_path(unquote(parts.path) if parts.scheme else uri)


def _wrong_path(path: str) -> str:
    """What is wrong with a path, whatever is there; of `~` a folder called so would be made."""
    home, slash, _ = path.partition("/")
    if home == "~" or (slash and home.startswith("~")):
        return f"{home} means a home folder to a shell only: write its path"
    try:
        expanded(Path(path))
    except ValueError as error:
        return str(error)
    return ""


def foreseen() -> str | None:
    """The store's address, if it is known without MLflow: MLFLOW_TRACKING_URI, or the file that MLflow creates in a
    folder without a store of another kind. `bench.storage.mlflow_store.store_uri` decides."""
    if uri := given():
        return absolute(uri)
    if "mlflow" in sys.modules and Path("mlruns").exists():  # it may have been told another, and says so at no cost
        return None
    return None if any(Path("mlruns").glob("*/meta.yaml")) else absolute(f"{SQLITE}mlflow.db")


def local_path(uri: str) -> Path | None:
    """The file or folder that holds the store; None if a server has it."""
    if uri.startswith(SQLITE):
        return Path(unquote(uri.removeprefix(SQLITE).partition("?")[0]))
    return Path(unquote(urlsplit(uri).path)) if urlsplit(uri).scheme == "file" else None


def check_folder(label: str, folder: Path) -> None:
    """Raise ValueError if `folder`, or the nearest folder above it that exists, cannot be written."""
    folder = existing_folder(label, folder)
    try:
        tempfile.TemporaryFile(dir=folder).close()  # leaves nothing behind; for root, the permissions alone say nothing
    except OSError as error:
        raise ValueError(f"{label}: the folder {folder} cannot be written: {error.strerror}") from error


@contextmanager
def _seen(label: str) -> Iterator[None]:
    """Raises ValueError for what is not to be seen, as in a folder that must not be read, or by a name too long."""
    try:
        yield
    except OSError as error:
        raise ValueError(f"{label}: {error.strerror}") from error


def existing_folder(label: str, folder: Path) -> Path:
    """The folder, or the nearest above it that exists. Raises ValueError if that is no folder, or not to be told."""
    with _seen(label):
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
    if not folder.is_dir():
        raise ValueError(f"{label}: {folder} is no folder")
    return folder


def check_output(label: str, file: Path) -> None:
    """Raise ValueError if the file that `label` names cannot be written; writes nothing."""
    folder = file.absolute().parent
    with _seen(label):
        is_folder, is_other = folder.is_dir(), file.exists() and not file.is_file()
    if not is_folder:
        raise ValueError(f"{label}: no such folder")
    if is_other:
        raise ValueError(f"{label}: must be a file")
    check_folder(label, folder)
