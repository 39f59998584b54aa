"""What a method's code reads, and what of that does not follow from its source: the state that enters the run key."""

from __future__ import annotations

import ast
import dis
import enum
import inspect
import os
import sys
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from functools import partial
from itertools import takewhile
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple

from bench.methods.identity.described import Describer
from bench.methods.identity.files import (
    Namespace,
    absolute,
    file_of,
    folder_of,
    is_users,
    located,
    packages_of,
    with_imports,
)
from bench.methods.identity.plain import function_of
from bench.methods.identity.syntax import Syntax, codes, definitions
from bench.methods.identity.written import Volatile, Written, defaults_of, is_of, syntax_of, unimported

GENERATED = (  # by dataclass
    "__init__", "__repr__", "__eq__", "__hash__", "__setattr__", "__delattr__", "__replace__", "__getstate__",
    "__setstate__", "__annotate_func__", "__annotate__",
)  # fmt: skip
ATTRIBUTE = ("LOAD_ATTR", "LOAD_METHOD")
MADE = (
    "_backward_cls",
    "_fields",
    "_field_defaults",
    "_make",
    "_replace",
    "_asdict",
    "_is_protocol",
    "_is_runtime_protocol",
)
BY_TEXT = {"getattr", "attrgetter", "vars", "__dict__"}
IMPORTING = {"import_module", "__import__"}
OUTSIDE = (os.environ, os.environb, os.getenv, os.getenvb, sys.argv)  # another for every process


class Words(NamedTuple):
    """How errors speak of what is walked."""

    reader: str
    outside: str  # of what another process has otherwise
    advice: str


OF_METHOD = Words(
    "a method", "what a method depends on must be its fields", "make it a field, or compute it inside the function"
)


