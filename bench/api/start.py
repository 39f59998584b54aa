"""From Python's values to what is asked of the start; what is wrong is a ValueError of one line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import Any, get_args

from bench.execution.starts import StartRequest
from bench.messages import one_of
from bench.trial.start import Head, Norm, When

CHOICES = {"start_head": get_args(Head), "start_norm": get_args(Norm), "when": get_args(When)}
NUMBERS: Mapping[str, tuple[type, Callable[[Any], float], str]] = {
    "start_epochs": (Integral, int, "a whole number"),
    "start_lr": (Real, float, "a number"),
}


def start_request(given: Mapping[str, Any]) -> StartRequest:
    """What the arguments `start`, `when` and `start_…` ask."""
    if not isinstance(given["start"], str):
        raise ValueError(f"start {given['start']!r}: must be a text")
    for name, choices in CHOICES.items():
        if given[name] not in choices:
            raise ValueError(f"{name} {given[name]!r}: {one_of(choices)}")
    return StartRequest(
        start=given["start"],
        when=given["when"],
        **{name.removeprefix("start_"): given[name] for name in ("start_head", "start_norm")},
        **{name.removeprefix("start_"): _number(name, given[name]) for name in NUMBERS},
    )


def _number(name: str, value: Any) -> Any:
    accepted, kept, words = NUMBERS[name]
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, accepted):
        raise ValueError(f"{name} {value!r}: must be {words}")
    return kept(value)
