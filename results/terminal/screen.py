"""What a terminal shows of a store: the answer, the pairs, the other methods; in full all that the page has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.text import Text

from bench.results.frame.collect import DENSE
from bench.results.statistics.analysis import Analysis
from bench.results.tables import accuracy_tables, captions
from bench.results.tables.answer.pairs import pairs
from bench.results.tables.answer.sentences import answer_of, how_to_read
from bench.results.tables.exclusions import exclusions, warnings
from bench.results.tables.formats import Block, Bullets, Code, Grid, Heading, Paragraph, Picture
from bench.results.terminal.fitted import tables

WIDE = 120  # columns from which on a table of pairs has its tests
MORE = "More: --full (every test, percent of dense, storage, compute), --part NAME (one table), | cat (Markdown)."


def show(console: Console, analyses: Sequence[Analysis], blocks: Sequence[Block] = ()) -> None:
    """Print the answer, then the tables in short; the blocks of the page instead, if there are any."""
    _bullets(console, answer_of(analyses))
    if words := how_to_read(analyses):
        _paragraph(console, words, "dim")
    for block in blocks or _short(analyses, narrow=console.width < WIDE):
        _block(console, block)
    if not blocks:
        _paragraph(console, MORE, "dim")


def _short(analyses: Sequence[Analysis], *, narrow: bool) -> Iterator[Block]:
    for analysis in (a for a in analyses if a.shown):
        yield Heading(analysis.section.title)
        if beside := pairs(analysis, narrow=narrow):
            yield beside
        if others := _others(analysis):
            yield others
            if legend := captions.legend(analysis, others):
                yield Paragraph(legend)
        if said := [line for line in (*exclusions(analysis), *warnings(analysis)) if not line.startswith("No seed is")]:
            yield Bullets(said)


def _others(analysis: Analysis) -> Grid | None:
    """The methods that are in no pair, beside the reference: methods × rates; None if there is none."""
    paired = {label for c in analysis.shown_primary for label in (c.label, c.reference)}
    if not {cell.label for cell in analysis.shown if cell.background != DENSE} - paired:
        return None
    grid = accuracy_tables.main(analysis)
    rows = [row for row in grid.rows if row[0] not in paired or row[0] == analysis.reference]
    return replace(grid, rows=rows)


def _block(console: Console, block: Block) -> None:
    match block:
        case Heading(text, level):
            console.print(Text(text, style="bold" if level > 1 else "bold underline"))
            console.print()
        case Paragraph(text):
            _paragraph(console, text)
        case Bullets(items):
            _bullets(console, items)
        case Grid(caption, _, _):
            for table in tables(block, console.width):
                console.print(table)
                console.print()
            _paragraph(console, caption, "dim")
        case Code(lines):
            _bullets(console, lines)
        case Picture(alt, _, _):  # a terminal draws none
            _paragraph(console, alt)


def _paragraph(console: Console, text: str, style: str = "") -> None:
    console.print(Text(text, style=style))
    console.print()


def _bullets(console: Console, items: Sequence[str]) -> None:
    for item in items:
        console.print(_hanging(item))
    console.print()


def _hanging(item: str) -> RenderableType:
    from rich.table import Table

    line = Table.grid(padding=(0, 1))
    line.add_row(Text("•"), Text(item))
    return Padding(line, (0, 0))
