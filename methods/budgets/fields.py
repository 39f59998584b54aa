"""The fields of these methods: their types, so that one method has one record, and their ranges. Imports no torch."""

from __future__ import annotations

from dataclasses import fields
from math import isfinite
from typing import Any


def check_types(method: Any) -> None:
    """Make whole numbers floats if the field is one: 1 and 1.0 are one method.

    Raises: ValueError, in one line, for a value that is not of the field's type, or not finite.
    """
    for f in fields(method):
        value = getattr(method, f.name)
        if f.type in ("bool", bool) and not isinstance(value, bool):
            raise ValueError(f"{f.name} {value!r}: must be true or false")
        if f.type in ("int", int) and (isinstance(value, bool) or not isinstance(value, int)):
            raise ValueError(f"{f.name} {value!r}: must be a whole number")
        if f.type in ("float", float):
            if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
                raise ValueError(f"{f.name} {value!r}: must be a finite number")
            object.__setattr__(method, f.name, float(value))


def check_shares(method: Any, *names: str) -> None:
    """Raise ValueError if a field is no share: above 0, and at most 1."""
    for name in names:
        if not 0 < getattr(method, name) <= 1:
            raise ValueError(f"{name} {getattr(method, name)}: must be 0 < {name} <= 1")


def check_positive(method: Any, *names: str) -> None:
    """Raise ValueError if a field is not above 0."""
    for name in names:
        if not getattr(method, name) > 0:
            raise ValueError(f"{name} {getattr(method, name)}: must be above 0")


def check_least(method: Any) -> None:
    """Raise ValueError if groups could be left without a channel."""
    if method.least < 1:
        raise ValueError(f"least {method.least}: must be a whole number >= 1")
