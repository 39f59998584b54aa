"""The whole table as LaTeX: of each section how it was trained, then its parts as a paper has them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from bench.results.frame.sections import differing
from bench.results.parts import latex_table
from bench.results.parts.latex_words import breakable
from bench.results.statistics.analysis import Analysis
from bench.results.statistics.ranks import Ranking
from bench.results.tables import captions, rank_table
from bench.results.tables.formats import Bullets, Grid, Paragraph
from bench.results.tables.section_page import training
from bench.results.tables.start.bases import needed_first

# The parts in reading order: those of a section of the report.
SHOWN = (
    "accuracy", "difference", "scale", "reference", "trained-first", "changing-masks", "budgets", "baselines",
    "dense", "controls", "published", "collapse", "storage", "compute", "tuned",
)  # fmt: skip


def document(analyses: Sequence[Analysis], ranking: Ranking | None) -> str:
    r"""All tables, for \input: under each data set, network and protocol its own."""
    shown = [analysis for analysis in analyses if analysis.shown]
    varying = differing(analysis.section.fields for analysis in shown)
    labels: dict[str, int] = {}
    pieces = [latex_table.NEEDS, _prose(captions.introduction(shown))]
    pieces += [_prose(words) for words in [needed_first(analyses)] if words]
    pieces += [piece for analysis in shown for piece in _section(analysis, varying, labels)] or ["No trial to show."]
    return "\n\n".join([*pieces, *(_ranks(ranking) if ranking else [])]) + "\n"


def _section(analysis: Analysis, varying: Collection[str], labels: dict[str, int]) -> Iterator[str]:
    """A section: its heading, how it was trained, its tables, what they leave out."""
    yield f"\\subsection*{{\\raggedright {breakable(latex_table.about(analysis))}}}"
    yield from (_prose(block.text) for block in training(analysis, varying))
    if any(cell.values for cell in analysis.shown):
        yield from (table for name in _asked(analysis) for table in latex_table.tables(analysis, name, labels))
    else:
        yield _prose(captions.nothing_finished(analysis))
    yield latex_table.listed(analysis, "warnings")
    yield r"\clearpage"  # LaTeX holds so many tables back, and no more


def _prose(text: str) -> str:
    """Running text; spaces are stretched before a long name reaches beyond the line."""
    return f"{{\\sloppy {breakable(text)}\\par}}"


def _asked(analysis: Analysis) -> list[str]:
    """The parts shown: controls and published figures if they are asked for."""
    hidden = {name for name in ("controls", "published") if not getattr(analysis.view, name)}
    return [name for name in SHOWN if name not in hidden]


def _ranks(ranking: Ranking) -> Iterator[str]:
    title = "Mean ranks across data sets, networks and rates."
    notes: list[str] = []
    for block in rank_table.section(ranking):
        match block:
            case Grid() as grid:
                notes.append(grid.caption)
            case Paragraph(text):
                notes.append(text)
            case Bullets(items):
                notes.extend(items)
    yield latex_table.table(grid, notes, title, "tab:ranks")
