"""The standard streams: there, whatever the process was started with; what cannot be said is no error."""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from typing import TextIO


class StandardError(io.TextIOWrapper):
    """Standard error that drops what it cannot write: a full disk, or a terminal that was closed, ends no sweep."""

    def write(self, text: str, /) -> int:
        """As TextIOWrapper's."""
        with suppress(OSError):
            return super().write(text)
        return len(text)

    def flush(self) -> None:
        """As TextIOWrapper's."""
        with suppress(OSError):
            super().flush()


def settle() -> None:
    """Make the streams such that they can be written to, or say that they cannot, as this program is made for."""
    _occupy_descriptors()
    if sys.stdout is None:
        sys.stdout = _nowhere(os.O_RDONLY)  # what is printed is a result: an error tells that it is lost
    if sys.stderr is None:
        sys.stderr = _nowhere(os.O_WRONLY)
    if isinstance(sys.stdout, io.TextIOWrapper):  # its encoding may lack the "−" of a result
        sys.stdout.reconfigure(errors="backslashreplace")
    if sys.stderr is sys.__stderr__ and type(sys.stderr) is io.TextIOWrapper:
        encoding = sys.stderr.encoding
        sys.stderr = StandardError(sys.stderr.buffer, encoding, "backslashreplace", line_buffering=True)


def drop_output() -> None:
    """Forget what could not be written, or Python would try again at its end."""
    with suppress(OSError):
        sys.stdout.close()


def _occupy_descriptors() -> None:
    """Open what the process was started without: else the next file, as the store, had the number of a stream.

    Whatever a library printed would then be written into it.
    """
    for number, flags in enumerate((os.O_RDONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, flags)  # the lowest number that is free


def _nowhere(flags: int) -> TextIO:
    """A stream to nowhere; one that is opened for reading refuses what is written to it."""
    return os.fdopen(os.open(os.devnull, flags), "w")
