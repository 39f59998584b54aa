"""A value as JSON, so that its hash can tell it from every other: of its content, never of its address or folder."""

from __future__ import annotations

import copyreg
import enum
import hashlib
import json
import os
import random
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import PurePath
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from bench.methods.fading import SETTINGS
from bench.methods.identity.files import module_of
from bench.methods.identity.plain import function_of, is_plain

LOCKS = ("lock", "RLock")
GENERATORS = ("RandomState", "Generator", "SeedSequence")  # their next number is another one after each trial


@dataclass(frozen=True, kw_only=True)
class Describer:
    """Describes values, and collects the user's functions and classes in them."""

    users: Callable[[str], bool]  # whether a module of this name is the user's
    folder: str  # of the method's file: a text or a path in it is the same in another folder
    reached: list[Any] = field(default_factory=list)

    def __call__(self, value: object) -> Any:
        """The value as JSON, another for every other value. Raises: TypeError if it cannot be told by that."""
        try:
            return self._described(value)
        except Exception:  # of the code of a library, too
            raise TypeError from None

    def _described(self, value: Any) -> Any:
        if isinstance(value, str):
            inside = bool(self.folder) and f"{value}{os.sep}".startswith(f"{self.folder}{os.sep}")
            text = value[len(self.folder) :] if inside else str(value)
            return text if type(value) is str and is_plain(text) else [type(value).__qualname__, ascii(text)]
        if is_plain(value) and type(value) is not tuple:
            return value
        if type(value) in EXACT:
            return EXACT[type(value)](self, value)
        for types, describe in ROWS:
            if isinstance(value, types):
                return describe(self, value)
        if (array := _array(value)) is not None:
            return array
        return self._reduced(value)

    def _items(self, value: Any) -> Any:
        return [type(value).__qualname__, [self._described(v) for v in value]]

    def _set(self, value: Any) -> Any:
        return [type(value).__qualname__, sorted((self._described(v) for v in value), key=json.dumps)]

    def _pairs(self, value: Mapping[Any, Any]) -> Any:
        return ["dict", [[self._described(k), self._described(v)] for k, v in value.items()]]

    def _class(self, value: type) -> Any:
        if not self.users(value.__module__):
            return ["class", value.__module__, value.__qualname__]
        self.reached.append(value)
        lines = sorted(f.__code__.co_firstlineno for f in map(function_of, vars(value).values()) if f is not None)
        return ["class", value.__qualname__, lines, self._attributes(value)]

    def _attributes(self, value: type) -> list[Any]:
        """What a class holds besides functions; of what cannot be described there, the names."""
        rows: list[Any] = []
        for name, attribute in vars(value).items():
            if name.startswith(("__", "_abc_")) or function_of(attribute) or issubclass(value, enum.Enum):
                continue
            try:
                rows.append([name, self._described(attribute)])
            except Exception:
                rows.append([name])
        return rows

    def _function(self, value: FunctionType) -> Any:
        inner = [[self._described(cell.cell_contents) for cell in value.__closure__ or ()], self._pairs(vars(value))]
        if not self.users(module_of(value)):
            return ["function", module_of(value), value.__qualname__, *inner]
        self.reached.append(value)
        code = value.__code__
        return ["function", code.co_qualname, *_start(code), *inner]

    def _builtin(self, value: Any) -> Any:
        owner = value.__self__
        named = owner is None or isinstance(owner, ModuleType)
        return ["builtin", value.__module__ if named else self._described(owner), value.__qualname__]

    def _partial(self, value: partial[Any]) -> Any:
        return ["partial", *map(self._described, (value.func, value.args, value.keywords))]

    def _reduced(self, value: Any) -> Any:
        """As pickle would keep it."""
        if isinstance(value, random.Random) or type(value).__name__ in GENERATORS:
            raise TypeError
        if type(value).__module__ == "_thread" and type(value).__name__ in LOCKS:
            return ["lock"]
        if (function := function_of(value)) is not None:
            return [type(value).__qualname__, self._function(function)]
        if _is_network(value):
            state = {k: v for k, v in vars(value).items() if k[0] != "_" or k in NETWORK}
            return ["network", self._class(type(value)), self._pairs(state)]
        if any(c.__module__ == "bench.methods.base" for c in type(value).__mro__):  # before it is identified, or after
            state = {k: v for k, v in vars(value).items() if k not in ("source", "_identified")}
            state = {k: v for k, v in state.items() if k not in LATER or v != LATER[k]}
            return ["instance", self._class(type(value)), self._pairs(state)]
        reduce = copyreg.dispatch_table.get(type(value))
        reduced = reduce(value) if reduce else value.__reduce_ex__(2)
        if isinstance(reduced, str):
            return ["named", type(value).__module__, reduced]
        pieces = (list(piece) if isinstance(piece, Iterator) else piece for piece in reduced)
        return [type(value).__qualname__, *map(self._described, pieces)]


LATER = {"scale": None, **SETTINGS}  # of a method: what it had not before there were scales is left out
NETWORK = ("_parameters", "_buffers", "_modules")
ROWS: tuple[tuple[Any, Callable[[Describer, Any], Any]], ...] = (  # the first that fits
    (enum.Enum, lambda d, v: ["member", type(v).__qualname__, v.name]),
    (bool | int | float | complex | bytes, lambda d, v: [type(v).__qualname__, repr(v)]),
    (PurePath, lambda d, v: ["path", d._described(str(v))]),
    (ModuleType, lambda d, v: ["module", v.__name__]),
    (type, Describer._class),
    (FunctionType, Describer._function),
    (MethodType, lambda d, v: ["method", d._described(v.__self__), d._function(v.__func__)]),
    (BuiltinFunctionType, Describer._builtin),
    (partial, Describer._partial),
)
EXACT: Mapping[type, Callable[[Describer, Any], Any]] = {  # not of subclasses, which hold more
    list: Describer._items, tuple: Describer._items, set: Describer._set, frozenset: Describer._set,
    dict: Describer._pairs,
}  # fmt: skip


def _array(value: Any) -> Any:
    """An array of NumPy or a tensor of torch by its type, shape and bytes; None for anything else."""
    torch, numpy = sys.modules.get("torch"), sys.modules.get("numpy")
    if torch is not None and isinstance(value, torch.dtype | torch.device | torch.Size):
        return [type(value).__qualname__, str(value)]
    if torch is not None and isinstance(value, torch.Tensor):
        content = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        return ["tensor", str(value.dtype), list(value.shape), value.requires_grad, _hash(content)]
    if numpy is not None and isinstance(value, numpy.dtype | numpy.ufunc):
        return [type(value).__qualname__, str(value)]
    if numpy is not None and isinstance(value, numpy.ndarray | numpy.generic) and not value.dtype.hasobject:
        return [type(value).__qualname__, value.dtype.str, list(value.shape), _hash(value.tobytes())]
    return None


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _is_network(value: object) -> bool:
    return "torch" in sys.modules and isinstance(value, sys.modules["torch"].nn.Module)


def _start(code: CodeType) -> tuple[int, ...]:
    """Where a function begins: its line, and of a lambda the column of its body too."""
    if code.co_name != "<lambda>":
        return (code.co_firstlineno,)
    places = [(line, column) for line, _, column, end in code.co_positions() if line and column is not None and end]
    return min(places, default=(code.co_firstlineno, 0))
