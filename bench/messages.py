"""What the user is told: usage errors of one line, lines of progress on stderr, and words that many messages share.

Imports nothing of ours but `masking`, and click only when a usage error occurs: every room may import it.
"""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches

from bench.masking import masked

SOON_SECONDS = 0.5
LONGEST = 300  # characters of what somebody else's code says
LIBRARIES = ("mlflow", "sqlalchemy", "alembic")  # packages whose errors are about a store
CLIENTS = ("requests", "urllib3")  # packages whose errors are about a server, and wrap each other
# What a terminal obeys, and what turns the direction of the text behind it; and halves of a character, which no file
# can be written with.
CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
ENDS = re.compile("[\t-\r\x1c-\x1e\x85\u2028\u2029]+")  # of lines
FORMER_PACKAGES = ("methods", "models", "datasets", "results")  # now packages of bench


@contextmanager
def usage_errors(error_type: type[ValueError] = ValueError) -> Iterator[None]:
    """An error of this type raised in here is about what the user gave: one line, exit code 2."""
    try:
        yield
    except error_type as error:
        import click

        raise click.UsageError(str(error)) from error


@contextmanager
def announced(line: str) -> Iterator[None]:
    """Say what is going to be done once all checks in here are passed, or soon if they take longer.

    So a usage error stays one line, and during a slow check (a download, a server) the user knows what is going on.
    """
    with said_if_slow(line) as soon:
        yield
        if not soon.finished.is_set():
            say(line)


@contextmanager
def said_if_slow(line: str) -> Iterator[threading.Timer]:
    """Say what is waited for, if that takes longer than SOON_SECONDS."""
    soon = threading.Timer(SOON_SECONDS, say, [line])
    soon.start()
    try:
        yield soon
    finally:
        soon.cancel()
        soon.join()


def say(line: str) -> None:
    """One line on stderr, at once: stdout is for results."""
    print(masked(visible(line)), file=sys.stderr, flush=True)


def visible(text: str) -> str:
    """The text in one line, which means nothing but itself wherever it is printed: whoever wrote it.

    >>> visible("a\\nb \\x1b[31mred \u202eleft")
    'a b \\\\x1b[31mred \\\\u202eleft'
    """
    return CONTROLS.sub(lambda match: repr(match.group())[1:-1], ENDS.sub(" ", text))


def store_error(error: BaseException) -> str | None:
    """What an error of MLflow or of its database says, in one line; None for any other error."""
    if type(error).__module__.partition(".")[0] not in LIBRARIES:
        return None
    inner: BaseException | None = error
    while inner is not None:
        if driver := getattr(
            inner, "orig", None
        ):  # its own words, without the statement and where SQLAlchemy explains it
            return folded(driver)
        if type(inner).__module__.partition(".")[0] in CLIENTS:
            return f"no answer ({folded(_innermost(inner))})"
        inner = inner.__cause__ or inner.__context__
    return folded(error)


def _innermost(error: BaseException) -> BaseException:
    """The error that this one of CLIENTS wraps, perhaps over others."""
    for inner in (getattr(error, "reason", None), *error.args):
        if isinstance(inner, BaseException):
            return _innermost(inner)
    return error


def one_line(error: BaseException) -> str:
    """The type and the message of an exception, in at most LONGEST characters."""
    return folded(f"{type(error).__name__}: {explained(error)}")


def explained(error: BaseException) -> str:
    """The message of an exception; if it is about an import by a former name, also what to import now.

    >>> explained(ModuleNotFoundError("No module named 'methods.base'", name="methods.base"))
    "No module named 'methods.base': import bench.methods now"
    """
    try:
        message = str(error)
    except Exception:  # an error of somebody else's code
        message = "an error that cannot say what it is"
    top = (error.name or "").partition(".")[0] if isinstance(error, ImportError) else ""
    advice = f": import bench.{top} now"
    return message if top not in FORMER_PACKAGES or message.endswith(advice) else f"{message}{advice}"


def folded(message: object) -> str:
    """A message as one line of at most LONGEST characters, without passwords: half of one could not be told as such.

    >>> folded("the table\\n    is locked")
    'the table is locked'
    """
    return masked(visible(" ".join(str(message).split())))[:LONGEST]


def shortened(text: str, length: int) -> str:
    """The text in at most that many characters, for reading only.

    >>> shortened("freeze 0.9 seed 3", 11), shortened("dense", 11)
    ('freeze 0.9…', 'dense')
    """
    return text if len(text) <= length else f"{text[: length - 1]}…"


def say_left_out(noun: str, unreadable: Sequence[tuple[str, str]]) -> None:
    """Name what could not be read of the store, as (run, reason), in one line; says nothing if there is none."""
    if unreadable:
        say(f"warning: {left_out(noun, unreadable)}")


def left_out(noun: str, unreadable: Sequence[tuple[str, str]]) -> str:
    """What could not be read of the store, as (run, reason).

    >>> left_out("trial", [("8d1f", "it has no spec")]), left_out("trial", [("8d1f", "it has no spec")] * 2)
    ('1 trial of the store left out, run 8d1f: it has no spec', \
'2 trials of the store left out, the first run 8d1f: it has no spec')
    """
    run, reason = unreadable[0]
    first = "the first " if len(unreadable) > 1 else ""
    return f"{counted(len(unreadable), noun)} of the store left out, {first}run {run}: {reason}"


def nearest(noun: str, name: str, known: Sequence[str]) -> str:
    """The one-line complaint about an unknown name: what it must be, and the nearest match.

    >>> nearest("method", "frezee", ["dense", "freeze"])
    "unknown method 'frezee': must be one of dense, freeze; did you mean freeze?"
    """
    same = [other for other in known if other.lower() == name.lower()]
    return unknown(noun, name, known, same or get_close_matches(name, known, n=1, cutoff=0.5))


def unknown(noun: str, name: str, known: Sequence[str], close: Sequence[str]) -> str:
    """`nearest` for names whose nearest match is not a matter of spelling: `close` begins with it, or is empty."""
    hint = f"; did you mean {close[0]}?" if close else ""
    return f"unknown {noun} {name!r}: {one_of(known)}{hint}"


def one_of(choices: Collection[str]) -> str:
    """What a name must be.

    >>> one_of(["t", "wilcoxon"]), one_of([])
    ('must be one of t, wilcoxon', 'there is none')
    """
    return f"must be one of {', '.join(choices)}" if choices else "there is none"


def counted(number: int, noun: str) -> str:
    """The number and its noun.

    >>> counted(1, "seed"), counted(2, "seed"), counted(1200, "trial")
    ('1 seed', '2 seeds', '1,200 trials')
    """
    return f"{number:,} {plural(number, noun)}"


def plural(number: float, noun: str) -> str:
    """The noun as it stands behind the number."""
    return noun if number == 1 else f"{noun}s"


def decimal_text(number: float, digits: int = 6) -> str:
    """A number as a person writes it, never in powers of ten.

    >>> [decimal_text(number) for number in (0.25, 2.0, 0.000001, 10.0, 0.0)]
    ['0.25', '2', '0.000001', '10', '0']
    """
    text = f"{number:.{digits}f}"
    return text.rstrip("0").rstrip(".")
