"""The background while it fades: its scale falls, step by step, from that of the method to `fade_to`. No torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import cos, pi
from typing import Any

from bench.methods.background import DECIMALS, is_scale
from bench.methods.changing.schedule import epoch_at, share

UNTIL = 0.75  # unless given: the share of the training by whose end it has faded, as masks that change; ours
# How much of the way is still to go once a share t of it, in [0, 1], is done: from 1 to 0.
PATHS: Mapping[str, Callable[[float], float]] = {
    "linear": lambda t: 1 - t,
    "cosine": lambda t: (1 + cos(pi * t)) / 2,
}
SETTINGS: Mapping[str, Any] = {"fade": "none", "fade_to": 0.0, "fade_until": UNTIL}  # of a background that does not


def fades(method: Any) -> bool:
    """Whether the background of a method is another while it is trained than at its end."""
    return bool(method.fade != "none")


def last_epoch(method: Any, epochs: int) -> int:
    """The epoch at whose end the background has faded: the one whose end is nearest to `fade_until`, at least 1."""
    return epoch_at(share(method.fade_until), epochs)


def scale_after(method: Any, done: int, steps: int) -> float:
    """The scale of the background after so many steps, if it fades over `steps`; of one that does not, its own.

    c = p · start + (1 - p) · end, p = PATHS[fade](done / steps): exactly the start before the first step, and exactly
    the end after the last.
    """
    if not fades(method):
        return float(method.background_scale)
    if done >= steps:
        return float(method.fade_to)
    left = PATHS[method.fade](done / steps)
    return float(left * method.background_scale + (1 - left) * method.fade_to)


def check_fade(method: Any) -> None:
    """Make the numbers of a fading background floats, in place: 1 and 1.0 are one method.

    Raises: ValueError for settings that are none, do not go together, or would have no effect.
    """
    owner = type(method).__name__
    if method.fade != "none" and method.fade not in PATHS:
        raise ValueError(f"fade {method.fade!r}: must be one of none, {', '.join(PATHS)}")
    _check_numbers(method)
    if not fades(method):
        for name in ("fade_to", "fade_until"):
            if (value := getattr(method, name)) != SETTINGS[name]:
                raise ValueError(f"{name} {value:g} of {owner}: must be left out without fade")
        return
    if method.changes_masks or method.closes_channels:
        why = "its masks change while training" if method.changes_masks else "it cuts channels out"
        raise ValueError(f"fade {method.fade} of {owner}: must be none; {why}")
    if method.background_scale == 0:
        raise ValueError(f"fade {method.fade} of {owner}: must be none; its dead weights are 0 from the start")
    if not method.fade_to < method.background_scale:
        raise ValueError(f"fade_to {method.fade_to:g} of {owner}: must be below its scale {method.background_scale:g}")


def _check_numbers(method: Any) -> None:
    if not is_scale(method.fade_to):
        must = f"must be a number of at most {DECIMALS} decimals, at least 0 and below the scale"
        raise ValueError(f"fade_to {method.fade_to!a:.60}: {must}")
    until = method.fade_until
    if not (is_scale(until) and 0 < until <= 1):
        raise ValueError(f"fade_until {until!a:.60}: must be 0 < fade_until <= 1, of at most {DECIMALS} decimals")
    for name in ("fade_to", "fade_until"):
        object.__setattr__(method, name, float(getattr(method, name)))
