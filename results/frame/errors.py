"""The errors of a choice that is not among the known ones."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from bench import messages
from bench.metrics import METRICS, Metric
from bench.results.frame.words import rate_text


class NothingToShowError(ValueError):
    """The store lacks what a figure shows: a page leaves that figure out."""


def unknown(noun: str, value: str, known: Iterable[str]) -> ValueError:
    """What the value must be, and the known one closest in spelling if one is close."""
    return ValueError(messages.nearest(noun, value, _listed(known)))


def unknown_rate(rate: Decimal, known: Iterable[Decimal]) -> ValueError:
    """What the rate must be, and the nearest number: by spelling 0.95 is closer to 0.5 than 0.7 is."""
    rates = sorted(known)
    close = [rate_text(r) for r in sorted(rates, key=lambda other: abs(other - rate))[:1]]
    return ValueError(messages.unknown("rate", rate_text(rate), _listed(map(rate_text, rates)), close))


def metric_of(name: str) -> Metric:
    """The row of a metric. Raises ValueError for a name that is none of the store's."""
    if name not in METRICS:
        raise unknown("metric", name, METRICS)
    return METRICS[name]


def check_level(alpha: float) -> None:
    """Raise ValueError unless it can be the level of a test."""
    if not 0 < alpha < 1:
        raise ValueError(f"alpha {alpha}: must be above 0 and below 1")


def _listed(known: Iterable[str]) -> list[str]:
    return list(known) or ["none, the store has none"]
