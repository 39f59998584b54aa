"""A table of text as rich tables that fit a width: columns that find no room beside the others stand in a table below.

No number is ever broken; words are, if a column of words is wider than what is left for it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from rich.cells import cell_len
from rich.table import Table, box
from rich.text import Text

from bench.results.parts.columns import chunks
from bench.results.tables.formats import Bold, Entry, Grid

GAP = 2  # blanks between two columns
SHORT = 12  # so many characters are left to a column of words
HAS_DIGIT = re.compile(r"\d")


def tables(grid: Grid, width: int) -> list[Table]:
    """The table, or several below one another, each with the first column, none wider than `width` if that can be."""
    columns = [[_plain(row[i]) for row in grid.rows] for i in range(len(grid.headers))]
    least = [_least(header, entries) for header, entries in zip(grid.headers, columns, strict=True)]
    return [_table(grid, chosen) for chosen in chunks(least, width, GAP)]


def _least(header: str, entries: Sequence[str]) -> int:
    """The width that a column needs: numbers stay on one line, words may be broken."""
    words = max((cell_len(word) for text in (header, *entries) for word in text.split()), default=0)
    if is_number(entries):
        return max(words, *(cell_len(entry) for entry in entries))
    return max(min(SHORT, max((cell_len(entry) for entry in entries), default=0)), words)


def is_number(entries: Sequence[str]) -> bool:
    """Whether the entries of a column are numbers: most begin with a digit or a sign."""
    starts = [entry for entry in entries if re.match(r"[+−×<\[–]? ?\d|–$", entry)]
    return bool(starts) and 2 * len(starts) > len(entries)


def _table(grid: Grid, chosen: Sequence[int]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    for i in chosen:
        number = i > 0 and is_number([_plain(row[i]) for row in grid.rows])
        table.add_column(Text(grid.headers[i]), no_wrap=number, justify="left", overflow="fold")
    for row in grid.rows:
        table.add_row(*(_drawn(row[i]) for i in chosen))
    return table


def _plain(entry: Entry) -> str:
    return f"{entry.text}{entry.after}" if isinstance(entry, Bold) else entry


def _drawn(entry: Entry) -> Text:
    """The entry as it stands: nothing in it is markup."""
    return Text.assemble((entry.text, "bold"), entry.after) if isinstance(entry, Bold) else Text(entry)
