"""The one check of a method that enters a sweep, and the hash of its source."""

from __future__ import annotations

import hashlib
import inspect
import json
import linecache
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import fields, replace
from functools import cached_property
from pathlib import Path
from types import FunctionType
from typing import Any, get_args

from bench.methods.background import resolve_scale
from bench.methods.fading import SETTINGS, check_fade
from bench.methods.identity.classes import SEAM, check_seam
from bench.methods.identity.files import foreign
from bench.methods.identity.plain import PLAIN_WORDS, function_of, is_plain
from bench.methods.identity.reach import Reach
from bench.methods.types import Background, Control, Scope

Method = Any  # of `bench.methods.base`, which imports this file
FROZEN_ONLY = ("redraw", "sign", "mean")  # controls of what frozen weights hold
IDENTIFIED = "_identified"  # attribute of a method: the process that checked it; a worker cannot look at its source
# No names of further fields; nor are those of SEAM, if the method changes masks or closes channels.
RESERVED = (
    "source", "select", "parameters", "record", "parent", "reads_parent", "at_initialisation", "changes_masks",
    "closes_channels", "trains_weights", "ends_at_budget", "own_widths", "scale",
    "background_scale", *SETTINGS,
)  # fmt: skip
EXACT = {"int": (int, "a whole number"), "bool": (bool, "true or false")}  # annotation -> type, and its words
LONGEST = 4000  # characters of a method's fields: the store keeps a trial's record as one text


def identify(method: Method, *, again: bool = False) -> None:
    """Check all that identifies a method, and note the hash of its source; at once if that is done.

    Called wherever a key is made of a method, so that no subclass can leave it out; and `again` if it enters a sweep: a
    cell of a notebook may have changed what it reads.
    Raises: ValueError in one line if something that can change what the method does could not be told by its key.
    """
    if IDENTIFIED in vars(method) and not (again and vars(method)[IDENTIFIED] == os.getpid()):
        return
    check_fields(method)
    check_shared(method)
    if type(method).record is not _base(type(method)).record:
        raise ValueError(f"{type(method).__name__}.record: must be Method's own, since the run key is made of it")
    _check_classes(type(method), [*RESERVED, *(SEAM if method.changes_masks or method.closes_channels else ())])
    check_seam(method, _base(type(method)))
    _check_attributes(method)
    object.__setattr__(method, "source", source_of(method))
    object.__setattr__(method, IDENTIFIED, os.getpid())


def check_shared(method: Method) -> None:
    """Raise ValueError if the fields that all methods have do not go together, or one of ours is of another type."""
    _check_types(method)
    resolve_scale(method)
    for name, value, values in (
        ("scope", method.scope, get_args(Scope)),
        ("background", method.background, get_args(Background)),
        ("control", method.control, get_args(Control)),
    ):
        if value not in values:
            raise ValueError(f"{name} {value!r}: must be one of {', '.join(values)}")
    check_fade(method)
    if method.control in FROZEN_ONLY and method.background != "freeze":
        raise ValueError(f"background {method.background} with control {method.control}: must be freeze")
    if method.scale is not None and (method.changes_masks or method.closes_channels):
        why = "its masks change while training" if method.changes_masks else "it cuts channels out"
        raise ValueError(f"scale {method.scale} of {type(method).__name__}: must be left out; {why}")
    if method.control != "none" and method.changes_masks:
        raise ValueError(
            f"control {method.control} of {type(method).__name__}: must be none; its masks change while training"
        )
    if method.control == "invert" and type(method).select is not _base(type(method)).select:
        raise ValueError(
            f"control invert of {type(method).__name__}: must be of a one-shot method, which ranks by one score"
        )
    if (method.criterion, method.scope) == ("random", "filter"):  # means of many draws: small filters would win
        raise ValueError("criterion random with scope filter: must be channel-random, one draw for each filter")
    if callable(method.criterion):
        check_function(method.criterion)


def _check_types(method: Method) -> None:
    """Raise ValueError if a field of ours that must be a whole number, or true or false, is something else."""
    for f in fields(method):
        kind, words = EXACT.get(str(f.type), (object, ""))
        owner = next(c for c in type(method).__mro__ if f.name in inspect.get_annotations(c))
        if kind is not object and type(value := getattr(method, f.name)) is not kind and not foreign(owner):
            raise ValueError(f"{f.name} {_shown(value)} of {type(method).__name__}: must be {words}")


def check_fields(method: Method) -> None:
    """Raise ValueError if the value of a field would not read back from JSON as what it is."""
    for f in fields(method):
        value = getattr(method, f.name)
        if isinstance(value, float):  # NumPy's too, and -0.0 is 0.0
            object.__setattr__(method, f.name, value := float(value) + 0.0)
        if f.name == "criterion" and callable(value):
            check_function(value)
        elif not is_plain(value):
            words = f"{PLAIN_WORDS}, not {type(value).__name__}"
            raise ValueError(f"{f.name} {_shown(value)} of {type(method).__name__}: must be {words}")
    if type(method.criterion) is not str and not callable(method.criterion):
        raise ValueError(f"criterion {_shown(method.criterion)}: must be a name or a function")
    _check_length(method)


def _check_length(method: Method) -> None:
    """Raise ValueError if a store could not keep the fields as a text."""
    values = [getattr(method, f.name) for f in fields(method) if f.name != "criterion"]
    try:
        size = len(_json(values))
    except ValueError:  # a whole number of more digits than Python prints
        size = LONGEST + 1
    if size > LONGEST:
        raise ValueError(f"fields of {type(method).__name__}: must be at most {LONGEST} characters together")


