"""What the commands tell the user: usage errors of one line, and lines of progress on stderr."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import click

SOON_SECONDS = 0.5
PARTS = ("methods", "models", "datasets", "results")  # of bench, which were packages of their own before


@contextmanager
def usage_errors() -> Iterator[None]:
    """A ValueError raised in here is about what the user gave: one line, exit code 2."""
    try:
        yield
    except ValueError as error:
        raise click.UsageError(str(error)) from error


@contextmanager
def announced(text: str) -> Iterator[None]:
    """Say what is going to be done once all checks in here are passed, or soon where they take longer.

    So a usage error stays one line, and a slow check (a download, a server) lets nobody wait in the dark.
    """
    soon = threading.Timer(SOON_SECONDS, say, [text])
    soon.start()
    try:
        yield
        if not soon.finished.is_set():
            say(text)
    finally:
        soon.cancel()
        soon.join()


def say(text: str) -> None:
    """One line on stderr, at once: stdout is for results."""
    print(text, file=sys.stderr, flush=True)


def one_line(error: BaseException) -> str:
    """The kind and the message of an exception, in at most 300 characters."""
    return " ".join(f"{type(error).__name__}: {explained(error)}".split())[:300]


def explained(error: BaseException) -> str:
    """The message of an exception; to that of an import by a name of before it adds what to import now.

    >>> explained(ModuleNotFoundError("No module named 'methods.base'", name="methods.base"))
    "No module named 'methods.base': import bench.methods now"
    """
    top = (error.name or "").partition(".")[0] if isinstance(error, ImportError) else ""
    advice = f": import bench.{top} now"
    return str(error) if top not in PARTS or str(error).endswith(advice) else f"{error}{advice}"
