"""Whether a value is what the source says it is."""

from __future__ import annotations

import ast
import builtins
import inspect
import io
import linecache
import logging
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import nullcontext, redirect_stdout
from copy import deepcopy
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from bench.methods.identity.draws import other_draws
from bench.methods.identity.files import Namespace, absolute, file_of, is_users
from bench.methods.identity.plain import function_of
from bench.methods.identity.purity import dependencies, pure_import
from bench.methods.identity.syntax import (
    Binding,
    Definition,
    Syntax,
    bindings_of,
    codes,
    definitions,
    first_line,
    parsed,
    same_code,
)

PROCESS = ("os.environ", "os.getenv", "sys.argv")  # what is another for every process


class Volatile(ValueError):
    """A value is another one in every process; the message is the module that it comes from."""


def syntax_of(function: FunctionType) -> Syntax:
    """The syntax of the file, or of the notebook's cell, that a function is in.

    Raises: ValueError if there is none, or if the function is not what it defines.
    """
    code = function.__code__
    file = Path(code.co_filename)
    lines = linecache.getlines(code.co_filename, function.__globals__)
    try:
        syntax = parsed(
            file.read_bytes() if file.is_file() else "".join(lines).encode(), code.co_filename, code.co_flags
        )
    except (OSError, SyntaxError, ValueError):
        syntax = None
    if syntax is None or not (lines or file.is_file()):
        raise ValueError(f"{code.co_qualname} has no source: must be defined in a file or in the cell of a notebook")
    at_line = (c for c in codes(syntax.code) if c.co_firstlineno == code.co_firstlineno)
    if not any(same_code(c, code) or (_is_rewritten(function) and c.co_qualname == code.co_qualname) for c in at_line):
        raise ValueError(
            f"{code.co_qualname} is not what {file.name} defines: must be as its source says; if the file was edited,"
            " start again"
        )
    return syntax


def _is_rewritten(function: FunctionType) -> bool:
    """Whether a hook has changed the code at its import, as pytest does for assertions."""
    loader = getattr(function.__globals__.get("__spec__"), "loader", None)
    return loader is not None and type(loader) is not SourceFileLoader


@dataclass(frozen=True, kw_only=True)
class Written:
    """Whether values follow from the source alone; of each, what is found at the first look."""

    packages: Collection[str]  # these are the user's
    describe: Callable[[object], Any]

    def fixed(self, namespace: Namespace, name: str, value: object) -> bool:
        """Whether the value of a global follows from the source alone. Raises: Volatile if it never is."""
        syntax = syntax_of_module(namespace)
        if isinstance(value, logging.Logger):  # what it is set to changes no mask
            return True
        if syntax is None:
            return isinstance(value, type | ModuleType)
        bindings = syntax.bindings.get(name)
        if bindings is None:  # perhaps of `from module import *`
            stars = syntax.bindings.get("*", [])
            return any(self._fixed_import(namespace, star, name, value) for star in stars)
        binding = bindings[0]
        if len(bindings) > 1 or binding.node is None:
            return False
        if binding.module:
            return self._fixed_import(namespace, binding, binding.imported, value)
        if isinstance(binding.node, Definition):
            return self._is_defined(syntax, binding.node, value)
        if not binding.whole:
            return self.follows(syntax, binding.node, namespace)
        return self._fixed_value(syntax, name, binding.node, value, namespace)

    def _fixed_import(self, namespace: Namespace, binding: Binding, name: str, value: object) -> bool:
        """Whether a value that another module defines follows from the source; without a name it is the module."""
        if not name or pure_import(binding):
            return True
        inner = binding.module.lstrip(".")
        level = len(binding.module) - len(inner)
        module = sys.modules.get(absolute(inner, level, str(namespace.get("__package__") or "")))
        if module is None or name not in vars(module):
            return False
        return not is_users(vars(module), self.packages) or self.fixed(vars(module), name, value)

    def _is_defined(self, syntax: Syntax, node: Definition, value: object) -> bool:
        """Whether a function or class is the one that is defined, and nothing was added to it."""
        added = isinstance(value, FunctionType) and vars(value).keys() - {"__wrapped__"} and not node.decorator_list
        runs = (dependencies(syntax, n, runs=True) for n in node.decorator_list)
        return not added and not any(d.outside for d in runs)

    def _fixed_value(self, syntax: Syntax, name: str, node: ast.AST, value: object, namespace: Namespace) -> bool:
        """Whether a global still has the value of its expression; of what functions change, at the first look."""
        if not self.follows(syntax, node, namespace):
            return False
        key = ("first", id(namespace), name)
        if name not in syntax.changing or key not in syntax.known:
            same = self.has_value(syntax, node, value, namespace, touched=name in syntax.touched)
            syntax.known[key] = namespace, same  # keeps the namespace, so that its id stays its own
        return bool(syntax.known[key][1])

    def follows(self, syntax: Syntax, node: ast.AST, namespace: Namespace) -> bool:
        """Whether an expression depends on nothing but the source, and the names in it have their values."""
        needs = dependencies(syntax, node)
        if needs.volatile:
            raise Volatile(needs.volatile)
        names = [(name, syntax.bindings[name][0]) for name in sorted(needs.assigned & namespace.keys())]
        return not needs.outside and all(
            not b.whole or b.node is None or self.has_value(syntax, b.node, namespace[name], namespace)
            for name, b in names
        )

    def has_value(
        self, syntax: Syntax, node: ast.AST, value: object, namespace: Namespace, *, touched: bool = False
    ) -> bool:
        """Whether an expression that follows from the source has this value still, as far as it can be described."""
        try:
            now = self.describe(value)
        except TypeError:
            return not touched
        key = ("again", id(node))  # its names have their values too: the same in every namespace of this file
        if key not in syntax.known:
            syntax.known[key] = self._again(node, namespace)
        return bool(syntax.known[key] == [now])

    def _again(self, node: ast.AST, namespace: Namespace) -> list[Any]:
        """What an expression evaluates to, described; empty if it cannot be told."""
        assert isinstance(node, ast.expr)
        copies = {n.id: namespace[n.id] for n in ast.walk(node) if isinstance(n, ast.Name) and n.id in namespace}
        try:
            copies = {name: deepcopy(v) if type(v) in (list, dict, set) else v for name, v in copies.items()}
            calls = any(isinstance(n, ast.Call) for n in ast.walk(node))
            with other_draws() if calls else nullcontext(), redirect_stdout(io.StringIO()):
                code = compile(ast.Expression(node), "<value>", "eval")
                return [self.describe(eval(code, {**vars(builtins), **namespace, **copies}))]
        except Exception:
            return []

    def fixed_attribute(self, owner: type, name: str, value: object, namespace: Namespace, *, is_piece: bool) -> bool:
        """Whether an attribute of a class is a field, or what the class's body says."""
        syntax = syntax_of_module(namespace)
        is_field = name in getattr(owner, "__dataclass_fields__", {})
        if is_field and is_piece:
            return True
        bodies = [n for n in definitions(syntax, owner.__qualname__) if isinstance(n, ast.ClassDef)] if syntax else []
        if syntax is None or len(bodies) != 1:
            return False
        rows = bindings_of(bodies[0]).get(name, [])
        inner = _of_class(syntax, bodies[0])
        node = rows[0].node if len(rows) == 1 else None
        if isinstance(node, Definition):
            function = function_of(value)
            same = function is None or is_of(inspect.unwrap(function), owner, name)
            decorated = bool(node.decorator_list) or isinstance(node, ast.ClassDef)
            return same and decorated and self._is_defined(inner, node, None)
        names = {**namespace, **vars(owner)}
        if node is None or not self.follows(inner, node, names):
            return False
        return is_field or self.has_value(inner, node, value, names)


