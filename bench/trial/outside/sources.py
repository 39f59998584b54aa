"""The sources of what trials have from outside: what tells two networks, optimizers or schedules of one name apart.

The source of a row enters the run key of every trial that names it (`TrialSpec.sources`), so a table of another process
must hold the same source under the name. Imports none of the tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Sources = tuple[tuple[str, str], ...]  # (field of a trial, SHA-256 of the source of what it names), sorted

FIELDS = ("model", "optimizer", "schedule")  # of a trial; of a data set its content tells
SOURCES: dict[tuple[str, str], str] = {}  # (field, name) -> source, of the rows from outside of this process


def sources_of(fields: Mapping[str, Any]) -> Sources:
    """The sources of what these fields of a trial name; of what is ours there is none."""
    pairs = ((field, SOURCES.get((field, fields.get(field, "")), "")) for field in FIELDS)
    return tuple((field, source) for field, source in pairs if source)


def check_sources(fields: Mapping[str, Any], sources: Sources, only: Sequence[str] = FIELDS) -> None:
    """Raise ValueError if the tables of this process hold other code than that of the sources under a trial's names.

    Args: only: the fields to look at.
    """
    expected, actual = dict(sources), dict(sources_of(fields))
    for field in only:
        if expected.get(field) != actual.get(field):
            raise ValueError(
                f"{field} {fields[field]!r}: its source must be that of the trial, {_short(expected.get(field))};"
                f" here it is {_short(actual.get(field))}"
            )


def _short(source: str | None) -> str:
    return f"{source[:12]}…" if source else "ours"
