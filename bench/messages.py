"""What the commands tell the user: usage errors of one line, and lines of progress on stderr."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import click

SOON_SECONDS = 0.5


@contextmanager
def usage_errors(kind: type[ValueError] = ValueError) -> Iterator[None]:
    """An error of this kind raised in here is about what the user gave: one line, exit code 2."""
    try:
        yield
    except kind as error:
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
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]
