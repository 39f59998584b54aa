"""What a user can name: METHODS and the other tables, what installed plug-ins add, and the modules given with --plugin.

A plug-in registers in one line. An installed package: an entry point of group "bench.methods", whose value is a
`Method` or a callable that makes one; or of "bench.models", "bench.datasets", "bench.optimizers" or "bench.schedules".
A local file: module-level dicts, METHODS of name -> `Method`, or those of `bench.trial.outside.tables`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import Field, fields, replace
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Any, get_args

from bench.canonical import canonical_json
from bench.messages import decimal_text, nearest
from bench.methods import METHODS, Method
from bench.methods.fading import SETTINGS, fades
from bench.methods.identity.classes import check_distinct
from bench.methods.identity.identify import identify
from bench.trial.loading import errors_of_fields, guarded, load
from bench.trial.outside.rows import Outside, add, outside_row
from bench.trial.outside.tables import TABLES

GROUP = "bench.methods"
# Of a method, and of a row: a comma list names them, a colon sets a field, a bar ends the cell of a table.
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
            for name, method in _plug_in(plugin).items():
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
            row = guarded(name, partial(_loaded, row))
            if not isinstance(row, Method):
                raise ValueError(f"plug-in {name!r} gives {type(row).__name__}: must be a bench.methods.Method")
            check_method(name, row, f"plug-in {name!a}")
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
        if {"background", "scale"} <= {setting.partition("=")[0] for setting in settings}:
            raise ValueError(f"method {described!r}: must have background or scale, not both: 1 is freeze, 0 is prune")
        for setting in sorted(settings, key=_turn):
            method = _set(method, setting, described)
        check_method(name, method, f"method {described!r}")
        return self.name_of(method, described), method

    def name_of(self, method: Method, otherwise: str) -> str:
        """The first name with the same record, so that an alias prints as what it is.

        Raises: ValueError if that is a method of other code.
        """
        built = self.built()
        if name := first_name(method, built):
            check_distinct(otherwise, method, name, built[name.partition(":")[0]])
        return name or otherwise

    def built(self) -> dict[str, Method]:
        """The rows that need no import any more."""
        return {name: row for name, row in self.rows.items() if isinstance(row, Method)}


def first_name(method: Method, known: Mapping[str, Method]) -> str:
    """The first name with the method's record; "" if none has it. A scale stands behind the name of what freezes, and
    how it fades behind both.

    >>> [first_name(replace(METHODS["snip"], scale=scale), METHODS) for scale in (0, 0.25, 1)]
    ['snip', 'freeze:scale=0.25', 'freeze']
    >>> first_name(replace(METHODS["snip"], scale=0.5, fade="cosine", fade_to=0.1), METHODS)
    'freeze:scale=0.5:fade=cosine:fade_to=0.1'
    """
    if fades(method):
        constant = first_name(replace(method, **SETTINGS), known)
        return ":".join([constant, *_fade(method)]) if constant else ""
    if method.scale is not None:
        frozen = first_name(replace(method, scale=1.0), known)
        return f"{frozen}:scale={decimal_text(method.scale)}" if frozen else ""
    record = canonical_json(method.record())  # 1, 1.0 and true are equal, but not one key
    return next((name for name, row in known.items() if canonical_json(row.record()) == record), "")


def described(method: Method, known: Mapping[str, Method] = METHODS) -> str:
    """What names a method: the first name with its record, else one of its class with the fields that differ.

    >>> described(METHODS["snip-prune"]), described(replace(METHODS["lth"], fraction=0.5))
    ('snip', 'lth:fraction=0.5')
    """
    if name := first_name(method, known):
        return name
    settings = {name: _settings(row, method) for name, row in known.items() if type(row) is type(method)}
    if not settings:
        return type(method).__name__
    name = min(settings, key=lambda name: len(settings[name]))
    return ":".join([name, *settings[name]])


def _settings(row: Method, method: Method) -> list[str]:
    """The fields that make the row the method, each written field=value."""
    values = {f.name: (getattr(row, f.name), getattr(method, f.name)) for f in fields(method) if f.init}
    if method.scale is not None:  # which says what the background is
        del values["background"]
    return [f"{name}={_written(value)}" for name, (given, value) in values.items() if value != given]


def _fade(method: Method) -> list[str]:
    """How the background fades, each field that is not as it is unless given, written field=value."""
    given = {name: getattr(method, name) for name in SETTINGS}
    changed = {name: value for name, value in given.items() if value != SETTINGS[name]}
    return [f"{name}={value if isinstance(value, str) else decimal_text(value)}" for name, value in changed.items()]


def _written(value: Any) -> str:
    """A field's value as `READERS` read it; a function by its name."""
    written = str(getattr(value, "__name__", value))
    return written.lower() if value is None or isinstance(value, bool) else written


