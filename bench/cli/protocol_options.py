"""The options of the protocol, and the fields that they give, both by its rows (`bench.trial.protocol`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from bench.cli.options import option
from bench.cli.shell.groups import GroupedOption
from bench.cli.shell.values import CommaList, Name, OneOf
from bench.execution.protocol_values import default_of, is_unset, with_defaults
from bench.trial.field_row import FieldRow
from bench.trial.protocol import ROWS


class _NameOfTable(Name):
    """A name of a table that a plug-in may add to: it is looked up once the plug-ins are loaded."""

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """The names of the table, as of a choice."""
        return f"[{'|'.join(self.known())}]"


def protocol_options() -> list[Any]:
    """An option for every field that has one, in the order of the protocol."""
    return [protocol_option(name) for name, row in ROWS.items() if row.flag]


def protocol_option(name: str) -> Any:
    """The option of a field; its default is the field's, unless that depends on another field."""
    row = ROWS[name]
    return click.option(
        row.flag,
        name,
        cls=GroupedOption,
        group=row.group,
        type=_type(row),
        is_flag=isinstance(row.default, bool),
        default=default_of(name),
        show_default=not is_unset(name),
        help=row.help if isinstance(row.help, str) else row.help(),
    )


def protocol_field(name: str) -> Any:
    """A field of a request that is this field of the protocol."""
    row = ROWS[name]
    return option(
        row.flag,
        row.help if isinstance(row.help, str) else row.help(),
        group=row.group,
        type=_type(row),
        default=default_of(name),
        is_flag=isinstance(row.default, bool),
    )


def _type(row: FieldRow) -> Any:
    if isinstance(row.choices, Mapping):
        return _NameOfTable(row.choices.keys)
    if row.choices:
        return OneOf([*(["auto"] if row.auto else []), *row.choices])
    if row.known:
        return Name(row.known)
    return CommaList() if row.read else type(row.default)


def read_protocol(values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a TrialSpec that these options say; `step` and `pack` may still be "auto".

    Args:   values: option -> value, with other options among them. Missing, None or an empty list: not given.
    Raises: ValueError as `with_defaults`.
    """
    rows = {name: row for name, row in ROWS.items() if row.flag}
    given = {name: values[name] for name, row in rows.items() if _is_given(row, values.get(name))}
    return with_defaults({n: read(value) if (read := rows[n].read) else value for n, value in given.items()})


def _is_given(row: FieldRow, value: Any) -> bool:
    return value is not None and not (row.read and value == "")
