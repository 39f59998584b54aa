"""What MLflow is given and gives: a store's address, a search page by page.

Imports nothing of ours: every room may import it.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


def address(uri: str) -> str:
    """A store's address in the form that MLflow opens as it is.

    Of `sqlite:///` MLflow also makes the folder that the path spells with its "%" as they stand, beside the right one.

    >>> address("sqlite:////a%20b/mlflow.db"), address("sqlite:////a b/mlflow.db")
    ('sqlite+pysqlite:////a%20b/mlflow.db', 'sqlite:////a b/mlflow.db')
    """
    scheme, separator, path = uri.partition(":///")
    return f"sqlite+pysqlite{separator}{path}" if scheme == "sqlite" and "%" in path.partition("?")[0] else uri


def paged(search: Callable[..., Any], **query: Any) -> Iterator[Any]:
    """Everything that the search finds, one page after the other."""
    token = None
    while True:
        page = search(page_token=token, **query)
        yield from page
        if not (token := page.token):
            return


@contextmanager
def without_collector() -> Iterator[None]:
    """Pause the garbage collector: MLflow makes an object per tag and figure, and the scans take 2/3 of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
