"""The methods a user can name: METHODS, the installed plug-ins, and the modules given with --plugin.

A plug-in registers in one line. An installed package: an entry point of group "bench.methods", whose value is a
`Method` or a callable that makes one. A local file: a module-level METHODS of name -> `Method`.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import Field, fields, replace
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

from bench.canonical import canonical_json
from bench.messages import explained, nearest, one_line, say
from bench.methods import METHODS, Method
from bench.methods.identity.identify import identify
from bench.search_path import checkout_last
from bench.user_code.guard import Ended, kept, load_methods, not_ending, seed_globals

GROUP = "bench.methods"
# Of a method: a comma list names them, a colon sets a field, a bar ends the cell of a table.
NAME = re.compile(r"(?!\s)[^,:|\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]{1,100}(?<!\s)")
# Type of a field -> how its value is read, and what it must be; in the order in which they are tried.
READERS: Mapping[type, tuple[Callable[[str], Any], str]] = {
    type(None): ({"none": None}.__getitem__, "none"),
    bool: ({"true": True, "false": False}.__getitem__, "true or false"),
    int: (int, "a whole number"),
    float: (float, "a number"),
    str: (str, "a text"),
}


class Catalogue(Mapping[str, Method]):
    """Name -> method; an installed plug-in is imported only when its method is asked for."""

    def __init__(self, plugins: Sequence[str] = ()) -> None:
        self.rows: dict[str, Method | EntryPoint] = dict(METHODS)
        for point in entry_points(group=GROUP):
            self._add(point.name, point, point.value)
        for plugin in plugins:
            for name, method in _rows(plugin).items():
                _check(name, method, f"method {name!a} of plug-in {plugin}")
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
            _check(name, row, f"plug-in {name!a}")
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
        _check(name, method, f"method {described!r}")
        return self.name_of(method, described), method

    def name_of(self, method: Method, otherwise: str) -> str:
        """The first name with the same record, so that an alias prints as what it is."""
        record = canonical_json(method.record())  # 1, 1.0 and true are equal, but not one key
        built = ((name, row) for name, row in self.rows.items() if isinstance(row, Method))
        return next((name for name, row in built if canonical_json(row.record()) == record), otherwise)


def _loaded(point: EntryPoint) -> Any:
    loaded = point.load()
    return loaded if isinstance(loaded, Method) else loaded()


def _guarded(plugin: str, load: Callable[[], Any]) -> Any:
    """What `load` returns; what it changes of the process is put back and named, or later trials computed with it."""
    load_methods()
    changed: list[str] = []
    with _one_line_of(f"plug-in {plugin!r}"), kept(changed):
        seed_globals(0)  # what it draws as it is loaded is part of its identity
        loaded = load()
    if changed:
        say(f"warning: plug-in {plugin!r} changes {', '.join(changed)}; put back")
    return loaded


@contextmanager
def _one_line_of(origin: str) -> Iterator[None]:
    """Whatever a plug-in's own code raises in here is the user's to read: a ValueError of one line."""
    try:
        with not_ending():
            yield
    except Ended as error:
        raise ValueError(f"{origin}: {error}") from error
    except Exception as error:
        raise ValueError(f"{origin}: {one_line(error)}") from error


@contextmanager
def _errors_of_fields(origin: str) -> Iterator[None]:
    """As `_one_line_of`, for checks of fields: a ValueError there says by itself what is wrong."""
    try:
        with _one_line_of(origin):
            yield
    except ValueError as error:
        if not isinstance(error.__cause__, ValueError):
            raise
        raise ValueError(f"{origin}: {explained(error.__cause__)}") from error.__cause__


def _check(name: object, method: Method, origin: str) -> None:
    """Raise ValueError, which names the origin, if the command line cannot name a method, or its key not tell it."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ValueError(f"{origin}: its name must be 1 to 100 characters, none of , : | and no space at its ends")
    with _errors_of_fields(origin):
        identify(method)


def _set(method: Method, setting: str, described: str) -> Method:
    name, equals, value = setting.partition("=")
    types = {f.name: _types(method, f) for f in fields(method) if f.init}
    settable = [field for field, of_field in types.items() if of_field]
    if name not in settable or not equals:
        raise ValueError(f"method {described!r}: {nearest('field', name, settable)}; written field=value")
    readings = list(_readings(value, types[name]))
    if not readings:
        words = " or ".join(READERS[of_field][1] for of_field in types[name])
        raise ValueError(f"method {described!r}: {name} {value!r}: must be {words}")
    with _errors_of_fields(f"method {described!r}"):
        return replace(method, **{name: readings[0]})


def _readings(value: str, types: Sequence[type]) -> Iterator[Any]:
    """The value as the types read it, of those that can."""
    for of_field in types:
        with suppress(ValueError, KeyError):
            yield READERS[of_field][0](value)


def _types(method: Method, field: Field[Any]) -> list[type]:
    """The types that a field can be set to: those that its annotation names, and that of its present value."""
    hint = field.type
    if isinstance(hint, str):
        names = {of_field.__name__: of_field for of_field in READERS} | {"None": type(None)}
        members = {names.get(name) for name in re.split(r"[\s|,\[\]]+", hint)}
        members |= {type(None)} if "Optional" in hint else set()
    else:
        members = {type(None) if member is None else member for member in get_args(hint) or (hint,)}
    return [of_field for of_field in READERS if of_field in {*members, type(getattr(method, field.name))}]


def _rows(plugin: str) -> dict[str, Method]:
    """The METHODS of a module named by a dotted name or by the path of its file."""
    module = _load(plugin)
    rows = getattr(module, "METHODS", None)
    if type(rows) is not dict or not all(isinstance(row, Method) for row in rows.values()):
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
    name = _module_name(path)
    spec = importlib.util.spec_from_file_location(name, path.resolve())
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    _guarded(plugin, partial(spec.loader.exec_module, module))
    return module


def _module_name(path: Path) -> str:
    """A module's name of its own for every file: another file of that stem, or an installed module, has another."""
    return f"bench_plugin_{path.stem}_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]}"
