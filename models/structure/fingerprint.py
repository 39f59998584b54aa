"""What a network is made of, as one hash: two versions of a library that build the same network give the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from torch import nn

PLAIN = (bool, int, float, str, type(None))
OF_PROCESS = ("training", "call_super_init", "dump_patches")  # of a module, but no setting


def fingerprint(model: nn.Module) -> str:
    """SHA-256 of the modules in order with their types and settings, and of the tensors with names, shapes and types.

    A shared tensor or module is told by the name under which it is there first. The code of `forward` is not in it, nor
    are values: a library's change of these alone, as of a constant initial value, gives the same hash.
    """
    digest = hashlib.sha256()
    for line in _lines(model):
        digest.update(json.dumps(line, sort_keys=True).encode() + b"\n")
    return digest.hexdigest()


def _lines(model: nn.Module) -> Iterator[list[Any]]:
    first: dict[int, str] = {}
    for name, module in model.named_modules(remove_duplicate=False):
        if id(module) in first:
            yield ["module", name, "is", first[id(module)]]
        else:
            first[id(module)] = name
            yield ["module", name, _type(module), _settings(module)]
    for kind, tensors in (("parameter", model.named_parameters), ("buffer", model.named_buffers)):
        for name, tensor in tensors(remove_duplicate=False):
            known = first.setdefault(id(tensor), name)
            is_known = {"is": known} if known != name else {}
            yield [kind, name, str(tensor.dtype), list(tensor.shape), is_known]


def _type(value: Any) -> str:
    return f"{value.__module__}.{value.__qualname__}" if isinstance(value, type) else _type(type(value))


def _settings(module: nn.Module) -> dict[str, Any]:
    """The attributes of the module that are numbers, texts, or tuples of these, and the names of functions."""
    given = {k: _plain(v) for k, v in vars(module).items() if not k.startswith("_") and k not in OF_PROCESS}
    return {name: value for name, value in given.items() if value is not ...}


def _plain(value: Any) -> Any:
    """The value as JSON takes it; ... if it is no setting."""
    if isinstance(value, PLAIN):
        return value
    if isinstance(value, tuple | list):
        values = [_plain(v) for v in value]
        return ... if ... in values else values
    if isinstance(value, type):
        return _type(value)
    return getattr(value, "__qualname__", ...)
