"""What a method's code reads, and what of that does not follow from its source: the state that enters the run key."""

from __future__ import annotations

import dis
import importlib
import inspect
import os
import sys
from collections.abc import Collection, Sequence
from contextlib import suppress
from itertools import takewhile
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from bench.methods.identity.files import Namespace, absolute, file_of, is_users, located, packages_of, with_imports
from bench.methods.identity.plain import PLAIN_WORDS, described, function_of, is_plain
from bench.methods.identity.syntax import codes, definitions
from bench.methods.identity.written import fixed, fixed_attribute, is_of, other_defaults, syntax_of

GENERATED = (  # by dataclass
    "__init__", "__repr__", "__eq__", "__hash__", "__setattr__", "__delattr__", "__replace__", "__getstate__",
    "__setstate__",
)  # fmt: skip
ATTRIBUTE = ("LOAD_ATTR", "LOAD_METHOD")
OUTSIDE = (os.environ, os.getenv, sys.argv)  # another for every process


class Reach:
    """Collects, from the classes and the criterion of a method, its further sources, and the values that are in none.

    A value is noted if another run of the same source could find another one there.
    """

    def __init__(self, pieces: Sequence[Any]) -> None:
        self.sources: dict[str, bytes] = {}  # file, or name of what is in none -> content
        self.state: list[list[Any]] = []
        self._seen: set[int | tuple[int, str]] = set()
        self._packages = packages_of(pieces)

    def function(self, function: FunctionType, given: Collection[str] = (), *, is_piece: bool = False) -> None:
        """Walk a function; `given` are the parameters that always get a value."""
        if id(function) in self._seen:
            return
        self._seen.add(id(function))
        for cell in function.__closure__ or ():  # of what a decorator made
            if isinstance(content := _content_of(cell), FunctionType):
                self.function(content)
        namespace, code = function.__globals__, function.__code__
        if not is_users(namespace, self._packages):
            return
        syntax = syntax_of(function)
        if (file := file_of(namespace)) is not None:
            with_imports(file, str(namespace.get("__package__") or ""), self._packages, self.sources)
        else:
            self.sources.setdefault(f"{code.co_qualname}:{code.co_filename}", inspect.getsource(function).encode())
        if is_piece and len(definitions(syntax, code.co_qualname)) > 1:
            self._note(namespace, code.co_qualname, code.co_firstlineno)
        for name, value in other_defaults(function, syntax):
            if name not in given:
                self._note(namespace, f"{code.co_qualname}({name}=…)", value)
        self._globals(code, namespace)

    def owner(self, owner: type, *, is_piece: bool = False) -> None:
        """Walk a class: what its body does not say is noted; of one that is no piece of the method, if it is plain."""
        module = sys.modules.get(owner.__module__)
        namespace = vars(module) if module else {}
        if id(owner) in self._seen or not is_users(namespace, self._packages):
            return
        self._seen.add(id(owner))
        for name, value in vars(owner).items():
            function = function_of(value)
            if function is not None and is_of(function, owner, name):
                self.function(function, is_piece=is_piece)
                continue
            if function is not None and name not in GENERATED:  # of a decorator
                self.function(function)
            if _counts(name, value, is_piece=is_piece) and not fixed_attribute(owner, name, value, namespace):
                self._note(namespace, f"{owner.__qualname__}.{name}", value)

    def _globals(self, code: CodeType, namespace: Namespace) -> None:
        """Visit every global that a code reads, and what it reads of modules."""
        of_codes = [list(dis.get_instructions(inner)) for inner in (code, *codes(code))]
        everything = {i.argval for some in of_codes for i in some if i.opname in (*ATTRIBUTE, "IMPORT_FROM")}
        for instructions in of_codes:
            for place, instruction in enumerate(instructions):
                name = instruction.argval
                if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME") and name in namespace and name[:2] != "__":
                    chain = takewhile(lambda i: i.opname in ATTRIBUTE, instructions[place + 1 :])
                    self._visit(namespace, name, {i.argval for i in chain} or everything)
                elif instruction.opname == "IMPORT_NAME":
                    level = instructions[place - 2].argval
                    full_name = absolute(name, level, str(namespace.get("__package__") or ""))
                    self._imported(full_name, namespace, everything)

    def _imported(self, name: str, namespace: Namespace, attributes: Collection[str]) -> None:
        """Visit what is read of a module that is imported only when the code runs."""
        folder = (file_of(namespace) or Path.cwd() / "cell").parent
        if name not in sys.modules and located(name, folder, self._packages) is not None:
            with suppress(Exception):  # it is found only by a worker, or fails there too
                importlib.import_module(name)
        if (module := sys.modules.get(name)) is not None:
            self._visit_module(module, attributes)

    def _visit(self, namespace: Namespace, name: str, attributes: Collection[str]) -> None:
        value = namespace[name]
        if isinstance(value, ModuleType):
            self._visit_module(value, attributes)
            return
        if any(value is outside for outside in OUTSIDE):
            raise ValueError(f"{name} is read by a method: what it depends on must be its fields")
        if (id(namespace), name) in self._seen:
            return
        self._seen.add((id(namespace), name))
        if not fixed(namespace, name, value, self._packages):
            self._note(namespace, name, value)
        if (function := function_of(value)) is not None:
            self.function(function)
        elif isinstance(value, type):
            self.owner(value)

    def _visit_module(self, module: ModuleType, attributes: Collection[str]) -> None:
        """Visit what a code may read of a module."""
        namespace = vars(module)
        if (key := (id(module), " ".join(sorted(attributes)))) in self._seen:
            return
        self._seen.add(key)
        if is_users(namespace, self._packages):
            if (file := file_of(namespace)) is not None:
                with_imports(file, str(namespace.get("__package__") or ""), self._packages, self.sources)
        elif module not in (os, sys):
            return
        else:
            attributes = {*attributes} & {"environ", "getenv", "argv"}
        for attribute in sorted({*attributes} & namespace.keys()):
            if not attribute.startswith("__"):
                self._visit(namespace, attribute, attributes)

    def _note(self, namespace: Namespace, name: str, value: object) -> None:
        """Add a value that the source does not fix to the state."""
        file = Path(str(namespace.get("__file__", ""))).name
        try:
            self.state.append([file, name, described(value)])
        except (TypeError, RecursionError):
            of_file = f" of {file}" if file else ""
            raise ValueError(
                f"{name}{of_file} is a {type(value).__name__}: what a method reads must follow from its source, or be"
                f" {PLAIN_WORDS}; parameters are fields of the method"
            ) from None


def _counts(name: str, value: object, *, is_piece: bool) -> bool:
    """Whether an attribute of a class can change what a method does, and is not what Python makes of every class."""
    if not is_piece:
        return is_plain(value) and not name.startswith("_")
    return name not in GENERATED and (not name.startswith(("__", "_abc_")) or function_of(value) is not None)


def _content_of(cell: Any) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # empty
        return None
