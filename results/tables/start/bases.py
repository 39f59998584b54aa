"""The trials that others start from or need, in words."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import groupby

from bench.messages import counted
from bench.results.frame.collect import DENSE
from bench.results.frame.words import rates_text
from bench.results.statistics import stats
from bench.results.statistics.analysis import Analysis
from bench.results.statistics.cells import Cell


def base(analysis: Analysis) -> str:
    """What the networks of a section start from, and what its conclusions hang on; "" of one that starts from scratch.

    The figure is the base's own, on its own data.
    """
    start = analysis.section.fields.get("start")
    if not start:
        return ""
    if "weights" in start:
        return f"Start: {analysis.section.start}, one file for all seeds: what is concluded holds for these weights."
    known = analysis.section.bases[analysis.view.metric].dropna().tolist()
    figure = f", {_figure(analysis, known)}" if known else "; their figures are not in this store"
    trials = f"dense on {start['dataset']}{figure}"
    if start["seed"] == "own":
        return f"Start: {analysis.section.start}; each seed has a base of its own, trained {trials}."
    return (
        f"Start: {analysis.section.start}, trained {trials}. All seeds start from this one base: what is concluded "
        "holds for it, and the seeds do not tell how another base would do."
    )


def _figure(analysis: Analysis, values: Sequence[float]) -> str:
    """97.90 ± 0.10 %; of one value without the spread."""
    metric, s = analysis.view.shown_metric, stats.summary(values)
    spread = f" ± {metric.number(s.sd)}" if s.n > 1 else ""
    return f"{metric.number(s.mean)}{spread}{f' {metric.unit}' if metric.unit else ''}"


def unshown(analyses: Sequence[Analysis]) -> list[Analysis]:
    """What was trained only as others need it, and is in no table."""
    return [analysis for analysis in analyses if analysis.section.needed and not analysis.shown]


def needed_first(analyses: Sequence[Analysis]) -> str:
    """What is in no table because it was trained only as others need it; "" if there is nothing, or it is shown."""
    hidden = unshown(analyses)
    said = [f"{words} ({analysis.section.title})" for analysis in hidden for words in _trials(analysis)]
    if not said:
        return ""
    sweeps = sorted({sweep for analysis in hidden for cell in analysis.cells for sweep in cell.sweeps})
    return (
        f"Needed first, and in no table or family here: {'; '.join(said)}. "
        f"The option name with {' or '.join(sweeps)} shows them."
    )


def _trials(analysis: Analysis) -> list[str]:
    """10 dense trials, 97.90 ± 0.10 %; 30 trials of lth at 0.2, 0.36, 0.488"""
    cells = [cell for cell in analysis.cells if cell.values]
    lines = []
    for label, of_label in groupby(cells, key=lambda cell: cell.label):
        group = list(of_label)
        number = sum(len(cell.values) for cell in group)
        lines.append(_dense(analysis, group[0]) if label == DENSE else f"{_counted(number, label, group)}")
    return lines


def _dense(analysis: Analysis, cell: Cell) -> str:
    return f"{counted(len(cell.values), 'dense trial')}, {_figure(analysis, list(cell.values.values()))}"


def _counted(number: int, label: str, cells: Sequence[Cell]) -> str:
    rates: set[Decimal] = {cell.rate for cell in cells}
    return f"{counted(number, 'trial')} of {label} at {', '.join(rates_text(rates))}"