def check_function(criterion: Any) -> None:
    """Raise ValueError if a criterion is no function that its name and source identify."""
    plain = type(criterion) is FunctionType and not vars(criterion) and not criterion.__closure__
    if not plain or criterion.__name__ == "<lambda>" or criterion.__qualname__ != criterion.__code__.co_qualname:
        raise ValueError(
            f"criterion {getattr(criterion, '__qualname__', type(criterion).__name__)}: must be a named function that"
            " captures no variables, without decorator or attributes; parameters are fields of the method"
        )


def source_of(method: Method) -> str:
    """SHA-256 of the source of a method from outside this package; "" if all of it is ours.

    Over the files that define its class, the bases and the criterion, then those of the user's that they import, and
    every value that their code reads and that does not follow from these files.
    """
    criterion = method.criterion
    pieces: list[Any] = [c for c in type(method).__mro__ if c is not object]
    pieces += [criterion] if callable(criterion) else []
    pieces = [p for p in pieces if foreign(p)]
    if not pieces:
        return ""
    sources = list(dict.fromkeys(map(lines_of, pieces)))
    reach = Reach(pieces)
    for piece in pieces:
        if isinstance(piece, FunctionType):
            reach.function(piece, method.parameters(), is_piece=True)
        else:
            reach.owner(piece, is_piece=True)
    return hash_of(sources, reach)


def hash_of(sources: list[bytes], reach: Reach) -> str:
    """SHA-256 of these sources, of those that were reached from them, and of the state."""
    sources = [*sources, *sorted(source for source in {*reach.sources.values()} if source not in sources)]
    state = sorted({_json(row) for row in reach.state})  # in no order of Python's bytecode
    sources += [f"[{','.join(state)}]".encode()] if state else []
    return hashlib.sha256(b"\x00".join(sources)).hexdigest()


def lines_of(piece: Any) -> bytes:
    """The file that a class or function is in, or its own lines."""
    try:
        return Path(inspect.getfile(piece)).read_bytes()
    except (TypeError, OSError):  # defined in a notebook or at a prompt: no file, but perhaps its own lines
        return _lines(piece)


def _lines(piece: Any) -> bytes:
    try:
        return inspect.getsource(piece).encode()
    except (TypeError, OSError):  # Python finds no class of a notebook; the cell is that of its methods
        functions = [f for f in map(function_of, vars(piece).values()) if f and f.__module__ == piece.__module__]
        lines = [line for f in functions[:1] for line in linecache.getlines(f.__code__.co_filename)]
    if not lines:
        raise ValueError(f"{piece.__qualname__} has no source: must be defined in a file or in the cell of a notebook")
    return "".join(lines).encode()


def _check_classes(owner: type, reserved: Sequence[str]) -> None:
    """Raise ValueError if the fields of a class are not all that its annotations promise, or have a reserved name."""
    base = _base(owner)
    for c in owner.__mro__[: owner.__mro__.index(base)]:
        if not foreign(c) and getattr(sys.modules.get(c.__module__), c.__qualname__, None) is not c:
            raise ValueError(f"{c.__name__}: its __module__ {c.__module__} must be the module that defines it")
        names = [name for name, hint in inspect.get_annotations(c).items() if "ClassVar" not in str(hint)]
        if taken := [name for name in names if name in reserved]:
            raise ValueError(f"field {taken[0]} of {c.__name__}: must have another name; Method has one")
        if names and issubclass(c, base) and "__dataclass_params__" not in vars(c):
            how = "must be decorated with @dataclass(frozen=True, kw_only=True)"
            raise ValueError(f"{c.__name__}: {how}, or its {names[0]} is no field")
    if not owner.__dataclass_params__.eq or any(not f.compare for f in fields(owner)):  # type: ignore[attr-defined]
        raise ValueError(f"{owner.__name__}: every field must be compared, without eq=False or compare=False")


def _check_attributes(method: Method) -> None:
    """Raise ValueError if an attribute that is no field does not follow from the fields."""
    others = vars(method).keys() - {IDENTIFIED, *(f.name for f in fields(method))}
    others = {n for n in others if not isinstance(getattr(type(method), n, None), cached_property)}
    if not others:
        return
    try:
        again = vars(replace(method))
    except ValueError:  # a variable of __init__ alone, without a default
        again = {}
    for name in sorted(others):
        value = vars(method)[name]
        if name not in again or type(again[name]) is not type(value) or _looks(again[name]) != _looks(value):
            raise ValueError(
                f"{name} {_shown(value)} of {type(method).__name__}: must be a field, or follow from the fields"
            )


def _looks(value: object) -> str:
    """The value as printed, without its address."""
    return re.sub(r" at 0x[0-9A-Fa-f]+", "", repr(value))


def _base(owner: type) -> Any:
    """The class Method, of which every method's class is one."""
    return next(c for c in reversed(owner.__mro__) if c.__module__ == "bench.methods.base")


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _shown(value: object) -> str:
    """A value in a message of one line."""
    try:
        shown = " ".join(ascii(value).split())
    except ValueError:  # a whole number of more digits than Python prints
        shown = "…"
    return shown if len(shown) <= 60 else f"{shown[:60]}…"
