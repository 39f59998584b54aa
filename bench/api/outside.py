"""Networks, optimizers and schedules that are objects: put into the tables under a name, with their source."""

from __future__ import annotations

from typing import Any

from bench.trial.loading import errors_of_fields
from bench.trial.outside import add, outside_row
from bench.trial.plugins import check_name
from bench.trial.tables import TABLES


def named(table: str, value: Any) -> Any:
    """The name of what is given: a name itself, or that of a function or class, which is put into the table.

    One that is defined anew, as in a cell that is run again, replaces the one before.

    Args:   table: of `bench.trial.tables.TABLES`.
    Raises: ValueError in one line if it can be no row, if its name is that of another one, or if its source, which
            enters the key of every trial that uses it, cannot be told.
    """
    if value is None or isinstance(value, str):
        return value
    noun = TABLES[table].noun
    name = getattr(value, "__name__", f"of type {type(value).__name__}")
    check_name(name, f"{noun} {name!a}")
    with errors_of_fields(f"{noun} {name!a}"):
        if getattr(value, "__name__", "<lambda>") == "<lambda>" and callable(value):
            raise ValueError("must have a name, as a function or a class has")
        origin = f"{getattr(value, '__module__', '')}:{name}"
        add([outside_row(table, name, value, origin)], origin)
    return name
