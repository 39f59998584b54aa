"""Which runs of a store, and what of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.tags import PIECE


@dataclass(frozen=True, kw_only=True)
class RunQuery:
    """Runs that have a tag, in experiments that are not deleted, and what of them is wanted."""

    tag: str
    run: str = ""  # the identity of the only one; "": any
    value: str | None = None  # of the tag; None: any
    statuses: Collection[str] = ()  # one of these; (): any
    experiment: str | None = None  # its identity; None: any
    ended_since: float = 0.0  # a Unix time; of runs that have ended, those that did so later
    oldest_first: bool = False  # else the latest; those that began at once by identity
    tags: Collection[str] = ()  # with the further pieces of long values
    beginning: str = ""  # all tags that begin so too
    parameters: Collection[str] = ()
    metrics: Collection[str] = ()  # of a curve the last value

    @property
    def ended_milliseconds(self) -> int:
        """`ended_since`, as MLflow counts."""
        return int(self.ended_since * 1000)


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredRun:
    """A run. A database takes anything: its values may be of any type."""

    id: str
    experiment: str  # its name
    status: str
    started: Any  # Unix milliseconds
    files: Any = ""  # the address of its files
    tags: dict[str, Any] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Point:
    """A point of a curve; of any types, likewise."""

    step: Any
    timestamp: Any
    value: Any


def is_whole_piece(value: Any) -> bool:
    """Whether a tag's value may go on in another tag."""
    return isinstance(value, str) and len(value) == PIECE


def pieces(tags: Mapping[str, Any], name: str) -> Iterator[str]:
    """The tags that hold a value, in order."""
    piece, number = name, 0
    while piece in tags:
        yield piece
        if not is_whole_piece(tags[piece]):
            return
        number += 1
        piece = f"{name}.{number}"
