"""`report`: the whole store as one page: the question, the answer, tables, plots, controls, threats, commands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from bench.results.frame.collect import UNREADABLE, Command
from bench.results.frame.errors import NothingToShowError
from bench.results.frame.sections import differing
from bench.results.page.threats import threats, unfinished, unreadable
from bench.results.plots.plots import METRICS, Histories, plot
from bench.results.statistics.analysis import Analysis, View, analyses
from bench.results.statistics.shown_cells import crowded
from bench.results.tables import formats, freeze_vs_prune, section_page
from bench.results.tables.formats import Block, Bullets, Code, Heading, Paragraph, Picture
from bench.results.tables.html_page.page import page
from bench.results.tables.protocol import protocol

PLOTS = {
    "difference": "Freeze − prune over the rate, by criterion",
    "accuracy": "Accuracy over the rate, with 95 % confidence bands",
    "gradients": "Norm of the live gradient over training",
    "storage": "Accuracy over the bytes stored",
}
ONE_PANEL = ("gradients", "storage")  # plots with a line or a cloud of points per method


def report(
    frame: pd.DataFrame,
    view: View,
    histories: Histories,
    commands: Sequence[Command],
    stem: str,
) -> list[Block]:
    """The page's blocks. `commands`: of the store's sweeps, oldest first; `stem`: what the names of plots begin with.

    Raises: ValueError as `bench.results.tables.tables.render` does.
    """
    shown = [analysis for analysis in analyses(frame, view) if analysis.shown]
    blocks = section_page.report(shown, answered=True)
    introduction, rest = blocks[:2], blocks[2:]
    curves: list[tuple[str, str]] = []
    drawn = [_picture(frame, name, _legible(name, shown, view), _noting(histories, curves), stem) for name in PLOTS]
    trials = frame.attrs.get(UNREADABLE, [])
    damaged = [*unreadable("trial", trials), *unreadable("curve", curves)]
    return [
        *introduction,
        *_answers(shown),
        Heading("Threats to validity of this store"),
        Bullets([*damaged, *unfinished(frame, commands), *threats(shown)]),
        Heading("Figures"),
        *(block for block in drawn if block),
        *rest,
        Heading("To do it again"),
        *_again(commands),
    ]


def _answers(shown: Sequence[Analysis]) -> list[Block]:
    """What each section answers, in reading order."""
    blocks: list[Block] = [Heading("The answer of this store")]
    varying = differing(analysis.section.fields for analysis in shown)
    for analysis in shown:
        blocks += [Heading(analysis.section.title, 3), Bullets(freeze_vs_prune.answer(analysis))]
        blocks.append(Paragraph(protocol(analysis.section.fields, varying)))
        blocks += freeze_vs_prune.blocks(analysis)
    return blocks


def _legible(name: str, shown: Sequence[Analysis], view: View) -> View:
    """The view of a plot: of very many methods, those with a line each show only the reference and its twin."""
    if name not in ONE_PANEL or not any(crowded(analysis.shown) for analysis in shown):
        return view
    both = {label for analysis in shown for label in (analysis.reference, analysis.twin) if label}
    return replace(view, methods=sorted(both))


def _noting(histories: Histories, unreadable: list[tuple[str, str]]) -> Histories:
    """The same histories, with what they leave out added to `unreadable`."""

    def noted(runs: Sequence[str], metric: str) -> pd.DataFrame:
        points = histories(runs, metric)
        unreadable.extend(points.attrs.get(UNREADABLE, []))
        return points

    return noted


def _picture(frame: pd.DataFrame, name: str, view: View, histories: Histories, stem: str) -> Picture | None:
    """A plot of its own metric, if the store has what it shows."""
    try:
        figure = plot(frame, name, replace(view, metric=METRICS[name][0], published=False), histories)
    except NothingToShowError:
        return None
    from bench.results.plots.plot_page import svg

    return Picture(PLOTS[name], f"{stem}-{name}.svg", svg(figure))


def _again(commands: Sequence[Command]) -> list[Block]:
    lines = [command.text for command in commands]
    introduction = "The commands of this store, oldest first. Each trains what is missing, and nothing if nothing is."
    return [Paragraph(introduction), Code(lines)] if lines else [Paragraph("The store names no command.")]


FORMATS = {".html": page, ".md": formats.github}