def is_of(function: FunctionType, owner: type, name: str) -> bool:
    """Whether a function is defined in the body of a class under this name."""
    free = {*function.__code__.co_freevars} - {"__class__"}
    return not free and function.__code__.co_qualname == f"{owner.__qualname__}.{name}"


def defaults_of(function: FunctionType, syntax: Syntax) -> Iterator[tuple[str, object, ast.expr | None]]:
    """The parameters with a default: name, its value, and the expression that the source says."""
    code = function.__code__
    named = definitions(syntax, code.co_qualname)
    node = next((n for n in named if first_line(n) == code.co_firstlineno), None)
    written = _written_defaults(node) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else {}
    positional = function.__defaults__ or ()
    names = code.co_varnames[: code.co_argcount]
    values = dict(zip(names[len(names) - len(positional) :], positional, strict=True))
    for name, value in {**values, **(function.__kwdefaults__ or {})}.items():
        yield name, value, written.get(name)


def syntax_of_module(namespace: Namespace) -> Syntax | None:
    """The syntax of a module's file, if it has one."""
    file = file_of(namespace)
    return parsed(file.read_bytes(), str(file)) if file is not None and file.suffix == ".py" else None


def unimported(file: Path, names: Collection[str]) -> Iterator[tuple[str, str]]:
    """The names that a file which is not imported binds to values of other origin, each with that."""
    try:
        syntax = parsed(file.read_bytes(), str(file))
    except (SyntaxError, ValueError):
        return
    rows = [(name, binding.node) for name in sorted(names) for binding in syntax.bindings.get(name, [])]
    for name, node in rows:
        if node is not None and not isinstance(node, ast.Import | ast.ImportFrom):
            runs = isinstance(node, Definition)
            outside = dependencies(syntax, node, runs=runs).outside
            if needs := sorted((name for name in outside if not runs or name.startswith(PROCESS)), key=len):
                yield name, needs[-1]


def _of_class(syntax: Syntax, body: ast.ClassDef) -> Syntax:
    """The file's syntax as the body of a class sees it."""
    key = ("class", id(body))
    if key not in syntax.known:
        syntax.known[key] = Syntax(syntax.tree, {**syntax.bindings, **bindings_of(body)}, syntax.code)
    inner: Syntax = syntax.known[key]
    return inner


def _written_defaults(node: ast.FunctionDef | ast.AsyncFunctionDef) -> dict[str, ast.expr]:
    """Parameter -> the expression of its default."""
    positional = [*node.args.posonlyargs, *node.args.args]
    pairs = list(zip(reversed(positional), reversed(node.args.defaults), strict=False))
    keywords = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
    return {arg.arg: value for arg, value in (*pairs, *keywords) if value is not None}
