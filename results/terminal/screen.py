"""What a terminal shows of a store: the answer, the pairs, the other methods; in full all that the page has."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.messages import visible
from bench.results.frame.words import ranges
from bench.results.parts import part_page
from bench.results.parts.parts import PARTS
from bench.results.statistics.analysis import Analysis, analyses
from bench.results.statistics.ranks import rank
from bench.results.statistics.view import View
from bench.results.tables import accuracy_tables, captions, rank_table
from bench.results.tables.answer.pairs import pairs
from bench.results.tables.answer.sentences import answer_of, how_to_read
from bench.results.tables.apart import baselines, budgets, changing_masks, scale_table, trained_first
from bench.results.tables.exclusions import exclusions, warnings
from bench.results.tables.formats import Block, Bullets, Code, Grid, Heading, Paragraph, Picture
from bench.results.tables.marks import seeds_legend
from bench.results.tables.planned.plan_words import plan_words
from bench.results.tables.section_page import report
from bench.results.tables.start.bases import base, needed_first
from bench.results.terminal.fitted import tables

NO_BREAK = "\u00a0"
INTERVAL = re.compile(r"\[(\S+), (\S+)\]")
WIDE = 120  # columns from which on a table of pairs has its tests
MORE = "More: --full (every test, percent of dense, storage, compute), --part NAME (one table), | cat (Markdown)."


def screen(
    frame: pd.DataFrame,
    view: View,
    *,
    part: str | None = None,
    ranks: bool = False,
    full: bool = False,
    console: Console | None = None,
) -> Callable[[], None]:
    """What prints the answer and the tables, all of it computed: those in short, in full, or one part alone.

    Args:    part: a name of PARTS. ranks: whether to rank the methods, too. console: instead of the standard output.
    Raises:  ValueError naming the value and what it must be, for a choice that the store does not have.
    """
    console = console or Console(highlight=False)
    if part:
        return partial(print_blocks, console, part_page.blocks(part_page.part_of(frame, view, part), part))
    computed = analyses(frame, view)
    ranking = rank_table.section(rank(frame, view)) if ranks else []
    tables = report(computed) if full else list(_short(computed, narrow=console.width < WIDE))
    advice = [] if full else [Paragraph(words) for words in (needed_first(computed), MORE) if words]
    key = [Paragraph(words)] if (words := how_to_read(computed)) else []
    planned = [] if full else [Paragraph(words) for analysis in computed if (words := plan_words(analysis))]
    return partial(print_blocks, console, [Bullets(answer_of(computed)), *key, *planned, *tables, *ranking, *advice])


def print_blocks(console: Console, blocks: Sequence[Block]) -> None:
    """Print the blocks."""
    for block in blocks:
        _block(console, block)


def _short(analyses: Sequence[Analysis], *, narrow: bool) -> Iterator[Block]:
    for analysis in (a for a in analyses if a.shown):
        yield Heading(analysis.section.title)
        seeds = analysis.section.seeds
        dense = captions.dense(analysis)
        first = f"Seeds: {ranges(seeds)} (n = {len(seeds)}).{dense}{seeds_legend(dense)}"
        lines = [first, captions.filters(analysis)]
        yield Paragraph(" ".join(line for line in lines if line))
        if not any(cell.values for cell in analysis.shown):
            yield Paragraph(captions.nothing_finished(analysis))
        if beside := pairs(analysis, narrow=narrow):
            yield beside
        if words := base(analysis):
            yield Paragraph(words)
        if others := _others(analysis):
            yield others
            if legend := captions.legend(analysis, others):
                yield Paragraph(legend)
        if best := scale_table.sentences(analysis):
            yield Bullets(best)
        yield from trained_first.blocks(analysis)
        yield from changing_masks.blocks(analysis)
        yield from budgets.blocks(analysis)
        yield from baselines.blocks(analysis)
        for name in ("controls", "published"):
            if getattr(analysis.view, name):
                yield from PARTS[name].blocks(analysis)
        if said := [line for line in (*exclusions(analysis), *warnings(analysis)) if not line.startswith("No seed is")]:
            yield Bullets(said)


def _others(analysis: Analysis) -> Grid | None:
    """The methods at initialisation that are in no pair, beside the reference, by rate; None if there is none."""
    paired = {label for c in analysis.shown_primary for label in (c.label, c.reference)}
    if not {cell.label for cell in analysis.shown if cell.rated and cell.record.at_initialisation} - paired:
        return None
    grid, metric = accuracy_tables.main(analysis), analysis.view.shown_metric
    assert grid is not None, "methods at initialisation are shown"
    beside = f", beside {analysis.reference}" if analysis.reference in paired else ""
    figure = f"{metric.caption}{f' in {metric.unit}' if metric.unit else ''}"
    words = f"The methods without a pair{beside}, by rate: {figure}, mean ± standard deviation."
    rows = [row for row in grid.rows if row[0] not in paired or row[0] == analysis.reference]
    return replace(grid, caption=words, rows=rows)


def _block(console: Console, block: Block) -> None:
    match block:
        case Heading(text, level):
            console.print(Text(visible(text), style="bold" if level > 1 else "bold underline"))
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
    console.print(Text(_wrapped(text, console.width), style=style))
    console.print()


def _wrapped(text: str, width: int) -> str:
    """The text in lines of at most that many characters; an interval stays on one."""
    whole = INTERVAL.sub(rf"[\1,{NO_BREAK}\2]", visible(text))
    lines = textwrap.wrap(whole, width, break_on_hyphens=False)
    return "\n".join(lines).replace(NO_BREAK, " ")


def _bullets(console: Console, items: Sequence[str]) -> None:
    for item in items:
        console.print(_hanging(item, console.width - 2))
    console.print()


def _hanging(item: str, width: int) -> Table:
    """The item with its further lines below its first word."""
    line = Table.grid(padding=(0, 1))
    line.add_row(Text("•"), Text(_wrapped(item, width)))
    return line
