"""Text blocks as one HTML page: for a screen, a phone, the dark and A4 paper. Jinja draws it."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from bench.messages import visible
from bench.results.tables.formats import Block, Bold, Entry, Grid, Heading

TITLE = "Freeze or prune?"
DEEPEST, MANY = 3, 24  # level of a heading in the contents, which have no more than so many
PAPER = 505.0  # points between the margins of an A4 page
PRINTED, READABLE = 9.0, 6.5  # points of a printed letter: at most, and at least if it can be
LETTER, PADDING = 0.58, 0.9  # ems of its width, and around an entry


def page(blocks: Sequence[Block]) -> str:
    """A page of its own: no script, and nothing that it would have to fetch."""
    lead, rest = _lead(blocks)
    headings = _contents([block for block in rest if isinstance(block, Heading)])
    title = next((block.text for block in blocks if isinstance(block, Heading)), TITLE)
    return (
        _environment()
        .get_template("page.html")
        .render(title=title, lead=lead, rest=rest, headings=headings, anchors=_anchors(headings))
    )


def _lead(blocks: Sequence[Block]) -> tuple[Sequence[Block], Sequence[Block]]:
    """What stands before the contents: all until the second heading; and the rest."""
    starts = [index for index, block in enumerate(blocks) if isinstance(block, Heading)]
    first = starts[1] if len(starts) > 1 else len(blocks)
    return blocks[:first], blocks[first:]


def _contents(headings: Sequence[Heading]) -> list[Heading]:
    """Down to level DEEPEST, or one less if these are many."""
    deepest = DEEPEST if sum(heading.level <= DEEPEST for heading in headings) <= MANY else DEEPEST - 1
    return [heading for heading in headings if heading.level <= deepest]


def _anchors(headings: Iterable[Heading]) -> dict[int, str]:
    """Identity of a heading -> its anchor, unlike every other's."""
    anchors: dict[int, str] = {}
    for heading in headings:
        plain = re.sub(r"\W+", "-", heading.text.lower()).strip("-") or "section"
        alike = [anchor for anchor in anchors.values() if re.fullmatch(rf"{re.escape(plain)}(-\d+)?", anchor)]
        anchors[id(heading)] = f"{plain}-{len(alike) + 1}" if alike else plain
    return anchors


@cache
def _environment() -> Environment:
    here = Path(__file__).parent
    environment = Environment(
        loader=FileSystemLoader(here), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        finalize=lambda value: visible(value) if type(value) is str else value,
    )  # fmt: skip
    environment.filters |= {
        "kind": lambda block: type(block).__name__,
        "printed": printed_points,
        "data": lambda svg: f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}",
        "anchor": id,
        "unbroken": unbroken,
        "code": lambda lines: Markup("\n").join(map(visible, lines)),
    }
    environment.globals["style"] = (here / "style.css").read_text(encoding="utf-8")
    return environment


def printed_points(grid: Grid) -> float:
    """The size of letters in print: the largest up to PRINTED at which every entry stands on one line.

    If that would be under READABLE, entries are broken between words; only if their longest words do not stand side
    by side on a page even then, it is smaller still: no column is cut.

    >>> printed_points(Grid("", ["rate"], [["0.9"]])), printed_points(Grid("", ["a b"] * 40, []))
    (9.0, 6.5)
    >>> printed_points(Grid("", ["+10.25 [+9.12, +13.54]"] * 30, []))
    3.3
    """
    whole, broken = (_points(_longest(grid, apart)) for apart in (False, True))
    return min(PRINTED, broken, max(whole, READABLE))


def _points(letters: Sequence[int]) -> float:
    """The size at which columns of so many letters fill a page."""
    return int(10 * PAPER / sum(LETTER * number + PADDING for number in letters)) / 10


def _longest(grid: Grid, apart: bool) -> list[int]:
    """The letters of the longest entry of each column; of its longest word, if words may stand `apart`."""
    columns = [[header, *(_text(row[index]) for row in grid.rows)] for index, header in enumerate(grid.headers)]
    return [max(len(word) for text in texts for word in (_words(text) if apart else [text])) for texts in columns]


def _words(text: str) -> list[str]:
    return unbroken(text).split(" ") or [""]


def unbroken(text: str) -> str:
    """A text that no line ends in after a "<"."""
    return text.replace("< ", "<\u00a0")


def _text(entry: Entry) -> str:
    return f"{entry.text}{entry.after}" if isinstance(entry, Bold) else entry
