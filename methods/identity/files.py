"""Whose a module is, and the files that a method's code is in."""

from __future__ import annotations

import ast
import importlib.util
import sys
import sysconfig
from collections.abc import Collection, Iterator, Mapping, Sequence
from importlib.machinery import PathFinder
from pathlib import Path
from types import FunctionType
from typing import Any

from bench.methods.identity.syntax import parsed

Namespace = Mapping[str, Any]  # the globals of a module
OURS = "bench"


def foreign(piece: Any) -> bool:
    """Whether a class or function is from outside of the methods."""
    return not module_of(piece).startswith(f"{OURS}.methods.")


def module_of(piece: Any) -> str:
    """The name of the module that defines a class or function; a function's own attribute can name another."""
    return str(piece.__globals__.get("__name__", "")) if isinstance(piece, FunctionType) else str(piece.__module__)


def packages_of(pieces: Sequence[Any]) -> set[str]:
    """The packages of a method's class and criterion, the first and the last piece.

    So an installed plug-in is followed, and the libraries of its bases are not.
    """
    return {module_of(piece).partition(".")[0] for piece in (pieces[0], pieces[-1])} - sys.stdlib_module_names


def is_users(namespace: Namespace, packages: Collection[str]) -> bool:
    """Whether a module is the user's: of one of these packages, or neither ours nor installed."""
    name, file = str(namespace.get("__name__", "")), namespace.get("__file__")
    return _is_users(name, Path(file) if isinstance(file, str) else None, packages)


def _is_users(name: str, file: Path | None, packages: Collection[str]) -> bool:
    top = name.partition(".")[0]
    if top == OURS or top in sys.builtin_module_names:
        return False
    if top in packages or file is None:
        return top in packages or top not in sys.stdlib_module_names
    installed = any(file.is_relative_to(sysconfig.get_path(scheme)) for scheme in ("stdlib", "purelib", "platlib"))
    return not installed and not {"site-packages", "dist-packages"} & set(file.parts)


def file_of(namespace: Namespace) -> Path | None:
    """The file of a module, if it has one."""
    file = namespace.get("__file__")
    return Path(file) if isinstance(file, str) and Path(file).is_file() else None


def folder_of(pieces: Sequence[Any]) -> Path | str:
    """The folder of the last piece, a criterion or a class; "" if it is in no file."""
    module = sys.modules.get(module_of(pieces[-1])) if pieces else None
    file = file_of(vars(module)) if module else None
    return file.resolve().parent if file else ""


def with_imports(file: Path, package: str, packages: Collection[str], seen: dict[str, bytes]) -> None:
    """Add a file of the user's, and all those that it imports at any place, to `seen`: path -> content."""
    if str(file) in seen:
        return
    seen[str(file)] = content = file.read_bytes()
    try:
        nodes = list(ast.walk(parsed(content, str(file)).tree)) if file.suffix == ".py" else []
    except (SyntaxError, ValueError):  # imported only when it is needed, and then it fails
        nodes = []
    for node in nodes:
        for name in _imported(node, package):
            if (found := located(name, file.parent, packages)) is not None:
                inner = name if found.name == "__init__.py" else name.rpartition(".")[0]
                with_imports(found, inner, packages, seen)


def absolute(name: str, level: int, package: str) -> str:
    """The full name of the module that an import names: of `from ..b import x` in package a.c, a.b."""
    if level == 0:
        return name
    parents = package.split(".")
    return ".".join([*parents[: len(parents) - level + 1], *([name] if name else [])])


def located(name: str, folder: Path, packages: Collection[str]) -> Path | None:
    """The file of a module, perhaps one that is imported only later; None if it is not the user's."""
    top = name.partition(".")[0]
    if (module := sys.modules.get(name)) is not None:
        return file_of(vars(module)) if is_users(vars(module), packages) else None
    if not _is_users(top, None, packages):
        return None
    try:
        path = [str(folder), str(Path.cwd()), *sys.path]
        spec = importlib.util.find_spec(name) if top in sys.modules else PathFinder.find_spec(top, path)
    except (ImportError, ValueError, AttributeError):
        return None
    file = Path(spec.origin) if spec is not None and spec.origin is not None else None
    return file if file is not None and file.is_file() and _is_users(top, file, packages) else None


def _imported(node: ast.AST, package: str) -> Iterator[str]:
    """The modules that an import may be of."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield from _parents(alias.name)
    elif isinstance(node, ast.ImportFrom) and (base := absolute(node.module or "", node.level, package)):
        yield from (*_parents(base), *(f"{base}.{alias.name}" for alias in node.names))


def _parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[: i + 1]) for i in range(len(parts))]
