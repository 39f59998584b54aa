"""Fuzzing: how many inputs a test tries, how they are damaged, and what was counted.

`tox -e fuzz` tries BENCH_FUZZ times as many as the ordinary suite, and writes the counts to BENCH_FUZZ_REPORT.
"""

from __future__ import annotations

import json
import os
import random
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

TIMES = int(os.environ.get("BENCH_FUZZ", "1"))
REPORT = os.environ.get("BENCH_FUZZ_REPORT")
HANG_SECONDS = 60.0  # of this process's own time, whatever else the machine does
MOST_MEGABYTES = 600.0  # that a reader may need besides, whatever its input claims
NUMBERS = (b"\xff" * 4, bytes(4), b"\x00\x00\x00\x7f", b"\x7f\x00\x00\x00", b"\xff" * 8, b"1e999", b"-1", b"9" * 30)
WORDS = (
    b"null",
    b"[]",
    b"{}",
    b'""',
    b"NaN",
    b"Infinity",
    b"\x00",
    b"\xed\xa0\x80",
    b"\\ud800",
    b"[" * 200,
    b"\n",
    b",",
)


class HangError(BaseException):
    """An input took HANG_SECONDS."""


def examples(number: int) -> int:
    """The number of inputs to try, of a test that tries so many in the ordinary suite."""
    return TIMES * number


def damaged(data: bytes, draw: random.Random) -> bytes:
    """The content with bytes changed, cut out, doubled, or replaced by numbers and words that readers stumble over."""
    raw = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 4, 16))):
        start, length = draw.randrange(len(raw) + 1), draw.choice((1, 2, 4, 8, 40))
        match draw.randrange(7):
            case 0 if start < len(raw):
                raw[start] ^= 1 << draw.randrange(8)
            case 1:
                raw[start : start + length] = b""
            case 2:
                raw[start:start] = draw.randbytes(length)
            case 3:
                raw[start : start + length] = draw.choice(NUMBERS)
            case 4:
                raw[start : start + length] = draw.choice(WORDS)
            case 5:
                raw[start:start] = raw[start : start + 40 * length]
            case _:
                raw = raw[: draw.randrange(len(raw) + 1)] if draw.random() < 0.3 else raw
    return bytes(raw)


def try_inputs(name: str, number: int, attempt: Callable[[random.Random], None]) -> None:
    """Call `attempt` with a generator for each input, the same in every run; a ValueError of one line refuses it.

    Anything else that is raised is a fault of the reader; the assertion names the seed.
    """
    refused, before = 0, peak_megabytes()
    for seed in range(examples(number)):
        try:
            with _limited():
                attempt(random.Random(f"{name} {seed}"))
        except ValueError as error:
            assert "\n" not in str(error), f"{name}, seed {seed}: {error}"
            refused += 1
        except BaseException as error:
            raise AssertionError(f"{name}, seed {seed}: {type(error).__name__}") from error
    grown = peak_megabytes() - before
    record(name, examples(number), refused, grown)
    assert grown <= MOST_MEGABYTES


def record(name: str, inputs: int, refused: int, megabytes: float) -> None:
    """Add a line to the report, if one is wanted."""
    if REPORT:
        line = {"reader": name, "inputs": inputs, "refused": refused, "tracebacks": 0, "hangs": 0}
        with Path(REPORT).open("a") as file:
            file.write(json.dumps({**line, "megabytes": round(megabytes, 1)}) + "\n")


def peak_megabytes() -> float:
    """The most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@contextmanager
def _limited() -> Iterator[None]:
    def end(number: int, frame: FrameType | None) -> None:
        raise HangError

    before = signal.signal(signal.SIGVTALRM, end)
    signal.setitimer(signal.ITIMER_VIRTUAL, HANG_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
