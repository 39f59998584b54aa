"""What the commands tell the user: usage errors of one line, and lines of progress on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click


@contextmanager
def usage_errors() -> Iterator[None]:
    """A ValueError raised in here is about what the user gave: one line, exit code 2."""
    try:
        yield
    except ValueError as error:
        raise click.UsageError(str(error)) from error


def say(text: str) -> None:
    """One line on stderr, at once: stdout is for results."""
    print(text, file=sys.stderr, flush=True)
