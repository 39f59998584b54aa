"""What a store holds: its address, and its tidy frame."""

from __future__ import annotations

from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from bench.disk import expanded
from bench.storage import store_check, store_uri, stored_trials

if TYPE_CHECKING:
    import pandas as pd

FILES = (".db", ".sqlite", ".sqlite3")  # suffixes of a store's file
FILE = "mlflow.db"  # the store in a folder, which `mlflow ui` opens there


def frame(store: str | PathLike[str] | None = None, *, warns: bool = True) -> pd.DataFrame:
    """The trials of a store, a row each: what it was, how it ended and every figure.

    Args:    store: an address as `sqlite:///FILE` or `http://HOST:5000`; a folder, whose `mlflow.db` is meant; such a
             file. None: the store of the command line, MLFLOW_TRACKING_URI or that of the working folder.
             warns: whether to name on stderr what is damaged, or disagrees.
    Returns: rows ordered by protocol, method, rate and seed; docs/python.md describes the columns. A trial whose record
             is damaged is left out, named on stderr, and stands in `.attrs["unreadable"]`.
    Raises:  ValueError in one line if there is no store at the address.
    """
    from bench.api.process import settings_kept, store_errors

    with settings_kept():
        uri = existing_store(address_of(store))
        from bench.results.frame.collect import collect

        with store_errors(uri):
            return collect(uri, warns=warns)


def address_of(store: str | PathLike[str] | None) -> str | None:
    """The address of a store that a user names; None if it is that of the command line.

    >>> address_of("/kept/mine.db"), address_of("/kept"), address_of("http://host:5000")
    ('sqlite:////kept/mine.db', 'sqlite:////kept/mlflow.db', 'http://host:5000')
    """
    if store is None:
        return None
    text = fspath(store)
    if not text.strip():
        raise ValueError(f"store {text!r}: must be an address, a folder or a file {', '.join(FILES)}")
    if ":/" in text or text.startswith("sqlite:"):
        return store_uri.absolute(text)
    path = expanded(Path(text))
    file = path if path.suffix in FILES else path / FILE
    return store_uri.absolute(store_uri.SQLITE + quote(str(file)))


def existing_store(uri: str | None = None) -> str:
    """The address of the store, which can be opened; by default of the command line's.

    Raises: ValueError, in one line, if there is none.
    """
    named = uri is not None
    uri = uri or store_uri.foreseen() or _mlflow_uri()
    if not store_check.check(uri):
        others = "" if named else ", MLFLOW_TRACKING_URI names another"
        raise ValueError(f"no store at {uri}: `python -m bench run` makes one{others}")
    stored_trials.open_if_unknown(uri)
    return uri


def _mlflow_uri() -> str:
    from bench.storage import mlflow_store

    return mlflow_store.store_uri()
