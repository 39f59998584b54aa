"""Whether a value is what the source says it is."""

from __future__ import annotations

import ast
import builtins
import inspect
import linecache
import logging
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from types import FunctionType, ModuleType

from bench.methods.identity.files import Namespace, absolute, file_of, is_users
from bench.methods.identity.plain import function_of, is_plain
from bench.methods.identity.syntax import (
    Binding,
    Definition,
    Syntax,
    bindings_of,
    codes,
    definitions,
    first_line,
    parsed,
    pure_import,
    same_code,
)


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
    if not any(same_code(c, code) for c in at_line):
        raise ValueError(
            f"{code.co_qualname} is not what {file.name} defines: must be as its source says; if the file was edited,"
            " start again"
        )
    return syntax


def fixed(namespace: Namespace, name: str, value: object, packages: Collection[str]) -> bool:
    """Whether the value of a global follows from the source alone."""
    syntax = _syntax_of_module(namespace)
    if isinstance(value, logging.Logger):  # what it is set to changes no mask
        return True
    if syntax is None:
        return isinstance(value, type | ModuleType) or function_of(value) is not None
    bindings = syntax.bindings.get(name)
    if bindings is None:  # perhaps of `from module import *`
        stars = syntax.bindings.get("*", [])
        return any(_fixed_import(namespace, star, name, value, packages) for star in stars)
    binding = bindings[0]
    if len(bindings) > 1 or binding.node is None:
        return False
    if binding.module:
        return _fixed_import(namespace, binding, binding.imported, value, packages)
    if isinstance(binding.node, Definition):
        return all(map(syntax.follows, binding.node.decorator_list))
    return syntax.follows(binding.node) and (not binding.whole or _has_value(binding.node, value, namespace))


def _fixed_import(namespace: Namespace, binding: Binding, name: str, value: object, packages: Collection[str]) -> bool:
    """Whether a value that another module defines follows from the source; without a name it is the module."""
    if not name or pure_import(binding):
        return True
    inner = binding.module.lstrip(".")
    level = len(binding.module) - len(inner)
    module = sys.modules.get(absolute(inner, level, str(namespace.get("__package__") or "")))
    if module is None or name not in vars(module):
        return False
    return not is_users(vars(module), packages) or fixed(vars(module), name, value, packages)


def fixed_attribute(owner: type, name: str, value: object, namespace: Namespace) -> bool:
    """Whether an attribute of a class is a field, or what the class's body says."""
    syntax = _syntax_of_module(namespace)
    if name in getattr(owner, "__dataclass_fields__", {}):
        return True
    bodies = [n for n in definitions(syntax, owner.__qualname__) if isinstance(n, ast.ClassDef)] if syntax else []
    if syntax is None or len(bodies) != 1:
        return False
    inner = bindings_of(bodies[0])
    node = inner[name][0].node if len(inner.get(name, [])) == 1 else None
    whole = Syntax(syntax.tree, {**syntax.bindings, **inner}, syntax.code)
    if isinstance(node, Definition):
        function = function_of(value)
        same = function is None or is_of(inspect.unwrap(function), owner, name)
        return same and bool(node.decorator_list) and all(map(whole.follows, node.decorator_list))
    return node is not None and whole.follows(node) and _has_value(node, value, {**namespace, **vars(owner)})


def is_of(function: FunctionType, owner: type, name: str) -> bool:
    """Whether a function is defined in the body of a class under this name."""
    free = {*function.__code__.co_freevars} - {"__class__"}
    return not free and function.__code__.co_qualname == f"{owner.__qualname__}.{name}"


def other_defaults(function: FunctionType, syntax: Syntax) -> Iterator[tuple[str, object]]:
    """The parameters whose defaults are not what the source says, with their values."""
    code = function.__code__
    named = definitions(syntax, code.co_qualname)
    node = next((n for n in named if first_line(n) == code.co_firstlineno), None)
    written = _written_defaults(node) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else {}
    positional = function.__defaults__ or ()
    names = code.co_varnames[: code.co_argcount]
    values = dict(zip(names[len(names) - len(positional) :], positional, strict=True))
    for name, value in {**values, **(function.__kwdefaults__ or {})}.items():
        expression = written.get(name)
        globals_ = function.__globals__
        if not (expression and syntax.follows(expression) and _has_value(expression, value, globals_)):
            yield name, value


def _syntax_of_module(namespace: Namespace) -> Syntax | None:
    file = file_of(namespace)
    return parsed(file.read_bytes(), str(file)) if file is not None and file.suffix == ".py" else None


def _written_defaults(node: ast.FunctionDef | ast.AsyncFunctionDef) -> dict[str, ast.expr]:
    """Parameter -> the expression of its default."""
    positional = [*node.args.posonlyargs, *node.args.args]
    pairs = list(zip(reversed(positional), reversed(node.args.defaults), strict=False))
    keywords = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
    return {arg.arg: value for arg, value in (*pairs, *keywords) if value is not None}


def _has_value(expression: ast.AST, value: object, namespace: Namespace) -> bool:
    """Whether an expression that follows from the source has this value still; only plain values are compared."""
    if not is_plain(value):
        return True
    assert isinstance(expression, ast.expr)
    try:
        again = eval(compile(ast.Expression(expression), "<value>", "eval"), {**vars(builtins), **namespace})
    except Exception:
        return False
    return type(again) is type(value) and repr(again) == repr(value)
