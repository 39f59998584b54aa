"""The values that canonical JSON keeps: what a field may be, and what of a method's state enters its key."""

from __future__ import annotations

import functools
from math import isfinite
from types import FunctionType

PLAIN = (str, int, float, bool, type(None))
PLAIN_WORDS = "text, a finite number, true or false, None or a tuple of these"


def is_plain(value: object) -> bool:
    """Whether a value is one that canonical JSON keeps: exactly of a PLAIN type, or a tuple of such."""
    if type(value) is tuple:
        return all(map(is_plain, value))
    if isinstance(value, str):  # a store keeps no NUL, and half of a surrogate pair is no text
        return type(value) is str and not any(c == "\0" or "\ud800" <= c <= "\udfff" for c in value)
    return type(value) in PLAIN and not (isinstance(value, float) and not isfinite(value))


def function_of(value: object) -> FunctionType | None:
    """The plain function behind a function, a method's descriptor, or what a decorator of functools made of it."""
    if isinstance(value, staticmethod | classmethod):
        value = value.__func__
    elif isinstance(value, property):
        value = value.fget
    elif isinstance(value, functools.cached_property):
        value = value.func
    elif isinstance(value, functools._lru_cache_wrapper):
        value = value.__wrapped__
    return value if isinstance(value, FunctionType) else None
