"""A source file as syntax: what binds a name, which code a function has, and what follows from the source alone."""

from __future__ import annotations
import __future__

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from types import CodeType
from typing import Any

FUTURE = sum({getattr(__future__, name).compiler_flag for name in __future__.all_feature_names} - {0, 0x10})
Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


@dataclass(frozen=True)
class Binding:
    """One way in which a name gets its value in a scope."""

    node: ast.AST | None  # of a definition, an import or an assigned expression; None = anything else
    module: str = ""  # of an import: the module, with the dots of a relative one
    imported: str = ""  # of `from module import name`: the name
    whole: bool = True  # whether the value is all of the expression, not an element of it


@dataclass(frozen=True)
class Syntax:
    """A parsed file."""

    tree: ast.Module
    bindings: dict[str, list[Binding]]  # of the file's own scope
    code: CodeType
    known: dict[Any, Any] = field(default_factory=dict)  # what was found out of its nodes

    @cached_property
    def methods(self) -> dict[str, list[ast.AST]]:
        """Name -> the methods of this name of any class."""
        rows: dict[str, list[ast.AST]] = {}
        for owner in (n for n in ast.walk(self.tree) if isinstance(n, ast.ClassDef)):
            for node in owner.body:
                if isinstance(node, Function):
                    rows.setdefault(node.name, []).append(node)
        return rows

    @cached_property
    def changing(self) -> frozenset[str]:
        """The names that functions set, or whose values they change: at every call, perhaps."""
        functions = [n for n in ast.walk(self.tree) if isinstance(n, Function)]
        inner = [n for function in functions for n in ast.walk(function)]
        declared = {name for n in inner if isinstance(n, ast.Global) for name in n.names}
        return frozenset(declared.union(*map(changed, inner)))

    @cached_property
    def touched(self) -> frozenset[str]:
        """The names whose values any statement changes."""
        return self.changing.union(*map(changed, ast.walk(self.tree)))


@lru_cache(maxsize=256)
def parsed(source: bytes, file: str, flags: int = 0) -> Syntax:
    """The syntax of a source, compiled with what an earlier cell of a notebook took from `__future__`.

    Raises: SyntaxError, ValueError if it is no Python.
    """
    tree = ast.parse(source)
    return Syntax(tree, bindings_of(tree), compile(source, file, "exec", flags & FUTURE, dont_inherit=True))


def bindings_of(scope: ast.Module | ast.ClassDef) -> dict[str, list[Binding]]:
    """Every way in which the names of a scope are bound, or their values changed, outside of its functions.

    That a call changes one, as in CONFIG.update(a=1), is seen by its value.
    """
    bindings: dict[str, list[Binding]] = {}
    for node in _scope_nodes(scope):
        for name, binding in bound_by(node):
            if not (isinstance(node, Function) and any(map(_is_overload, node.decorator_list))):
                bindings.setdefault(name, []).append(binding)
    return bindings


def _is_overload(decorator: ast.expr) -> bool:
    """Whether a definition is for type checkers alone."""
    return (decorator.attr if isinstance(decorator, ast.Attribute) else getattr(decorator, "id", "")) == "overload"


def _scope_nodes(scope: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a scope in order; of what opens a scope of its own only the node itself."""
    for child in ast.iter_child_nodes(scope):
        yield child
        if not isinstance(child, (*SCOPES, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
            yield from _scope_nodes(child)


def bound_by(node: ast.AST) -> Iterator[tuple[str, Binding]]:
    if isinstance(node, Definition):
        yield node.name, Binding(node)
    elif isinstance(node, ast.Import):
        for alias in node.names:
            yield alias.asname or alias.name.partition(".")[0], Binding(node, alias.name)
    elif isinstance(node, ast.ImportFrom):
        for alias in node.names:
            yield alias.asname or alias.name, Binding(node, "." * node.level + (node.module or ""), alias.name)
    elif isinstance(node, ast.Assign):
        for target in node.targets:
            whole = isinstance(target, ast.Name)
            yield from ((name, Binding(node.value, whole=whole)) for name in _plain_targets(target))
            yield from ((name, Binding(None)) for name in _changed(target))
    elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        if node.value is not None:
            yield node.target.id, Binding(node.value)
    elif isinstance(node, ast.AugAssign | ast.AnnAssign | ast.For | ast.AsyncFor | ast.NamedExpr):
        yield from ((name, Binding(None)) for name in (*_plain_targets(node.target), *_changed(node.target)))
    elif isinstance(node, ast.withitem) and node.optional_vars is not None:
        yield from ((name, Binding(None)) for name in _plain_targets(node.optional_vars))
    elif isinstance(node, ast.Delete):
        yield from ((name, Binding(None)) for target in node.targets for name in _changed(target))


def _plain_targets(target: ast.AST) -> Iterator[str]:
    if isinstance(target, ast.Name):
        yield target.id
    elif isinstance(target, ast.Tuple | ast.List | ast.Starred):
        for element in ast.iter_child_nodes(target):
            yield from _plain_targets(element)


def changed(node: ast.AST) -> set[str]:
    """The names whose values a statement changes: CONFIG["a"] = 1, CONFIG.update(a=1)."""
    if isinstance(node, ast.Assign | ast.Delete):
        return {name for target in node.targets for name in _changed(target)}
    if isinstance(node, ast.AugAssign | ast.AnnAssign):
        return set(_changed(node.target))
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Attribute):
        return {root(node.value.func)} - {""}
    return set()


def _changed(target: ast.AST) -> Iterator[str]:
    """The name whose value a target is an element or an attribute of."""
    if isinstance(target, ast.Attribute | ast.Subscript):
        yield root(target)
    elif isinstance(target, ast.Tuple | ast.List | ast.Starred):
        for element in ast.iter_child_nodes(target):
            yield from _changed(element)


def root(node: ast.AST) -> str:
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def definitions(syntax: Syntax, qualified: str) -> list[Definition]:
    """The definitions of a qualified name, as `Band.select` or `make.<locals>.score`."""
    return [node for name, node in _definitions(syntax.tree, "") if name == qualified]


def _definitions(scope: ast.AST, prefix: str) -> Iterator[tuple[str, Definition]]:
    for node in _scope_nodes(scope):
        if isinstance(node, Definition):
            yield f"{prefix}{node.name}", node
            inner = f"{prefix}{node.name}." + ("" if isinstance(node, ast.ClassDef) else "<locals>.")
            yield from _definitions(node, inner)


def first_line(node: Definition) -> int:
    """The line at which its code begins: that of the first decorator, if it has one."""
    return min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])


def codes(code: CodeType) -> Iterator[CodeType]:
    """All code inside of a code."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from codes(constant)


def same_code(one: CodeType, other: CodeType) -> bool:
    """Whether two codes do the same, wherever they stand."""
    return _content(one) == _content(other)


def _content(code: CodeType) -> tuple[object, ...]:
    constants = tuple(_content(c) if isinstance(c, CodeType) else (type(c), repr(c)) for c in _ordered(code.co_consts))
    variables = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    return code.co_qualname, code.co_code, code.co_flags, code.co_argcount, code.co_kwonlyargcount, variables, constants


def _ordered(constants: tuple[object, ...]) -> list[object]:
    return [sorted(map(repr, c)) if isinstance(c, frozenset) else c for c in constants]
