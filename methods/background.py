"""The background: what dead weights hold, scale · their value at the start. Imports no torch."""

from __future__ import annotations

from numbers import Real
from typing import Any

from bench.names import SCALES

# Beyond 1, so that one sees whether 1 itself is best, or only the end of what was tried.
LARGEST = 10
# Of a scale. With these float32 tells any two apart: no two methods, and so no two run keys, mean the same weights.
DECIMALS = 6


def is_scale(value: object) -> bool:
    """Whether a background can be that many times the value at the start.

    >>> [is_scale(value) for value in (0, 0.25, 1, 10, -0.1, 10.5, 1e-7, float("nan"), 10**400, True, "1")]
    [True, True, True, True, False, False, False, False, False, False, False]
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        return False
    try:
        number = float(value)
    except OverflowError:  # of a whole number
        return False
    return 0 <= number <= LARGEST and round(number, DECIMALS) == number


def resolve_scale(method: Any) -> None:
    """Note the background of a method by its scale, in place: 1 is freeze, 0 is prune, without a scale of their own;
    any other scale is that of frozen weights, whichever of the two the method is without it.

    Raises: ValueError for a scale that is none.
    """
    if method.scale is None:
        return
    if not is_scale(method.scale):
        must = f"must be 0 <= scale <= {LARGEST}, of at most {DECIMALS} decimals"
        raise ValueError(f"scale {_shown(method.scale)}: {must}")
    scale = float(method.scale)
    named = {of_named: name for name, of_named in SCALES.items()}
    object.__setattr__(method, "background", named.get(scale, "freeze"))
    object.__setattr__(method, "scale", None if scale in named else scale)


def recorded(method: Any) -> str | float:
    """The background as a record has it: by its name, or the number of a scale that has none."""
    background: str | float = method.background if method.scale is None else method.scale
    return background


def scale_of(background: str | float) -> float:
    """The scale of a background as a record has it."""
    return SCALES[background] if isinstance(background, str) else background


def _shown(value: object) -> str:
    return f"{value!a:.60}"