class Reach:
    """Collects, from the classes and the criterion of a method, its further sources, and the values that are in none.

    A value is noted if another run of the same source could find another one there.
    """

    def __init__(self, pieces: Sequence[Any], words: Words = OF_METHOD) -> None:
        self._words = words
        self.sources: dict[str, bytes] = {}  # file, or name of what is in none -> content
        self.state: list[list[Any]] = []
        self._seen: set[int | tuple[int, str]] = set()
        self._packages = packages_of(pieces)
        self.describe = Describer(users=self.is_users, folder=str(folder_of(pieces)))
        self._written = Written(packages=self._packages, describe=Describer(**vars(self.describe) | {"reached": []}))

    def function(self, function: FunctionType, given: Collection[str] = (), *, is_piece: bool = False) -> None:
        """Walk a function; `given` are the parameters that always get a value."""
        if id(function) in self._seen:
            return
        self._seen.add(id(function))
        for cell in function.__closure__ or ():  # of what a decorator made
            if isinstance(content := _content_of(cell), FunctionType):
                self.function(content)
        namespace, code = function.__globals__, function.__code__
        generated = str(namespace.get("__name__")).startswith("namedtuple_")
        if generated or not is_users(namespace, self._packages):
            return
        syntax = syntax_of(function)
        if (file := file_of(namespace)) is not None:
            with_imports(file, str(namespace.get("__package__") or ""), self._packages, self.sources)
        else:
            self.sources.setdefault(f"{code.co_qualname}:{code.co_filename}", inspect.getsource(function).encode())
        if is_piece and len(definitions(syntax, code.co_qualname)) > 1:
            self.state.append([code.co_qualname, code.co_firstlineno])
        for name, value, expression in defaults_of(function, syntax):
            if name not in given:
                fixed = partial(self._fixed_default, syntax, expression, value, namespace)
                self._note_unless(fixed, namespace, f"{code.co_qualname}({name}=…)", value)
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
            elif isinstance(value, type):
                self.owner(value)
            if _counts(owner, name, value, is_piece=is_piece):
                fixed = partial(self._written.fixed_attribute, owner, name, value, namespace, is_piece=is_piece)
                self._note_unless(fixed, namespace, f"{owner.__qualname__}.{name}", value, must=is_piece)
        for base in (*owner.__mro__[1:], type(owner)):
            self.owner(base, is_piece=is_piece)

    def _globals(self, code: CodeType, namespace: Namespace) -> None:
        """Visit every global that a code reads, and what it reads of modules."""
        file = file_of(namespace)
        self._reader = f"{code.co_qualname} of {file.name}" if file else code.co_qualname
        of_codes = [list(dis.get_instructions(inner)) for inner in (code, *codes(code))]
        everything = {i.argval for some in of_codes for i in some if i.opname in (*ATTRIBUTE, "IMPORT_FROM")}
        read = {name for inner in (code, *codes(code)) for name in inner.co_names}
        texts = {c for inner in (code, *codes(code)) for c in inner.co_consts if isinstance(c, str)}
        if read & BY_TEXT:  # getattr(module, "name")
            everything |= texts
        for text in sorted(texts) if read & IMPORTING else ():
            self._imported(text, namespace, everything)
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
        """Visit what is read of a module that is imported only when the code runs; it is not imported for that."""
        folder = (file_of(namespace) or Path.cwd() / "cell").parent
        if name not in sys.modules and (file := located(name, folder, self._packages)) is not None:
            with_imports(file, name.rpartition(".")[0], self._packages, self.sources)
            for attribute, needs in unimported(file, attributes):
                raise ValueError(
                    f"{attribute} of {file.name} depends on {needs}, and {self._reader} imports it only when it runs:"
                    " import it at the top of the file"
                )
        if (module := sys.modules.get(name)) is not None:
            self._visit_module(module, attributes)

    def _visit(self, namespace: Namespace, name: str, attributes: Collection[str]) -> None:
        value = namespace[name]
        if isinstance(value, ModuleType):
            self._visit_module(value, attributes)
            return
        if any(value is outside for outside in OUTSIDE):
            raise ValueError(f"{name} is read by {self._reader}: {self._words.outside}")
        if (id(namespace), name) in self._seen:
            return
        self._seen.add((id(namespace), name))
        self._note_unless(partial(self._written.fixed, namespace, name, value), namespace, name, value)
        self._inner(value)

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
            attributes = {*attributes} & {"environ", "environb", "getenv", "getenvb", "argv"}
        for attribute in sorted({*attributes} & namespace.keys()):
            if not attribute.startswith("__"):
                self._visit(namespace, attribute, attributes)

    def whole(self, value: object) -> None:
        """Note a value as a whole, and walk the user's functions and classes in it."""
        self._note_unless(lambda: False, {}, "it", value)
        self._inner(value)

    def _inner(self, value: object) -> None:
        """Walk the user's functions and classes in a value."""
        if (function := function_of(value)) is not None:
            self.function(function)
        with suppress(TypeError):
            self.describe(value)
        while self.describe.reached:
            piece = self.describe.reached.pop()
            self.owner(piece) if isinstance(piece, type) else self.function(piece)

    def is_users(self, name: str) -> bool:
        """Whether a module of this name is the user's."""
        module = sys.modules.get(name)
        return is_users(vars(module) if module else {"__name__": name}, self._packages)

    def _fixed_default(self, syntax: Syntax, expression: ast.expr | None, value: object, namespace: Namespace) -> bool:
        return (
            expression is not None
            and self._written.follows(syntax, expression, namespace)
            and self._written.has_value(syntax, expression, value, namespace)
        )

    def _note_unless(
        self, fixed: Callable[[], bool], namespace: Namespace, name: str, value: object, *, must: bool = True
    ) -> None:
        """Add a value that the source does not fix to the state; if it cannot be told, it `must` be refused."""
        file = file_of(namespace)
        words = f"{name} of {file.name}" if file else name
        try:
            if not fixed():
                self.state.append([name, self.describe(value)])
        except Volatile as error:
            raise ValueError(f"{words} comes from {error}: every process has another; {self._words.advice}") from None
        except TypeError:
            if must:
                raise ValueError(
                    f"{words} is a {type(value).__name__}, of which no key can be made: what {self._words.reader} reads"
                    f" must follow from its source, or be data; {self._words.advice}"
                ) from None


def _counts(owner: type, name: str, value: object, *, is_piece: bool) -> bool:
    """Whether an attribute of a class can change what a method does, and is not what Python makes of every class."""
    if not is_piece and (
        name in (*MADE, *getattr(owner, "_fields", ()))
        or issubclass(owner, enum.Enum)
        or function_of(value) is not None
    ):
        return False
    return name not in GENERATED and (not name.startswith(("__", "_abc_")) or function_of(value) is not None)


def _content_of(cell: Any) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # empty
        return None
