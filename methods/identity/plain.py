"""The values that canonical JSON keeps: what a field may be, and what of a method's state enters its key."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from math import isfinite
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

PLAIN = (str, int, float, bool, type(None))
PLAIN_WORDS = "text, a finite number, true or false, None or a tuple of these"


def is_plain(value: object) -> bool:
    """Whether a value is one that canonical JSON keeps: exactly of a PLAIN type, or a tuple of such."""
    if type(value) is tuple:
        return all(map(is_plain, value))
    if isinstance(value, str):  # a store keeps no NUL, and half of a surrogate pair is no text
        return type(value) is str and not any(c == "\0" or "\ud800" <= c <= "\udfff" for c in value)
    return type(value) in PLAIN and not (isinstance(value, float) and not isfinite(value))


def described(value: object) -> Any:
    """A value as JSON, another for every other value. Raises: TypeError if it cannot be told by that."""
    if is_plain(value):
        return value
    if isinstance(value, list | tuple) and type(value) in (list, tuple):
        return [type(value).__name__, [described(v) for v in value]]
    if isinstance(value, dict) and type(value) is dict:
        return ["dict", [[described(k), described(v)] for k, v in value.items()]]
    if isinstance(value, float):
        return ["float", repr(value)]
    if isinstance(value, ModuleType):
        return ["module", value.__name__]
    if isinstance(value, type):
        return ["class", value.__qualname__, sorted(f.__code__.co_firstlineno for f in _functions(value))]
    function = function_of(value)
    if function is None or function.__name__ == "<lambda>" or function.__closure__:
        raise TypeError
    code = function.__code__
    return ["function", Path(code.co_filename).name, code.co_qualname, code.co_firstlineno]


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


def _functions(owner: type) -> Iterator[FunctionType]:
    yield from (f for f in map(function_of, vars(owner).values()) if f is not None)
