"""`study`: the whole store as one page: the question, the answer, tables, figures, controls, threats, commands."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from bench.results.frame.collect import Command
from bench.results.frame.sections import differing
from bench.results.page.threats import threats, unfinished
from bench.results.plots.plots import Histories, plot
from bench.results.statistics.analysis import Analysis, View, analyses
from bench.results.statistics.shown_cells import crowded
from bench.results.tables import formats, section_page
from bench.results.tables.formats import Block, Bullets, Code, Heading, Paragraph, Picture
from bench.results.tables.freeze_vs_prune import Question, answer, matrix, table, variants
from bench.results.tables.protocol import protocol

FIGURES = {
    "difference": "Freeze − prune over the rate, by criterion",
    "accuracy": "Accuracy over the rate, with 95 % confidence bands",
    "gradients": "Norm of the live gradient over training",
    "storage": "Accuracy over the bytes stored",
}
ONE_PANEL = ("gradients", "storage")  # figures with a line or a cloud of points per method


def study(
    frame: pd.DataFrame,
    view: View,
    histories: Histories,
    commands: Sequence[Command],
    stem: str,
) -> list[Block]:
    """The page's blocks. `commands`: of the store's sweeps, oldest first; `stem`: what the names of figures begin with.

    Raises: ValueError as `bench.results.tables.tables.render` does.
    """
    shown = [a for a in analyses(frame, view) if a.shown]
    questions = [Question(a) for a in shown]
    blocks = section_page.report(shown)
    introduction, rest = blocks[:2], blocks[2:]
    drawn = [_picture(frame, kind, _legible(kind, shown, view), histories, stem) for kind in FIGURES]
    return [
        *introduction,
        *_answers(questions),
        Heading("Threats to validity of this store"),
        Bullets([*unfinished(frame, commands), *threats(questions)]),
        Heading("Figures"),
        *(block for block in drawn if block),
        *rest,
        Heading("To do it again"),
        *_again(commands),
    ]


def _answers(questions: Sequence[Question]) -> list[Block]:
    """What each section answers, in reading order."""
    blocks: list[Block] = [Heading("The answer of this store")]
    varying = differing(q.analysis.section.fields for q in questions)
    for q in questions:
        blocks += [Heading(q.analysis.section.title, 3), Bullets(answer(q))]
        blocks.append(Paragraph(protocol(q.analysis.section.fields, varying)))
        blocks += [grid for grid in (matrix(q), table(q), variants(q)) if grid]
    return blocks


def _legible(kind: str, shown: Sequence[Analysis], view: View) -> View:
    """The view of a figure: of very many methods, those with a line each show the reference and its twin alone."""
    if kind not in ONE_PANEL or not any(crowded(a.shown) for a in shown):
        return view
    return replace(view, methods=sorted({label for a in shown for label in (a.reference, a.twin) if label}))


def _picture(frame: pd.DataFrame, kind: str, view: View, histories: Histories, stem: str) -> Picture | None:
    """A figure, where the store has what it shows."""
    from bench.results.plots.plot_page import written

    try:
        figure = plot(
            frame, kind, histories, names=view.names, methods=view.methods, rates=view.rates, classes=view.classes
        )
    except ValueError:  # nothing to show
        return None
    stream = io.BytesIO()
    written(figure, stream)
    return Picture(FIGURES[kind], f"{stem}-{kind}.svg", stream.getvalue())


def _again(commands: Sequence[Command]) -> list[Block]:
    told = "The commands of this store, oldest first. Each trains what is missing, and nothing where nothing is."
    lines = [command.text for command in commands]
    return [Paragraph(told), Code(lines)] if lines else [Paragraph("The store names no command.")]


FORMATS = {".html": formats.page, ".md": formats.github}
