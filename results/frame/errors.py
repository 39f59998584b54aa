"""The complaints about a choice that is none of the allowed."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from difflib import get_close_matches

from bench import names


def unknown(kind: str, name: str, known: Iterable[str]) -> ValueError:
    """What is allowed, and the known name closest in spelling where one is close."""
    known = list(known)
    return _error(kind, name, known, get_close_matches(name, known, n=1, cutoff=0.5))


def unknown_rate(rate: str, known: Iterable[str]) -> ValueError:
    """What is allowed, and the nearest number: by spelling 0.95 is closer to 0.5 than 0.7 is."""
    known = list(known)
    return _error("rate", rate, known, sorted(known, key=lambda other: abs(Decimal(other) - Decimal(rate)))[:1])


def check_metric(metric: str) -> None:
    """Raise ValueError for a figure that is none of the store's."""
    if metric not in names.METRICS:
        raise unknown("metric", metric, names.METRICS)


def check_level(alpha: float) -> None:
    """Raise ValueError unless it can be the level of a test."""
    if not 0 < alpha < 1:
        raise ValueError(f"alpha {alpha}: allowed is 0 < alpha < 1")


def _error(kind: str, name: str, known: list[str], close: list[str]) -> ValueError:
    hint = f"; did you mean {close[0]}?" if close else ""
    return ValueError(f"unknown {kind} {name!r}: allowed are {', '.join(known) or 'none, the store has none'}{hint}")
