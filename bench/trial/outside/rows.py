"""The rows of the tables that come from outside: added, replaced, sent to workers, and told apart by their source.

A row is added under a name that is not taken. No torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bench.methods.identity.code import root_of, source_of_code
from bench.references import is_ours, resolved
from bench.trial.outside.sources import SOURCES
from bench.trial.outside.tables import TABLES


@dataclass(frozen=True, kw_only=True)
class Outside:
    """A row from outside."""

    table: str  # of TABLES
    name: str
    row: Any
    origin: str  # the plug-in's module, or the group and name of its entry point; it alone may replace the row
    source: str  # SHA-256; of a data set "", since it is told by its content

    def code(self) -> list[Any]:
        """The functions and classes that it consists of, the user's bases of a class among them."""
        root = root_of(resolved(TABLES[self.table].code(self.row)))
        return list(root.__mro__) if isinstance(root, type) else [root]


_rows: dict[tuple[str, str], Outside] = {}  # (table, name) -> row: those of this process


def outside_row(table: str, name: str, value: Any, origin: str) -> Outside:
    """The row that a value of a plug-in means, and its source.

    Raises: ValueError in one line if the value means none, or its source cannot be told.
    """
    row = TABLES[table].row_of(name, value)
    return Outside(table=table, name=name, row=row, origin=origin, source=_source(table, row))


def _source(table: str, row: Any) -> str:
    if table == "DATASETS":
        return ""
    return TABLES[table].fingerprint(row) or source_of_code(resolved(TABLES[table].code(row)))


def add(rows: Iterable[Outside], origin: str) -> None:
    """Put all these rows of one origin into the tables, instead of those that it put there before.

    Raises: ValueError if a name is taken; then the tables are left as they were.
    """
    new = {(row.table, row.name): row for row in rows}
    before = {key: row for key, row in _rows.items() if row.origin == origin}
    for table, name in new:
        if name in TABLES[table].rows and (table, name) not in before:
            raise ValueError(f"{TABLES[table].noun} {name!r}: must be a name not yet taken")
    for table, name in before:
        del TABLES[table].rows[name], _rows[table, name]
        SOURCES.pop((TABLES[table].field, name), None)
    take(new.values())


def take(rows: Iterable[Outside]) -> None:
    """Put rows that another process has checked into the tables, whatever is there under their names."""
    for row in rows:
        TABLES[row.table].rows[row.name] = row.row
        _rows[row.table, row.name] = row
        SOURCES[TABLES[row.table].field, row.name] = row.source


@contextmanager
def instead(row: Outside) -> Iterator[None]:
    """Within it, the row is in its table, whatever was there under its name; that is put back."""
    key, rows = (row.table, row.name), TABLES[row.table].rows
    ours, outside = rows.get(row.name), _rows.get(key)
    take([row])
    try:
        yield
    finally:
        del rows[row.name], _rows[key], SOURCES[TABLES[row.table].field, row.name]
        if outside is not None:
            take([outside])
        elif ours is not None:
            rows[row.name] = ours


def rows_from_outside(specs: Iterable[Any]) -> list[Outside]:
    """The rows from outside that trials use."""
    named = {(table, getattr(spec, row.field)) for spec in specs for table, row in TABLES.items()}
    return [_rows[key] for key in sorted(named & _rows.keys())]


def origin_of(table: str, name: str) -> str:
    """The plug-in that a row is from; "" if it is ours."""
    return _rows[table, name].origin if (table, name) in _rows else ""


def all_ours(fields: Mapping[str, Any]) -> bool:
    """Whether no code from outside builds the network of these fields of a trial, or updates its weights."""
    rows = ((table, table.rows.get(fields[table.field])) for table in TABLES.values() if table.noun != "data set")
    return all(row is None or (is_ours(table.code(row)) and not table.fingerprint(row)) for table, row in rows)
