"""The complaints about a choice that is none of the allowed."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from bench import messages, names


def unknown(noun: str, name: str, known: Iterable[str]) -> ValueError:
    """What is allowed, and the known name closest in spelling if one is close."""
    return ValueError(messages.nearest(noun, name, _listed(known)))


def unknown_rate(rate: str, known: Iterable[str]) -> ValueError:
    """What is allowed, and the nearest number: by spelling 0.95 is closer to 0.5 than 0.7 is."""
    known = list(known)
    close = sorted(known, key=lambda other: abs(Decimal(other) - Decimal(rate)))[:1]
    return ValueError(messages.unknown("rate", rate, _listed(known), close))


def check_metric(metric: str) -> None:
    """Raise ValueError for a figure that is none of the store's."""
    if metric not in names.METRICS:
        raise unknown("metric", metric, names.METRICS)


def check_level(alpha: float) -> None:
    """Raise ValueError unless it can be the level of a test."""
    if not 0 < alpha < 1:
        raise ValueError(f"alpha {alpha}: allowed is 0 < alpha < 1")


def _listed(known: Iterable[str]) -> list[str]:
    return list(known) or ["none, the store has none"]
