"""`report`: the whole store as one page: the answer, threats, plots, a part for each section, commands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import pandas as pd

from bench.results.frame.collect import UNREADABLE, Command
from bench.results.frame.errors import NothingToShowError, metric_of
from bench.results.frame.sections import differing
from bench.results.frame.starts import SCRATCH
from bench.results.page.looks import looks
from bench.results.page.said_once import END, said_once
from bench.results.page.section import section
from bench.results.page.threats import conflicting, threats, unfinished, unreadable
from bench.results.plots.plots import METRICS, Histories, plot
from bench.results.plots.widths import COLUMN, PAGE
from bench.results.statistics.analysis import Analysis, analyses
from bench.results.statistics.shown_cells import crowded
from bench.results.statistics.view import View
from bench.results.tables import captions
from bench.results.tables.answer.sentences import answer_of, how_to_read
from bench.results.tables.formats import Block, Bullets, Code, Details, Heading, Paragraph, Picture, github
from bench.results.tables.html_page.page import page
from bench.results.tables.start import largest_rate_table
from bench.results.tables.start.bases import needed_first

# Plot -> its title, and what is to be seen, for who does not see it; the numbers are in the tables.
PLOTS = {
    "difference": (
        "Freeze − prune over the rate",
        "A panel for each criterion: a point for each rate, with its 95 % interval, above 0 if freezing is higher.",
    ),
    "accuracy": (
        "Accuracy over the rate",
        "A line for each method over the rates with its 95 % band; frozen solid, pruned dashed, dense as a level.",
    ),
    "scale": (
        "Accuracy over the scale of the background",
        "A panel for each criterion: a line for each rate over the scales, 0 pruned and 1 frozen, with its 95 % band.",
    ),
    "gradients": (
        "Norm of the live gradient over training",
        "A panel for each rate: a line for each method over the epochs, on a logarithmic axis, with its 95 % band.",
    ),
    "start": (
        "Largest rate within 1 point of dense, from each start",
        "A row for each method: its largest rate from each start with its 95 % interval, and how many times fewer "
        "weights are then trained than from scratch.",
    ),
    "storage": (
        "Accuracy over the bytes stored",
        "A point for each method and rate: its accuracy over the size of its file; a line joins the best of each size.",
    ),
}
HEADLINE = "difference"
STARTS = "start"
FROM_STARTS = "How far can it be pruned from each start"
ONE_PANEL = ("gradients", "storage")  # plots with a line or a cloud of points per method


def report(
    frame: pd.DataFrame,
    view: View,
    histories: Histories,
    commands: Sequence[Command],
    stem: str,
    *,
    widths: Sequence[float] = (PAGE, COLUMN),
) -> list[Block]:
    """The page's blocks.

    Args:    commands: of the store's sweeps, oldest first.
             stem: what the names of plots begin with.
             widths: in inches, of each plot: for the page, and for a phone if there are two.
    Raises: ValueError as `bench.results.parts.whole.render` does.
    """
    every = analyses(frame, view)
    shown = [analysis for analysis in every if analysis.shown]
    curves: list[tuple[str, str]] = []
    noting = _noting(histories, curves)
    started = any(analysis.section.start != SCRATCH for analysis in shown)
    plots = [name for name in PLOTS if started or name != STARTS]
    drawn = {name: _picture(frame, name, _legible(name, shown, view), noting, stem, widths) for name in plots}
    damaged = [*unreadable("trial", frame.attrs.get(UNREADABLE, [])), *unreadable("curve", curves)]
    found = [*damaged, *conflicting(frame), *unfinished(frame, commands), *looks(shown, commands), *threats(shown)]
    varying = differing(analysis.section.fields for analysis in shown)
    sections = [block for analysis in shown for block in section(analysis, varying)]
    said = {sentence for threat in found for sentence in END.split(threat)}
    return [
        *_answer(shown, drawn.pop(HEADLINE)),
        *(_from_starts(shown, drawn.pop(STARTS)) if started else []),
        Heading("Threats to validity of this store"),
        Bullets(found),
        *(Paragraph(words) for words in [needed_first(every)] if words),
        *_figures(drawn.values()),
        *said_once(sections, said),
        Heading("To do it again"),
        *_again(commands),
    ]


def _answer(shown: Sequence[Analysis], headline: Picture | None) -> list[Block]:
    """The answer in words, then drawn, then what a stranger needs to understand both."""
    explained = [text for text in (captions.introduction(shown), how_to_read(shown)) if text]
    return [
        Heading("Freeze or prune?", 1),
        Bullets(answer_of(shown)),
        *([headline] if headline else []),
        Details("What is compared, and how to read the answer", [Paragraph(text) for text in explained]),
    ]


def _from_starts(shown: Sequence[Analysis], picture: Picture | None) -> list[Block]:
    """The largest rates from each start, drawn and as tables: what the starts differ in, protocol by protocol."""
    first = [analysis for analysis in shown if largest_rate_table.is_first(analysis)]
    tables = [(analysis.section.title_of_family, list(largest_rate_table.blocks(analysis))) for analysis in first]
    named = len([blocks for _, blocks in tables if blocks]) > 1
    told = [
        block for title, blocks in tables if blocks for block in ([Heading(title, 3)] if named else []) + blocks
    ]  # fmt: skip
    return [Heading(FROM_STARTS), *told, *([picture] if picture else [])] if told else []


def _figures(drawn: Iterable[Picture | None]) -> list[Block]:
    pictures = [picture for picture in drawn if picture]
    return [Heading("Figures"), *pictures] if pictures else []


def _legible(name: str, shown: Sequence[Analysis], view: View) -> View:
    """The view of a plot: of very many methods, those with a line each show only the reference and its twin."""
    if name not in ONE_PANEL or not any(crowded(analysis.shown) for analysis in shown):
        return view
    both = {label for analysis in shown for label in (analysis.reference, analysis.twin) if label}
    return replace(view, methods=sorted(both))


def _noting(histories: Histories, unreadable: list[tuple[str, str]]) -> Histories:
    """The same histories, read once for both widths, with what they leave out added to `unreadable`."""
    read: dict[tuple[tuple[str, ...], str], pd.DataFrame] = {}

    def noted(runs: Sequence[str], metric: str) -> pd.DataFrame:
        asked = (tuple(runs), metric)
        if asked not in read:
            read[asked] = histories(runs, metric)
            unreadable.extend(read[asked].attrs.get(UNREADABLE, []))
        return read[asked]

    return noted


def _picture(
    frame: pd.DataFrame, name: str, view: View, histories: Histories, stem: str, widths: Sequence[float]
) -> Picture | None:
    """A plot of its own metric in these widths, if the store has what it shows."""
    from bench.results.plots.plot_page import svg

    metric = METRICS[name][0]
    margin = view.margin if metric_of(metric).is_accuracy else None  # one of accuracies is none of another figure
    shown = replace(view, metric=metric, margin=margin, published=False)
    try:
        drawn = [svg(plot(frame, name, shown, histories, width=width)) for width in widths]
    except NothingToShowError:
        return None
    return Picture(*PLOTS[name], f"{stem}-{name}.svg", *drawn)


def _again(commands: Sequence[Command]) -> list[Block]:
    lines = [command.text for command in commands]
    introduction = "The commands of this store, oldest first. Each trains what is missing, and nothing if nothing is."
    return [Paragraph(introduction), Code(lines)] if lines else [Paragraph("The store names no command.")]


FORMATS = {".html": page, ".md": github}
