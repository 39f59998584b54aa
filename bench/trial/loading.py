"""The code of plug-ins, loaded: what it changes of the process is put back and named, and its errors are one line."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from bench.messages import explained, one_line, say
from bench.search_path import checkout_last
from bench.user_code.guard import Ended, kept, load_methods, not_ending, seed_globals


def guarded(plugin: str, load: Callable[[], Any]) -> Any:
    """What `load` returns; what it changes of the process is put back and named, or later trials computed with it."""
    load_methods()
    changed: list[str] = []
    with one_line_of(f"plug-in {plugin!r}"), kept(changed):
        seed_globals(0)  # what it draws as it is loaded is part of its identity
        loaded = load()
    if changed:
        say(f"warning: plug-in {plugin!r} changes {', '.join(changed)}; put back")
    return loaded


@contextmanager
def one_line_of(origin: str) -> Iterator[None]:
    """Whatever a plug-in's own code raises in here is the user's to read: a ValueError of one line."""
    try:
        with not_ending():
            yield
    except Ended as error:
        raise ValueError(f"{origin}: {error}") from error
    except Exception as error:
        raise ValueError(f"{origin}: {one_line(error)}") from error


@contextmanager
def errors_of_fields(origin: str) -> Iterator[None]:
    """As `one_line_of`, for checks of fields: a ValueError there says by itself what is wrong."""
    try:
        with one_line_of(origin):
            yield
    except ValueError as error:
        if not isinstance(error.__cause__, ValueError):
            raise
        raise ValueError(f"{origin}: {explained(error.__cause__)}") from error.__cause__


def load(plugin: str) -> ModuleType:
    """The module of a plug-in, named by a dotted name or by the path of its file, which is run anew each time."""
    path = Path(plugin)
    if path.suffix != ".py":
        with _searched(Path.cwd()):
            imported: ModuleType = guarded(plugin, partial(importlib.import_module, plugin))
        return imported
    if not path.is_file():
        raise ValueError(f"plug-in {plugin!r}: no such file")
    name = module_name(path)
    spec = importlib.util.spec_from_file_location(name, path.resolve())
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    with _searched(path.resolve().parent):
        guarded(plugin, partial(spec.loader.exec_module, module))
    return module


@contextmanager
def _searched(folder: Path) -> Iterator[None]:
    """Within it, modules of this folder are found, as if Python had been started with a file of it."""
    sys.path.insert(0, str(folder))
    checkout_last()
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def module_name(path: Path) -> str:
    """A module's name of its own for every file: another file of that stem, or an installed module, has another."""
    return f"bench_plugin_{path.stem}_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]}"
