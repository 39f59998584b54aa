"""A table of text as rich tables that fit a width: columns that find no room beside the others stand in a table below.

No number is ever broken; words are, if a column of words is wider than what is left for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from rich import box
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from bench.messages import visible
from bench.results.parts.columns import chunks, keys
from bench.results.tables.formats import Bold, Entry, Grid

GAP = 2  # blanks between two columns
SHORT = 12  # so many characters are left to a column of words
HAS_DIGIT = re.compile(r"\d")


def tables(grid: Grid, width: int) -> list[Table]:
    """The table, or several below one another, each with the first column, none wider than `width` if that can be."""
    columns = [[_plain(row[i]) for row in grid.rows] for i in range(len(grid.headers))]
    least = [_least(header, entries) for header, entries in zip(grid.headers, columns, strict=True)]
    whole = [max(map(cell_len, (header, *e))) for header, e in zip(grid.headers, columns, strict=True)]
    return [
        _table(grid, _widths(chosen, least, whole, width))
        for chosen in chunks(least, width, keys=keys(grid.headers), gap=GAP)
    ]


def _widths(chosen: Sequence[int], least: Sequence[int], whole: Sequence[int], width: int) -> dict[int, int]:
    """Column -> its width: what it needs, and more as long as there is room, up to its longest line."""
    spare = width - sum(least[i] for i in chosen) - GAP * (len(chosen) - 1)
    widths = {}
    for i in chosen:
        more = max(0, min(spare, whole[i] - least[i]))
        widths[i], spare = least[i] + more, spare - more
    return widths


def _least(header: str, entries: Sequence[str]) -> int:
    """The width that a column needs: its numbers and the words of its header stay whole, other words may be broken."""
    words = max((cell_len(word) for word in header.split()), default=0)
    longest = max(map(cell_len, entries), default=0)
    return max(words, longest if is_number(entries) else min(SHORT, longest))


def is_number(entries: Sequence[str]) -> bool:
    """Whether the entries of a column are numbers: most begin with a digit or a sign."""
    starts = [entry for entry in entries if re.match(r"[+−×<\[–]? ?\d|–$", entry)]
    return bool(starts) and 2 * len(starts) > len(entries)


def _table(grid: Grid, widths: Mapping[int, int]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    for i, width in widths.items():
        table.add_column(Text(visible(grid.headers[i])), width=width, overflow="fold")
    for row in grid.rows:
        table.add_row(*(_drawn(row[i]) for i in widths))
    return table


def _plain(entry: Entry) -> str:
    return visible(f"{entry.text}{entry.after}" if isinstance(entry, Bold) else entry)


def _drawn(entry: Entry) -> Text:
    """The entry as it stands: nothing in it is markup."""
    if isinstance(entry, Bold):
        return Text.assemble((visible(entry.text), "bold"), visible(entry.after))
    return Text(visible(entry))
