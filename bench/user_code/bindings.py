"""Functions of torch, NumPy and ours that code can replace by others of its own, for everybody in the process.

Looked at are the public names of the modules and classes below and the rows of our tables; a name that is added there
disturbs nobody.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

MODULES = ("torch", "torch.nn", "torch.nn.functional", "torch.nn.init", "numpy", "numpy.random")
CLASSES_OF = "torch.nn"  # whose classes are looked at too

Bindings = dict[tuple[str, str], tuple[Any, Any]]  # (words of the owner, name) -> (the owner, what the name means)


def bindings() -> Bindings:
    """What the names mean now."""
    owners = {id(owner): (words, owner) for words, owner in reversed([*_owners()])}  # each by its first name
    return {
        (words, name): (owner, value)
        for words, owner in owners.values()
        for name, value in _names(owner).items()
        if isinstance(name, str) and not name.startswith("_")
    }


def replaced(before: Bindings) -> list[str]:
    """Give the names their meaning of `before` again; those that had another one."""
    if not before:
        return []
    now = bindings()
    changed = [
        key
        for key, (_, value) in before.items()
        if key not in now or (now[key][1] is not value and not _by_its_library(value, now[key][1]))
    ]
    for words, name in changed:
        owner, value = before[words, name]
        if isinstance(owner, dict):
            owner[name] = value
        else:
            setattr(owner, name, value)
    return [f"{words}.{name}" for words, name in changed]


def _by_its_library(before: Any, now: Any) -> bool:
    """Whether a library wrapped a function of its own, as torch does once its compiler is loaded."""
    library = sys.modules.get(str(getattr(before, "__module__", "")).partition(".")[0])
    folders = getattr(library, "__path__", ())
    same = getattr(now, "__qualname__", "") == getattr(before, "__qualname__", None)
    file = getattr(getattr(now, "__code__", None), "co_filename", "")
    return same and any(Path(file).is_relative_to(folder) for folder in folders)


def _names(owner: Any) -> Mapping[Any, Any]:
    return owner if isinstance(owner, dict) else vars(owner)


def _owners() -> Iterator[tuple[str, Any]]:
    modules = {name: module for name, module in sys.modules.items() if name in MODULES or name.startswith("bench.")}
    for name, module in list(modules.items()):
        if isinstance(module, ModuleType):
            yield name, module
            yield from _tables(name, module)
    if CLASSES_OF in modules:
        yield from _classes(modules[CLASSES_OF])


def _tables(name: str, module: ModuleType) -> Iterator[tuple[str, Any]]:
    """The dictionaries that are constants of a module of ours."""
    if name.startswith("bench."):
        yield from ((f"{name}.{key}", value) for key, value in list(vars(module).items()) if _is_table(key, value))


def _is_table(name: str, value: object) -> bool:
    return name.isupper() and not name.startswith("_") and isinstance(value, dict)


def _classes(module: ModuleType) -> Iterator[tuple[str, Any]]:
    import torch

    yield "torch.Tensor", torch.Tensor
    yield from ((f"{CLASSES_OF}.{n}", value) for n, value in list(vars(module).items()) if isinstance(value, type))
