"""What a search of MLflow gives page by page. Imports nothing of ours: every room may import it."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


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
