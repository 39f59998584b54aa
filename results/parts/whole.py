"""`render`: from the tidy frame to the whole table, in five formats; as LaTeX it is the parts, one after another."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd

from bench.results.frame.errors import unknown
from bench.results.parts import latex_whole
from bench.results.parts.part_page import displayed
from bench.results.statistics.analysis import Analysis, analyses
from bench.results.statistics.ranks import Ranking, rank
from bench.results.statistics.view import View
from bench.results.tables import export, formats, rank_table
from bench.results.tables.formats import Block
from bench.results.tables.html_page.page import page
from bench.results.tables.section_page import report

FORMATS: dict[str, Callable[[Sequence[Analysis], Ranking | None], str]] = {
    "github": lambda analyses, ranking: formats.github(_whole(analyses, ranking)),
    "latex": lambda analyses, ranking: latex_whole.document(analyses, ranking),
    "csv": lambda analyses, _: export.csv(analyses),
    "html": lambda analyses, ranking: page(_whole(analyses, ranking)),
    "json": lambda analyses, ranking: export.as_json(analyses, rank_table.record(ranking) if ranking else None),
}


def _whole(analyses: Sequence[Analysis], ranking: Ranking | None) -> list[Block]:
    return [*report(analyses), *(rank_table.section(ranking) if ranking else [])]


def render(frame: pd.DataFrame, view: View, *, format: str = "github", ranks: bool = False) -> str:
    """The report on a frame of `collect`: a section per data set, model and protocol. Depends on nothing but these.

    Args:    format: a name of FORMATS.
             ranks: whether to rank the methods shown over all data sets, networks and rates; not with format "csv".
    Raises:  ValueError naming the value and what it must be, for a choice that the store does not have.
    """
    if format not in FORMATS:
        raise unknown("format", format, FORMATS)
    if ranks and format == "csv":
        others = ", ".join(name for name in FORMATS if name != format)
        raise ValueError(f"format csv with ranks: must be one of {others}; they are no record of a cell")
    if format == "latex":
        frame, view = displayed(frame, view)
    return FORMATS[format](analyses(frame, view), rank(frame, view) if ranks else None)
