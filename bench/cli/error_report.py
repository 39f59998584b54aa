"""What is said of an error that nobody foresaw: one line, and the folder of a report that has the rest.

Nothing secret is in either: a report is made to be sent to somebody.
"""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
import time
import traceback
from contextlib import suppress
from contextvars import ContextVar
from pathlib import Path

from platformdirs import user_state_path

from bench import __version__
from bench.disk import make_folder, write_whole
from bench.masking import masked, masked_lines
from bench.messages import one_line, say
from bench.storage.environment import environment

TRACEBACK, ABOUT = "traceback.txt", "about.txt"
CODE = 1  # of a process that ends so
IS_DEBUG: ContextVar[bool] = ContextVar("is_debug", default=False)  # whether the user asked for tracebacks


def report(error: BaseException) -> int:
    """Say what happened in one line, keep a report, and return the exit code of the process."""
    if IS_DEBUG.get():
        say_traceback(error)
    folder = _kept(error)
    where = f"a full report is in {folder}" if folder else "no report could be written, `--debug` shows the traceback"
    say(f"error: {one_line(error)}; {where}")
    return CODE


def say_traceback(error: BaseException) -> None:
    """The traceback of an error, and of those that led to it, on stderr."""
    print(masked_lines("".join(traceback.format_exception(error))), end="", file=sys.stderr, flush=True)


def _kept(error: BaseException) -> Path | None:
    """A new folder with the report; None if it cannot be written, as on a full disk."""
    name = f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    for parent in (user_state_path("bench"), Path(tempfile.gettempdir())):
        folder = parent / "bench-errors" / name
        with suppress(OSError, RuntimeError):  # the latter of a user without a home folder
            make_folder(folder)
            write_whole(folder / TRACEBACK, masked_lines("".join(traceback.format_exception(error))).encode())
            write_whole(folder / ABOUT, _about().encode())
            return folder
    return None


def _about() -> str:
    """What a reader of the traceback asks next: the command, and where it ran."""
    command = shlex.join(map(masked, sys.argv))
    lines = {"command": command, "folder": str(Path.cwd()), "bench": __version__, **environment()}
    return "".join(f"{name}: {masked(value)}\n" for name, value in lines.items())
