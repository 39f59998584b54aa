"""Text blocks as one HTML page: for a screen, a phone, the dark and A4 paper. Jinja draws it."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bench.results.tables.formats import Block, Bold, Entry, Grid, Heading

TITLE = "Freeze or prune?"
DEEPEST = 3  # level of a heading in the contents
PAPER = 505.0  # points between the margins of an A4 page
PRINTED, LETTER, PADDING = 9.0, 0.58, 0.9  # points of a printed letter; ems of its width and around an entry


def page(blocks: Sequence[Block]) -> str:
    """A page of its own: no script, and nothing that it would have to fetch."""
    lead, rest = _lead(blocks)
    headings = [block for block in rest if isinstance(block, Heading) and block.level <= DEEPEST]
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


def _anchors(headings: Iterable[Heading]) -> dict[int, str]:
    """Identity of a heading -> its anchor, unlike every other's."""
    anchors: dict[int, str] = {}
    for heading in headings:
        plain = re.sub(r"\W+", "-", heading.text.lower()).strip("-") or "section"
        alike = [anchor for anchor in anchors.values() if re.fullmatch(rf"{re.escape(plain)}(-\d+)?", anchor)]
        anchors[id(heading)] = f"{plain}-{len(alike) + 1}" if alike else plain
    return anchors


def _environment() -> Environment:
    here = Path(__file__).parent
    environment = Environment(
        loader=FileSystemLoader(here), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "kind": lambda block: type(block).__name__,
        "printed": printed_points,
        "data": lambda svg: f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}",
        "anchor": id,
    }
    environment.globals["style"] = (here / "style.css").read_text(encoding="utf-8")
    return environment


def printed_points(grid: Grid) -> float:
    """The size of letters at which the longest words of the columns stand side by side on a page.

    >>> printed_points(Grid("", ["rate"], [["0.9"]])), printed_points(Grid("", ["+10.25"] * 30, []))
    (9.0, 3.8)
    """
    ems = sum(LETTER * max(map(len, words)) + PADDING for words in _words(grid))
    return min(PRINTED, int(10 * PAPER / ems) / 10)


def _words(grid: Grid) -> Iterator[list[str]]:
    """The words of each column."""
    for index, header in enumerate(grid.headers):
        entries = (row[index] for row in grid.rows)
        yield [word for text in (header, *map(_text, entries)) for word in text.split()] or [""]


def _text(entry: Entry) -> str:
    return f"{entry.text}{entry.after}" if isinstance(entry, Bold) else entry
