"""The methods a user can name: METHODS, the installed plug-ins, and the modules given with --plugin.

A plug-in registers in one line. An installed package: an entry point of group "bench.methods", whose value is a
`Method` or a callable that makes one. A local file: a module-level METHODS of name -> `Method`.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from bench.messages import explained, nearest, say
from bench.methods import METHODS, Method
from bench.search_path import checkout_last
from bench.user_code.guard import Ended, kept, load_methods, not_ending
from bench.user_code.process_state import FILTERS

GROUP = "bench.methods"
# Type of a field -> how its value is read, and what it must be.
READERS: Mapping[type, tuple[Callable[[str], Any], str]] = {
    str: (str, "a text"),
    int: (int, "a whole number"),
    float: (float, "a number"),
    bool: ({"true": True, "false": False}.__getitem__, "true or false"),
}


class Catalogue(Mapping[str, Method]):
    """Name -> method; an installed plug-in is imported only when its method is asked for."""

    def __init__(self, plugins: Sequence[str] = ()) -> None:
        self.rows: dict[str, Method | EntryPoint] = dict(METHODS)
        for point in entry_points(group=GROUP):
            self._add(point.name, point, point.value)
        for plugin in plugins:
            for name, method in _rows(plugin).items():
                self._add(name, method, plugin)

    def _add(self, name: str, row: Method | EntryPoint, origin: str) -> None:
        if name in self.rows:
            raise ValueError(f"method {name!r} of plug-in {origin}: must be a name not yet taken")
        self.rows[name] = row

    def __getitem__(self, name: str) -> Method:
        if name not in self.rows:
            raise ValueError(nearest("method", name, list(self.rows)))
        row = self.rows[name]
        if not isinstance(row, Method):  # an entry point, perhaps of the backport's class
            row = _guarded(name, partial(_loaded, row))
            if not isinstance(row, Method):
                raise ValueError(f"plug-in {name!r} gives {type(row).__name__}: must be a bench.methods.Method")
            self.rows[name] = row
        return row

    def __iter__(self) -> Any:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def parse(self, described: str) -> tuple[str, Method]:
        """The canonical name and the method of `name` or `name:field=value[:field=value…]`.

        Fields are those of the method's class; values are read as the type of the field's present value.
        """
        name, *settings = described.split(":")
        method = self[name]
        for setting in settings:
            method = _set(method, setting, described)
        return self.name_of(method, described), method

    def name_of(self, method: Method, otherwise: str) -> str:
        """The first name with the same record, so that an alias prints as what it is."""
        built = ((name, row) for name, row in self.rows.items() if isinstance(row, Method))
        return next((name for name, row in built if row.record() == method.record()), otherwise)


def _loaded(point: EntryPoint) -> Any:
    loaded = point.load()
    return loaded if isinstance(loaded, Method) else loaded()


def _guarded(plugin: str, load: Callable[[], Any]) -> Any:
    """What `load` returns; whatever a plug-in's own code raises is the user's to read, in one line.

    What it changes of the process is put back, and named: later trials would compute with it.
    """
    load_methods()
    changed: list[str] = []
    try:
        with not_ending(), kept(changed):
            loaded = load()
    except Ended as error:
        raise ValueError(f"plug-in {plugin!r}: {error}") from error
    except Exception as error:
        raise ValueError(f"plug-in {plugin!r}: {type(error).__name__}: {explained(error)}") from error
    if told := [words for words in changed if words != FILTERS]:  # libraries set their own filters as they load
        say(f"warning: plug-in {plugin!r} changes {', '.join(told)}; put back")
    return loaded


def _set(method: Method, setting: str, described: str) -> Method:
    name, equals, value = setting.partition("=")
    settable = [f.name for f in fields(method) if f.name != "source" and type(getattr(method, f.name)) in READERS]
    if name not in settable or not equals:
        raise ValueError(f"method {described!r}: {nearest('field', name, settable)}; written field=value")
    read, words = READERS[type(getattr(method, name))]
    try:
        parsed = read(value)
    except (ValueError, KeyError):
        raise ValueError(f"method {described!r}: {name} {value!r}: must be {words}") from None
    try:
        return replace(method, **{name: parsed})
    except ValueError as error:
        raise ValueError(f"method {described!r}: {error}") from None


def _rows(plugin: str) -> dict[str, Method]:
    """The METHODS of a module named by a dotted name or by the path of its file."""
    module = _load(plugin)
    rows = getattr(module, "METHODS", None)
    if not isinstance(rows, dict) or not all(isinstance(row, Method) for row in rows.values()):
        raise ValueError(f"plug-in {plugin!r}: must have METHODS, a module-level dict of name -> bench.methods.Method")
    return rows


def _load(plugin: str) -> ModuleType:
    path = Path(plugin)
    if path.suffix != ".py":
        folder = str(Path.cwd())
        sys.path.insert(0, folder)  # a module beside the user, as `python -m` would find it
        checkout_last()
        try:
            imported: ModuleType = _guarded(plugin, partial(importlib.import_module, plugin))
            return imported
        finally:
            sys.path.remove(folder)
    if not path.is_file():
        raise ValueError(f"plug-in {plugin!r}: no such file")
    name = f"bench_plugin_{path.stem}"  # never the name of a module that is there already
    spec = importlib.util.spec_from_file_location(name, path.resolve())
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    _guarded(plugin, partial(spec.loader.exec_module, module))
    return module
