"""At which epochs masks change, and by how much: exact, so that a count never depends on a rounding. No torch."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, cos, floor, pi

DIGITS = 6  # of a number of weights before it is rounded up: another library's cosine may differ in the last bit


def share(number: float) -> Fraction:
    """The number as it is written.

    >>> share(0.75)
    Fraction(3, 4)
    """
    return Fraction(str(number))


def epoch_at(fraction: Fraction, epochs: int) -> int:
    """The epoch whose end is nearest to this fraction of the training, half-way the later; at least the first.

    >>> [epoch_at(Fraction(1, 2), epochs) for epochs in (1, 2, 5, 30)]
    [1, 1, 3, 15]
    """
    return max(1, floor(fraction * epochs + Fraction(1, 2)))


def before(until: Fraction, epochs: int, every: int) -> tuple[int, ...]:
    """Every so many epochs, before this fraction of the training.

    >>> before(Fraction(3, 4), 10, 1), before(Fraction(3, 4), 10, 3), before(Fraction(1), 4, 2)
    ((1, 2, 3, 4, 5, 6, 7), (3, 6), (2,))
    """
    return tuple(epoch for epoch in range(every, epochs + 1, every) if epoch < until * epochs)


def rising(begin: Fraction, until: Fraction, epochs: int, every: int) -> tuple[int, ...]:
    """Every so many epochs after the epoch at `begin`, and at last at `until`.

    >>> rising(Fraction(1, 5), Fraction(3, 4), 10, 1), rising(Fraction(1, 5), Fraction(3, 4), 10, 4)
    ((3, 4, 5, 6, 7, 8), (6, 8))
    """
    first, last = span(begin, until, epochs)
    return (*range(first + every, last, every), last)


def span(begin: Fraction, until: Fraction, epochs: int) -> tuple[int, int]:
    """The epochs at which a rise begins and ends, the second later than the first.

    >>> span(Fraction(1, 5), Fraction(3, 4), 10), span(Fraction(7, 10), Fraction(18, 25), 10)
    ((2, 8), (7, 8))
    """
    first = floor(begin * epochs)
    return first, max(first + 1, epoch_at(until, epochs))


def cosine_count(fraction: Fraction, live: int, epoch: int, end: Fraction) -> int:
    """RigL's number of weights that change places: ceil(f · k), f = fraction / 2 · (1 + cos(π · epoch / end)).

    >>> [cosine_count(Fraction(3, 10), 100, epoch, Fraction(8)) for epoch in (1, 4, 7)]
    [29, 15, 2]
    """
    part = float(fraction) / 2 * (1 + cos(pi * float(Fraction(epoch) / end)))
    return min(live, ceil(round(part * live, DIGITS)))


def cubic_rate(rate: Fraction, epoch: int, begin: int, end: int) -> Fraction:
    """Zhu and Gupta's rate: rate · (1 - (1 - t)³), t from 0 at `begin` to 1 at `end`.

    >>> [cubic_rate(Fraction(4, 5), epoch, 2, 4) for epoch in (2, 3, 4)]
    [Fraction(0, 1), Fraction(7, 10), Fraction(4, 5)]
    """
    return rate * (1 - (1 - Fraction(epoch - begin, end - begin)) ** 3)
