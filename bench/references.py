"""A function, or the text "module:function" that names one: it is imported only when it is called."""

from __future__ import annotations

from collections.abc import Callable
from pkgutil import resolve_name
from typing import Any

Reference = str | Callable[..., Any]


def resolved(reference: Reference) -> Callable[..., Any]:
    """The function.

    >>> resolved("math:sqrt") is resolved(resolved("math:sqrt"))
    True
    """
    function: Callable[..., Any] = resolve_name(reference) if isinstance(reference, str) else reference
    return function


def is_ours(reference: Reference) -> bool:
    """Whether the function is of this package."""
    module = reference if isinstance(reference, str) else getattr(reference, "__module__", None) or ""
    return str(module).startswith("bench.")
