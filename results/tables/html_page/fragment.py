"""Text blocks as HTML that stands in a page of somebody else's, as below the cell of a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from bench.messages import visible
from bench.results.tables.formats import Block, Bold, Bullets, Entry, Grid, Paragraph


def fragment(blocks: Sequence[Block]) -> str:
    """The HTML of bullets, paragraphs and tables."""
    return "\n".join(map(_html, blocks))


def _html(block: Block) -> str:
    match block:
        case Paragraph(text):
            return f"<p>{_escaped(text)}</p>"
        case Bullets(items):
            return "<ul>" + "".join(f"<li>{_escaped(item)}</li>" for item in items) + "</ul>"
        case Grid():
            head = "".join(f"<th>{_escaped(header)}</th>" for header in block.headers)
            rows = "".join("<tr>" + "".join(map(_cell, row)) + "</tr>" for row in block.rows)
            return (
                f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>\n<p>{_escaped(block.caption)}</p>"
            )
    raise TypeError(f"{type(block).__name__}: must be bullets, a paragraph or a table")


def _cell(entry: Entry) -> str:
    if isinstance(entry, Bold):
        return f"<td><strong>{_escaped(entry.text)}</strong>{_escaped(entry.after)}</td>"
    return f"<td>{_escaped(entry)}</td>"


def _escaped(text: str) -> str:
    return escape(visible(text))
