"""The rounds of a measurement: as many as are asked for, or as its time allows."""

from __future__ import annotations

import time
from collections.abc import Iterator


def rounds_within(rounds: int, minutes: float, began: float) -> Iterator[int]:
    """The numbers of the rounds; the last is a whole one, and ends the first that is over `minutes` after `began`.

    Args: began: by `time.monotonic`.
    """
    for number in range(rounds):
        yield number
        if time.monotonic() - began > 60 * minutes:
            return


def rounds_words(done: int, asked: int) -> str:
    """How many rounds there were.

    >>> rounds_words(30, 30), rounds_words(12, 30)
    ('30 rounds', '12 rounds of 30, for the time was over,')
    """
    return f"{done} rounds" if done == asked else f"{done} rounds of {asked}, for the time was over,"
