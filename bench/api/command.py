"""A call of `compare` as a line of Python: what a store keeps of the command that asked for its trials."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import signature
from typing import Any

from bench.masking import masked
from bench.messages import shortened
from bench.methods import Method

PLAIN = (str, int, float, bool, type(None), range)
LONGEST = 200  # characters of an argument


def call_text(function: Callable[..., Any], arguments: Mapping[str, Any]) -> str:
    """The call with the arguments that differ from their defaults; what is no plain value by its name.

    >>> def compare(*, rates="0.9", seeds=5): ...
    >>> call_text(compare, {"rates": [0.9, 0.99], "seeds": 5})
    'bench.compare(rates=[0.9, 0.99])'
    """
    defaults = {name: parameter.default for name, parameter in signature(function).parameters.items()}
    given = {name: value for name, value in arguments.items() if not _is(value, defaults.get(name))}
    words = ", ".join(f"{name}={shortened(_text(value), LONGEST)}" for name, value in given.items())
    return masked(f"bench.{function.__name__}({words})")


def _is(value: object, default: object) -> bool:
    return type(value) is type(default) and isinstance(value, (*PLAIN, tuple)) and value == default


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name!r}: {_text(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        inner = ", ".join(map(_text, value))
        return f"[{inner}]" if isinstance(value, list) else f"({inner},)" if len(value) == 1 else f"({inner})"
    if isinstance(value, (*PLAIN, Method)):
        return repr(value)
    return str(getattr(value, "__name__", None) or f"<{type(value).__name__}>")
