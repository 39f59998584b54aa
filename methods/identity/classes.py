"""Classes of one file: two whose code differs are told apart by their name in the record, or refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from inspect import signature
from typing import Any

from bench.methods.identity.files import foreign

# What a class overrides to change masks while training, or to close channels. `select` has its own place in a record.
CHANGING = ("moments", "start_rate", "revise", "reset", "restarted", "attach", "shape")
SEAM = (*CHANGING, "open_channels", "slack")
FLAGS = ("closes_channels", "trains_weights", "ends_at_budget", "own_widths")  # what a class says of itself


def class_name(method: Any) -> str:
    """The class of a method from outside that says itself how masks change or channels close; "" of all others.

    So no record is another than it was before methods could do so.
    """
    special = method.changes_masks or method.closes_channels  # a one-shot method may call a helper as the seam is
    return type(method).__qualname__ if special and code_of(method).keys() - {"select"} else ""


def code_of(method: Any) -> dict[str, str]:
    """What classes from outside add to a method besides fields: attribute -> the class that it is from."""
    owners: dict[str, str] = {}
    for owner in reversed(type(method).__mro__[:-1]):  # not `object`
        for name in vars(owner).keys() - {f.name for f in fields(method)}:
            if foreign(owner) and not _is_pythons(name):
                owners[name] = owner.__qualname__
    return owners


def check_seam(method: Any, base: type) -> None:
    """Raise ValueError if what a class says of itself, or overrides, is not what the engine asks for."""
    for flag in FLAGS:
        if type(value := getattr(method, flag)) is not bool:
            raise ValueError(f"{flag} of {type(method).__name__}: {type(value).__name__}; must be True or False")
    for name in _asked(method):
        _, *given = signature(getattr(base, name)).parameters
        try:
            signature(getattr(method, name)).bind(*given)
        except TypeError:
            raise ValueError(f"{name} of {type(method).__name__}: must take ({', '.join(given)})") from None


def _asked(method: Any) -> Iterator[str]:
    """What the engine asks of the method; a helper of a method of which it is not asked may have its name."""
    yield from CHANGING if method.changes_masks else ()
    yield from ("open_channels",) if method.closes_channels else ()
    yield from ("check_budget",) if method.ends_at_budget else ()
    yield from ("slack",) if method.closes_channels or method.ends_at_budget else ()


def check_distinct(name: str, method: Any, other_name: str, other: Any) -> None:
    """Raise ValueError if two methods of one record are of classes whose code differs."""
    mine, others = code_of(method), code_of(other)
    if mine == others:
        return
    attribute = min(key for key in mine.keys() | others.keys() if mine.get(key) != others.get(key))
    raise ValueError(
        f"methods {other_name} and {name}: {attribute} of {type(method).__name__} is not that of"
        f" {type(other).__name__}, and their fields are the same; must differ in a field, or in the class of select"
    )


def _is_pythons(name: str) -> bool:
    """Whether Python, or a library behind a decorator, gives it to a class."""
    return name.startswith(("__", "_abc_"))
