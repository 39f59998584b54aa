"""The small languages of the command line: rates and seeds. Pure functions; ValueError in one line."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from itertools import pairwise

from bench.trial.streams import SEED_LIMIT

GRID = tuple(map(Decimal, ["0.5", "0.7", "0.8", "0.9", "0.95", "0.98", "0.99", "0.995", "0.998", "0.999"]))
RATES_HELP = "a number in [0, 1), a comma list, lo:hi (the standard grid between, ends included) or lo:hi:n"
SEEDS_HELP = "a count, first:last, or a comma list with at least one comma"


def parse_rates(rates: str) -> list[Decimal]:
    """The rates that a text names, rising, each once.

    >>> [str(r) for r in parse_rates("0.9:0.995")]
    ['0.9', '0.95', '0.98', '0.99', '0.995']
    >>> [str(r) for r in parse_rates("0.9:0.999:3")]  # densities 0.1, 0.01, 0.001
    ['0.9', '0.99', '0.999']
    """
    return sorted({rate.normalize() for item in rates.split(",") for rate in _rates(item.strip(), rates)})


def _rates(item: str, rates: str) -> list[Decimal]:
    """The rates that one item of the comma list names."""
    low, *rest = item.split(":")
    if not rest:
        return [_rate(low, rates)]
    lo, hi = _rate(low, rates), _rate(rest[0], rates)
    if lo > hi or len(rest) > 2:
        raise ValueError(f"rates {rates!r}: must be {RATES_HELP}, lo <= hi")
    if len(rest) == 1:
        return [lo, *(r for r in GRID if lo < r < hi), hi]
    n = _whole(rest[1], 2, 10_000, f"rates {rates!r}: n")
    ratio = float(1 - hi) / float(1 - lo)
    inner = (round(Decimal(1 - float(1 - lo) * ratio ** (i / (n - 1))), 6) for i in range(1, n - 1))
    return [lo, *(r for r in inner if lo < r < hi), hi]


def _rate(number: str, rates: str) -> Decimal:
    try:
        rate = Decimal(number)
    except InvalidOperation:
        raise ValueError(f"rates {rates!r}: {number!r} is not a number; must be {RATES_HELP}") from None
    if not (rate.is_finite() and 0 <= rate < 1):
        raise ValueError(f"rate {number}: must be 0 <= rate < 1")
    return abs(rate)  # -0 is 0


def parse_seeds(seeds: str) -> list[int]:
    """The seeds that a text names, rising, each once.

    >>> parse_seeds("3"), parse_seeds("3:5"), parse_seeds("4,1"), parse_seeds("4:4")
    ([0, 1, 2], [3, 4, 5], [1, 4], [4])
    """
    complaint = f"seeds {seeds!r}: must be {SEEDS_HELP};"
    if "," in seeds:
        items = [item.strip() for item in seeds.rstrip(",").split(",")]
        return sorted({seed for item in items for seed in _seeds(item, complaint)})
    if ":" in seeds:
        return _seeds(seeds, complaint)
    return list(range(_whole(seeds, 1, 1_000_000, complaint)))


def seeds_text(seeds: Sequence[int]) -> str:
    """The text that `parse_seeds` reads as these seeds, which rise.

    >>> seeds_text([0, 1, 2, 7]), seeds_text([4])
    ('0:2,7', '4:4')
    """
    breaks = [index for index in range(1, len(seeds)) if seeds[index] != seeds[index - 1] + 1]
    runs = [seeds[first:end] for first, end in pairwise([0, *breaks, len(seeds)])]
    return ",".join(f"{run[0]}:{run[-1]}" if len(run) > 1 or len(runs) == 1 else str(run[0]) for run in runs)


def _seeds(item: str, complaint: str) -> list[int]:
    """The seeds that one item of the comma list names."""
    first, colon, last = item.partition(":")
    low = _whole(first, 0, SEED_LIMIT - 1, complaint)
    high = _whole(last, 0, SEED_LIMIT - 1, complaint) if colon else low
    if low > high or high - low >= 1_000_000:
        raise ValueError(f"{complaint} first <= last, at most a million of them")
    return list(range(low, high + 1))


def _whole(number: str, low: int, high: int, complaint: str) -> int:
    """The whole number in a text; the complaint begins the message of the ValueError if there is none."""
    if not number.strip().isascii() or not number.strip().isdigit() or not low <= int(number) <= high:
        raise ValueError(f"{complaint} {number!r} is not a whole number from {low} to {high}")
    return int(number)