def _loaded(point: EntryPoint) -> Any:
    loaded = point.load()
    return loaded if isinstance(loaded, Method) else loaded()


def check_method(name: object, method: Method, origin: str) -> None:
    """Raise ValueError, which names the origin, if the command line cannot name a method, or its key not tell it."""
    check_name(name, origin)
    with errors_of_fields(origin):
        identify(method)


def check_name(name: object, origin: str) -> None:
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ValueError(f"{origin}: its name must be 1 to 100 characters, none of , : | and no space at its ends")


def _turn(setting: str) -> int:
    """When a setting is made: the background first, since how it fades, or a control, may need it."""
    return {"background": 0, "scale": 0, "fade": 1}.get(setting.partition("=")[0], 2)


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
    with errors_of_fields(f"method {described!r}"):
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


def _plug_in(plugin: str) -> Mapping[str, Method]:
    """The METHODS of a plug-in, whose other rows are added to the tables; nothing is added before all is checked."""
    module = load(plugin)
    tables = _tables_of(plugin, module)
    methods: Mapping[str, Method] = tables.pop("METHODS", {})
    for name, method in methods.items():
        check_method(name, method, f"method {name!a} of plug-in {plugin}")
    rows = [_row(table, name, value, plugin, module) for table, of in tables.items() for name, value in of.items()]
    with errors_of_fields(f"plug-in {plugin!r}"):
        add(rows, module.__name__)
    return methods


def _tables_of(plugin: str, module: ModuleType) -> dict[str, dict[Any, Any]]:
    """The tables of a plug-in's module by name. Raises ValueError if there is none, or if one is no such table."""
    tables = {name: rows for name in ("METHODS", *TABLES) if (rows := vars(module).get(name)) is not None}
    if not tables:
        names = f"METHODS, {', '.join([*TABLES][:-1])} or {[*TABLES][-1]}"
        raise ValueError(f"plug-in {plugin!r}: must have {names}, a module-level dict each")
    for name, rows in tables.items():
        if type(rows) is not dict:
            raise ValueError(f"plug-in {plugin!r}: {name} is {type(rows).__name__}: must be a dict of name -> row")
    if not all(isinstance(method, Method) for method in tables.get("METHODS", {}).values()):
        raise ValueError(f"plug-in {plugin!r}: METHODS must be a module-level dict of name -> bench.methods.Method")
    return tables


def _row(table: str, name: object, value: object, plugin: str, module: ModuleType) -> Outside:
    subject = f"{TABLES[table].noun} {name!a} of plug-in {plugin}"
    check_name(name, subject)
    with errors_of_fields(subject):
        return outside_row(table, str(name), value, module.__name__)


def take_installed(fields: Mapping[str, Any]) -> None:
    """Load what these fields of a trial name and an installed package offers, which is imported only now.

    Raises: ValueError in one line if it cannot be loaded, or is not what its table holds.
    """
    for table, row in TABLES.items():
        name = fields.get(row.field)
        for point in entry_points(group=row.group):
            if point.name == name and name not in row.rows:
                subject = f"plug-in {name!r}"
                check_name(name, subject)
                value = guarded(name, point.load)
                with errors_of_fields(subject):
                    origin = f"{row.group}: {name}"  # two entry points may have one value
                    add([outside_row(table, name, value, origin)], origin)


def installed(table: str) -> dict[str, str]:
    """What installed packages offer for a table: name -> where it is; nothing of it is imported."""
    return {point.name: point.value for point in entry_points(group=TABLES[table].group)}
