"""Values of any length as tags of a run. Every writer splits them, every reader joins them.

A value that is longer than every MLflow store takes goes on in numbered tags: `bench.spec`, `bench.spec.1`, …
"""

from __future__ import annotations

import re
from collections.abc import Mapping

# The least that a store takes: MLflow's before 3.0, and servers of theirs; later ones take 8,000. A store cuts what is
# longer, and says nothing.
PIECE = 5000
CUT = 8000  # characters left of a longer value by earlier versions of this project


UNSTORABLE = re.compile("[\0\ud800-\udfff]")  # no PostgreSQL takes the code 0, no database half of a pair


def storable(text: str) -> str:
    """The text with a sign in the place of each character that a store may refuse.

    >>> storable("a\\0b") == "a\N{REPLACEMENT CHARACTER}b"
    True
    """
    return UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def split(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags, storable, with every longer value in pieces of PIECE characters.

    >>> {name: len(value) for name, value in split({"bench.spec": "x" * 12_000}).items()}
    {'bench.spec': 5000, 'bench.spec.1': 5000, 'bench.spec.2': 2000}
    """
    return {
        f"{name}.{start // PIECE}" if start else name: storable(value[start : start + PIECE])
        for name, value in tags.items()
        for start in range(0, max(len(value), 1), PIECE)
    }


def whole(tags: Mapping[str, str], name: str) -> str:
    """The value that was split; "" if there is none.

    >>> whole(split({"bench.spec": "x" * 12_000}), "bench.spec") == "x" * 12_000
    True
    """
    first = tags.get(name) or ""  # a database takes NULL too
    if len(first) != PIECE:
        return first
    pieces = [first]
    while len(pieces[-1]) == PIECE and (piece := tags.get(f"{name}.{len(pieces)}")):
        pieces.append(piece)
    return "".join(pieces)


def is_piece(tags: Mapping[str, str], name: str) -> bool:
    """Whether the tag continues another one.

    >>> tags = split({"bench.spec": "x" * 12_000, "version.1": ""})
    >>> [name for name in tags if is_piece(tags, name)]
    ['bench.spec.1', 'bench.spec.2']
    """
    first, _, number = name.rpartition(".")
    return number.isdecimal() and len(tags.get(first) or "") == PIECE


def was_cut(tags: Mapping[str, str], name: str) -> bool:
    """Whether an earlier version has cut the value."""
    return len(tags.get(name) or "") == CUT
