"""The spec of a stored trial, with what the tables rely on: one that is damaged costs its own row only."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from bench import names
from bench.messages import shortened
from bench.tags import was_cut, whole
from bench.trial.protocol import ROWS


def stored_spec(tags: Mapping[str, str]) -> dict[str, Any]:
    """The spec of a trial's run. Raises ValueError saying what is wrong with it."""
    if not (text := whole(tags, names.SPEC)):
        raise ValueError("it has no spec")
    try:
        spec = json.loads(text)
    except (ValueError, RecursionError):
        if was_cut(tags, names.SPEC):
            raise ValueError(
                "its spec was cut by an earlier version; `run` trains it again once the run is deleted in MLflow, and "
                "`export` writes its network"
            ) from None
        raise ValueError("its spec is no JSON") from None
    if not isinstance(spec, dict):
        raise ValueError(f"its spec is {_shown(spec)}: must be a JSON object")
    for name in REQUIRED:
        if name not in spec:
            raise ValueError(f"its spec has no {name}")
    for name, value in spec.items():
        if name in CHECKS and not CHECKS[name](value):
            raise ValueError(f"its spec is damaged: {name} {_shown(value)}")
    return spec


def _shown(value: Any) -> str:
    return shortened(json.dumps(value), 40)


def is_number(value: Any) -> bool:
    """Whether it is a JSON number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_rate(value: Any) -> bool:
    try:
        return isinstance(value, str) and 0 <= Decimal(value) <= 1
    except InvalidOperation:
        return False


def _is_seed(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def _is_method(value: Any) -> bool:
    """A record; what is compared and printed of it is text, or the number of a background's scale, first or last."""
    if not isinstance(value, dict):
        return False
    background, end = value.get("background", ""), value.get("fade_to", 0.0)
    return (
        _is_text(value.get("control", ""))
        and (_is_text(background) or is_number(background))
        and (value.get("fade") not in names.FADES or is_number(end))
    )


def _is_search(value: Any) -> bool:
    """None, or the record of a search: its fields with their bounds, its budget and its seeds."""
    if not isinstance(value, dict):
        return value is None
    bounds, seeds = value.get("search"), value.get("seeds")
    return (
        isinstance(bounds, dict)
        and all(isinstance(pair, list) and len(pair) == 2 and all(map(is_number, pair)) for pair in bounds.values())
        and isinstance(seeds, list)
        and all(map(_is_seed, seeds))
        and is_number(value.get("budget"))
    )


def _is_start(value: Any) -> bool:
    """The record of a start: the hash of a file, or of how the base was trained."""
    if not isinstance(value, dict) or not all(_is_text(value.get(name)) for name in ("head", "norm")):
        return False
    if "weights" in value:
        return _is_text(value["weights"])
    return (
        all(_is_text(value.get(name)) for name in ("dataset", "data_hash"))
        and all(is_number(value.get(name)) for name in ("epochs", "lr"))
        and (value.get("seed") == "own" or _is_seed(value.get("seed")))
        and ("start" not in value or _is_start(value["start"]))
    )


def _like(default: Any) -> Callable[[Any], bool]:
    """Whether a value is of the JSON type that this one has."""
    if isinstance(default, bool):
        return lambda value: isinstance(value, bool)
    if isinstance(default, tuple):
        return lambda value: isinstance(value, list) and all(map(is_number, value))
    return _is_text if isinstance(default, str) else is_number


REQUIRED = ("dataset", "model", "method", "rate", "seed")
CHECKS: Mapping[str, Callable[[Any], bool]] = {
    **{name: _like(row.default) for name, row in ROWS.items()},
    "dataset": _is_text,
    "model": _is_text,
    "data_hash": _is_text,
    "method": _is_method,
    "rate": _is_rate,
    "seed": _is_seed,
    "tuning": _is_search,
    "start": _is_start,
    "sources": lambda value: isinstance(value, dict) and all(map(_is_text, value.values())),
}
