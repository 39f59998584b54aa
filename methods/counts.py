"""How many weights are live: the one rounding rule, exact. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import floor


def live_count(rate: Fraction, weights: int) -> int:
    """k = round-half-up((1 - q) · N), in exact arithmetic; at rate 1 none.

    >>> live_count(Fraction("0.995"), 430_500)  # 2152.5
    2153
    """
    if not 0 <= rate <= 1:
        raise ValueError(f"rate {rate}: must be 0 <= rate <= 1")
    return floor((1 - rate) * weights + Fraction(1, 2))


def rate_beside_head(rate: Fraction, weights: int, head: int) -> Fraction:
    """The rate of the layers beside a head that is trained whole, for as many live weights in all.

    Raises: ValueError if the head has more weights than are live, or if there are no others.

    >>> rate_beside_head(Fraction("0.9"), 1000, 40)
    Fraction(15, 16)
    """
    live = live_count(rate, weights)
    if head == weights:
        raise ValueError("head trained: must be masked; the network has no maskable weights beside its head's")
    if live < head:
        raise ValueError(f"head trained at rate {float(rate)}: {live} live weights; must be at least the head's {head}")
    return 1 - Fraction(live - head, weights - head)


def apportion(total: int, shares: Sequence[Fraction], sizes: Sequence[int]) -> list[int]:
    """Whole counts that sum to `total`, by largest remainder of the exact `shares`, none above its size.

    A remaining one goes to the largest fractional part, ties to the earlier layer.

    >>> apportion(4, [Fraction(3, 2), Fraction(3, 2), Fraction(1)], [9, 9, 9])
    [2, 1, 1]
    """
    counts = [min(floor(share), size) for share, size in zip(shares, sizes, strict=True)]
    order = sorted(range(len(shares)), key=lambda i: (counts[i] - shares[i], i))
    while (left := total - sum(counts)) > 0:
        room = [i for i in order if counts[i] < sizes[i]][:left]
        if not room:
            raise ValueError(f"{total} live weights: must be at most {sum(sizes)}")
        for i in room:
            counts[i] += 1
    return counts
