"""One part of every section, in each format. LaTeX is for a paper: names, a label, a short caption, notes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pandas as pd

from bench.results.frame.display_names import method_name
from bench.results.frame.errors import NothingToShowError, unknown
from bench.results.parts import latex_table, records
from bench.results.parts.parts import PARTS
from bench.results.statistics.analysis import Analysis, analyses
from bench.results.statistics.view import View
from bench.results.tables import formats
from bench.results.tables.formats import Block, Heading, Paragraph
from bench.results.tables.html_page.page import page
from bench.results.tables.planned.plan_words import plan_words

FORMATS: dict[str, Callable[[Sequence[Analysis], str], str]] = {
    "github": lambda analyses, name: formats.github(blocks(analyses, name)),
    "latex": lambda analyses, name: latex_table.document(analyses, name),
    "csv": lambda analyses, name: records.csv(analyses, PARTS[name]),
    "html": lambda analyses, name: page(blocks(analyses, name)),
    "json": lambda analyses, name: records.as_json(analyses, PARTS[name], name),
}


def render(frame: pd.DataFrame, view: View, name: str, *, format: str = "github") -> str:
    """One part of the report on a frame of `collect`.

    Args:    name: of PARTS. format: of FORMATS.
    Raises:  ValueError for a choice that the store does not have, or a part that no section shown has.
    """
    if format == "latex":
        frame, view = displayed(frame, view)
    return FORMATS[format](part_of(frame, view, name), name)


def displayed(frame: pd.DataFrame, view: View) -> tuple[pd.DataFrame, View]:
    """The same with the methods' display names, in every table and sentence."""
    named = frame.assign(method=frame["method"].map(method_name))
    methods = [method_name(method) for method in view.methods]
    return named, replace(view, reference=method_name(view.reference), methods=methods)


def part_of(frame: pd.DataFrame, view: View, name: str) -> list[Analysis]:
    """The sections that have the part. Raises ValueError if none has, or there is no such part."""
    if name not in PARTS:
        raise unknown("part", name, PARTS)
    having = [analysis for analysis in analyses(frame, view) if analysis.shown and any(PARTS[name].blocks(analysis))]
    if not having:
        raise NothingToShowError(f"part {name}: nothing that is shown of the store has it")
    return having


def blocks(analyses: Sequence[Analysis], name: str) -> list[Block]:
    """The part's blocks, each section under its title."""
    return [
        block
        for analysis in analyses
        for block in (Heading(heading(analysis, name)), *planned(analysis, name), *PARTS[name].blocks(analysis))
    ]  # fmt: skip


def planned(analysis: Analysis, name: str) -> list[Block]:
    """What a part that shows how trials ended says of the plan, if there is one."""
    words = plan_words(analysis) if PARTS[name].is_look else ""
    return [Paragraph(words)] if words else []


def heading(analysis: Analysis, name: str) -> str:
    """The title of a section, without the start if the part is of all of them."""
    section = analysis.section
    return section.title_of_family if PARTS[name].across_starts else section.title
