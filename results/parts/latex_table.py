"""A part as LaTeX for a paper: a label, a short caption, booktabs and siunitx, and all else as notes below.

A table that fits the column of a two-column article is a `table`; a wider one is a `table*`, and its columns stand in
several rows of columns if they are wider than the page of a one-column article.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.results.parts.columns import Column, chunks, column, keys
from bench.results.parts.latex_words import breakable, network_and_data, slug
from bench.results.parts.paper_grids import GRIDS
from bench.results.parts.parts import PARTS
from bench.results.statistics.analysis import Analysis
from bench.results.tables.formats import Block, Bullets, Grid, Heading, Paragraph
from bench.results.tables.planned.plan_words import plan_words

ONE_COLUMN, PAGE = 229.0, 345.0  # points: \columnwidth of a two-column, \textwidth of a one-column article
NEEDS = r"% needs \usepackage{array,booktabs,siunitx}"
SMALL = 0.88  # letters of 7 points to those of 8
EIGHT, SEVEN = r"\fontsize{8}{9.5}\selectfont", r"\fontsize{7}{8.5}\selectfont"  # whatever the size of the class
SETUP = (
    r"\sisetup{separate-uncertainty=true, retain-explicit-plus=true, retain-zero-uncertainty=true, "
    r"detect-weight=true, group-separator={,}, group-minimum-digits=4}"
)


def document(analyses: Sequence[Analysis], name: str) -> str:
    r"""The tables of a part, for \input."""
    labels: dict[str, int] = {}
    drawn = [drawn for analysis in analyses for drawn in tables(analysis, name, labels, alone=True)]
    if not drawn:
        return "\n\n".join(piece for analysis in analyses for piece in _alone(analysis, name)) + "\n"
    return "\n\n".join([NEEDS, *drawn]) + "\n"


def _alone(analysis: Analysis, name: str) -> Iterator[str]:
    """A part without a table that stands alone: the plan, if its lines are of it, and the part."""
    if PARTS[name].is_look and (words := plan_words(analysis)):
        yield breakable(words)
    yield listed(analysis, name)


def tables(analysis: Analysis, name: str, labels: dict[str, int], *, alone: bool = False) -> Iterator[str]:
    """The tables of a part of a section; `labels` counts those of a document, so that each is another.

    Args: alone: whether nothing else says what is planned, so that the notes must.
    """
    planned = [plan_words(analysis)] if alone and PARTS[name].is_look else []
    for number, (grid, notes) in enumerate(_grids(analysis, name)):
        label = f"tab:{slug(f'{analysis.section.dataset} {analysis.section.model}')}-{name}"
        labels[label] = labels.get(label, 0) + 1
        suffix = f"-{labels[label]}" if labels[label] > 1 else ""
        title = _title(analysis, name) if number == 0 else f"{_title(analysis, name)} (continued)"
        yield table(grid, [*notes, *planned], title, f"{label}{suffix}")


def listed(analysis: Analysis, name: str) -> str:
    """A part without a table, under its title."""
    lines = list(_until_next(list(PARTS[name].blocks(analysis))))
    items = [f"\\item {breakable(line)}" for line in lines]
    return "\n".join(
        [r"{\raggedright", breakable(_title(analysis, name)), r"\begin{itemize}", *items, r"\end{itemize}}"]
    )


def _title(analysis: Analysis, name: str) -> str:
    """The caption: the part, the figure if it is of one, network and data."""
    part, metric = PARTS[name], analysis.view.shown_metric
    words = f"{metric.caption[:1].lower()}{metric.caption[1:]}{f' in {metric.unit}' if metric.unit else ''}, "
    figure = words if part.of_metric else ""
    return f"{part.title}: {figure}{about(analysis, across_starts=part.across_starts)}."


def about(analysis: Analysis, *, across_starts: bool = False) -> str:
    """Network and data, and what tells the section from others of both."""
    section = analysis.section
    differing = [words for field, words in section.differences.items() if field != "tuning"]
    shows_start = section.shows_start and not across_starts
    differs = "; ".join([*([section.start] if shows_start else []), *differing])
    return f"{network_and_data(analysis)}{f' ({differs})' if differs else ''}"


def _grids(analysis: Analysis, name: str) -> Iterator[tuple[Grid, list[str]]]:
    """The tables of a part, each with the notes that follow it."""
    blocks = list((GRIDS.get(name) or PARTS[name].blocks)(analysis))
    for i, block in enumerate(blocks):
        if isinstance(block, Grid):
            yield block, [block.caption.removeprefix(f"{PARTS[name].title}. "), *_until_next(blocks[i + 1 :])]


def _until_next(blocks: Sequence[Block]) -> Iterator[str]:
    for block in blocks:
        match block:
            case Paragraph(text) | Heading(text, _):
                yield text
            case Bullets(items):
                yield from items
            case _:
                return


def table(grid: Grid, notes: Sequence[str], title: str, label: str) -> str:
    """A floating table: caption, label, and the notes below."""
    columns = _columns(grid)
    width = sum(c.width for c in columns)
    floating = "table*" if SMALL * width > ONE_COLUMN else "table"
    small = width > (ONE_COLUMN if floating == "table" else PAGE)
    chosen = chunks([c.width for c in columns], PAGE / SMALL, keys=keys(grid.headers))
    lines = [
        f"\\begin{{{floating}}}[tbp]",
        rf"\centering{SEVEN if small else EIGHT}\setlength{{\tabcolsep}}{{2.5pt}}",
        r"\setlength{\belowcaptionskip}{4pt}",
        SETUP,
        f"\\caption{{{breakable(title)}}}",
        f"\\label{{{label}}}",
        "\n\\par\\medskip\n".join(_tabular([columns[i] for i in chunk]) for chunk in chosen),
        *_notes(notes),
        f"\\end{{{floating}}}",
    ]
    return "\n".join(lines)


def _columns(grid: Grid) -> list[Column]:
    return [column(header, [row[i] for row in grid.rows], first=i == 0) for i, header in enumerate(grid.headers)]


def _tabular(columns: Sequence[Column]) -> str:
    rows = zip(*(c.entries for c in columns), strict=True)
    specification = " ".join(c.specification for c in columns)
    return "\n".join([
        f"\\begin{{tabular}}{{@{{}}{specification}@{{}}}}",
        r"\toprule",
        f"{' & '.join(c.header for c in columns)} \\\\",
        r"\midrule",
        *(f"{' & '.join(row)} \\\\" for row in rows),
        r"\bottomrule",
        r"\end{tabular}",
    ])  # fmt: skip


def _notes(notes: Sequence[str]) -> list[str]:
    text = " ".join(breakable(note) for note in notes if note)
    if not text:
        return []
    return [
        r"\par\smallskip",
        r"\begin{minipage}{\linewidth}\fontsize{7}{8.5}\selectfont\raggedright",
        text,
        r"\end{minipage}",
    ]
