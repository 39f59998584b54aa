"""A field's row: everything that is said of one field of a trial, where the field is declared."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import MISSING, dataclass, field, fields, replace
from typing import Any, Literal, NamedTuple, TypeVar, get_args, get_origin, get_type_hints

from bench.messages import nearest, shortened

T = TypeVar("T")
# The clauses in which a caption states the protocol, in this order.
Clause = Literal["update", "training", "sample", "images", "arithmetic"]
KEY = "row"  # of a field's metadata


class Range(NamedTuple):
    """The values of a field that make sense."""

    words: str  # {} is the field's name
    test: Callable[[Any], bool]


@dataclass(frozen=True, kw_only=True)
class FieldRow:
    """What one field says of itself. Name and type stand beside it."""

    default: Any
    range: Range | None = None
    choices: Collection[str] = ()  # perhaps the table of them; those of a Literal by themselves
    later: bool = False  # came later: left out of the record at its default, so that no key moved
    owner: str = ""  # the field without which it says nothing: a preset's value is dropped if the owner is given
    search: str = ""  # what it is called if `tune` searches it, log-uniform; "" = it is not searched

    # On the command line.
    flag: str = ""  # as "--epochs", or "--tf32/--no-tf32"; "" = no option of the protocol
    help: str | Callable[[], str] = ""
    known: Callable[[], Iterable[str]] | None = None  # the names that a shell completes, if it is a name of a table
    group: Literal["protocol", "speed"] = "protocol"  # under which the help shows it
    read: Callable[[str], Any] | None = None  # from the option's text to the value
    auto: bool = False  # it may be "auto", and is by default: each trial's value follows from its other fields
    unset: bool = False  # its option has no default: the value depends on other fields

    # In a table.
    words: Callable[[Any], str] | None = None  # of a value; without, the caption says "name = value"
    clause: Clause = "training"
    plain: Collection[Any] = ()  # values not worth a word, unless sections differ in the field
    stated: bool = True  # whether a paper may state it

    def check(self, name: str, value: Any) -> None:
        """Raise ValueError if the value makes no sense."""
        if self.choices and value not in self.choices:
            raise ValueError(nearest(name, str(value), [*map(str, self.choices)]))
        if self.range and not self.range.test(value):
            raise ValueError(f"{name} {shortened(str(value), 100)}: must be {self.range.words.format(name)}")


def says(**row: Any) -> dict[str, FieldRow]:
    """The metadata of a field without a default."""
    return {KEY: FieldRow(default=MISSING, **row)}


def row(default: T, **row: Any) -> T:
    """A dataclass field with its row: the arguments are those of FieldRow."""
    return field(default=default, metadata={KEY: FieldRow(default=default, **row)})


def rows_of(declaring: type[Any]) -> dict[str, FieldRow]:
    """Field -> its row, of a dataclass, in order; an empty row if the field has none."""
    hints = get_type_hints(declaring)
    rows = {f.name: f.metadata.get(KEY, FieldRow(default=f.default)) for f in fields(declaring)}
    literal = {name: get_args(hints[name]) for name in rows if get_origin(hints[name]) is Literal}
    return {name: replace(row, choices=literal.get(name, row.choices)) for name, row in rows.items()}
