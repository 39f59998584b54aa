"""Networks, data sets, optimizers and schedules that are objects: put into the tables under a name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.datasets import DatasetRow, row_of
from bench.datasets.outside.arrays import KERAS, NAMES, arrays_of, content_of
from bench.datasets.outside.objects import given_by
from bench.trial.loading import errors_of_fields
from bench.trial.outside import add, origin_of, outside_row
from bench.trial.plugins import check_name
from bench.trial.tables import TABLES

PAIR = "((x_train, y_train), (x_test, y_test))"


def named(table: str, value: Any) -> Any:
    """The name of what is given: a name itself, or that of a function or class, which is put into the table.

    One that is defined anew, as in a cell that is run again, replaces the one before.

    Args:   table: of `bench.trial.tables.TABLES`, not "DATASETS".
    Raises: ValueError in one line if it can be no row, if its name is that of another one, or if its source, which
            enters the key of every trial that uses it, cannot be told.
    """
    if value is None or isinstance(value, str):
        return value
    name = getattr(value, "__name__", f"of type {type(value).__name__}")
    if not isinstance(value, type) and (name == "<lambda>" or not hasattr(value, "__name__")):
        raise ValueError(f"{TABLES[table].noun} {name}: must be a name, or a function or class that has one")
    _put(table, name, value, f"{getattr(value, '__module__', '')}:{name}")
    return name


def named_data(data: Any) -> str:
    """The name of a data set: itself, or that of arrays or pairs of torch's data sets, which are put into the table.

    That of a mapping {name: arrays}; of an object its `name`; else it is made of the content.

    Raises: ValueError in one line if they are nothing to train on, or the name is another data set's.
    """
    if isinstance(data, str):
        return data
    name, value = _name_and_value(data)
    if not _has_form(value):
        must = f"must be a name, {PAIR} of arrays, two data sets of torch's, or a mapping of one name to these"
        raise ValueError(f"data of {type(value).__name__}: {must}")
    content = content_of(arrays_of(name or "data", given_by(name or "data", value)))
    name = name or f"arrays-{content[:12]}"
    origin = f"{__name__}:{name}"
    if origin_of("DATASETS", name) != origin or row_of(name).content_hash != DatasetRow.hash_of_content(content):
        _put("DATASETS", name, value, origin)
    return name


def _name_and_value(data: Any) -> tuple[str, Any]:
    if isinstance(data, Mapping) and len(data) == 1 and not set(data) & {*NAMES, *KERAS}:
        return next((str(name), value) for name, value in data.items())
    return str(getattr(data, "name", "")), data


def _has_form(value: Any) -> bool:
    """Whether it can be a data set at all."""
    pair = isinstance(value, tuple | list) and len(value) == 2
    return pair or isinstance(value, Mapping) or any(hasattr(value, key) for key in (*NAMES, *KERAS))


def _put(table: str, name: str, value: Any, origin: str) -> None:
    subject = f"{TABLES[table].noun} {name!a}"
    check_name(name, subject)
    with errors_of_fields(subject):
        row = outside_row(table, name, value, origin)
    add([row], origin)
