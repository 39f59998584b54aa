"""The trials that others start from or need, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from itertools import groupby

from bench import names
from bench.messages import counted
from bench.results.frame.collect import DENSE
from bench.results.frame.words import rates_text
from bench.results.statistics import stats
from bench.results.statistics.analysis import Analysis
from bench.results.statistics.cells import Cell
from bench.results.statistics.view import View


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
    doubtful = _doubtful(int((analysis.section.bases["conflict"] != "").sum()))
    figure = f", {_figure(analysis, known)}{doubtful}" if known else "; their figures are not in this store"
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
    hidden = [(analysis, cells) for analysis in analyses if (cells := _hidden(analysis))]
    said = [f"{words} ({analysis.section.title})" for analysis, cells in hidden for words in _trials(analysis, cells)]
    if not said:
        return ""
    needs = _needs(analyses[0].view)
    sweeps = {sweep for _, cells in hidden for cell in cells for sweep in cell.sweeps if not needs or sweep in needs}
    options = " or ".join(f"--name {sweep}" for sweep in sorted(sweeps))
    return f"Needed first, and in no table or family here: {'; '.join(said)}. {options} shows them."


def _hidden(analysis: Analysis) -> list[Cell]:
    """The cells that only others need, if none of them is shown; of the sweeps shown alone if these are chosen."""
    if not analysis.section.needed or analysis.shown:
        return []
    needs = _needs(analysis.view)
    return [cell for cell in analysis.cells if not needs or cell.sweeps & needs]


def _needs(view: View) -> set[str]:
    """The sweeps of what the sweeps shown need."""
    return {f"{sweep}{names.NEEDS}" for sweep in view.sweeps}


def _trials(analysis: Analysis, cells: Sequence[Cell]) -> list[str]:
    """10 dense trials, 97.90 ± 0.10 %; 30 trials of lth at 0.2, 0.36, 0.488; each with how many of them diverged."""
    every = [(label, list(of_label)) for label, of_label in groupby(cells, key=lambda cell: cell.label)]
    return [f"{_counted(analysis, label, of_label)}{_lost(of_label)}" for label, of_label in every]


def _counted(analysis: Analysis, label: str, cells: Sequence[Cell]) -> str:
    number = sum(len(cell.values) + len(cell.lost) for cell in cells)
    if label != DENSE:
        rates: set[Decimal] = {cell.rate for cell in cells}
        return f"{counted(number, 'trial')} of {label} at {', '.join(rates_text(rates))}"
    values = [value for cell in cells for value in cell.values.values()]
    return f"{counted(number, 'dense trial')}{f', {_figure(analysis, values)}' if values else ''}"


def _lost(cells: Sequence[Cell]) -> str:
    """2 diverged, 1 failed, behind a comma"""
    outcomes = Counter(outcome for cell in cells for outcome, _ in cell.lost.values())
    lost = "".join(f", {number} {outcome}" for outcome, number in sorted(outcomes.items()))
    return f"{lost}{_doubtful(sum(len(cell.conflicting) for cell in cells))}"


def _doubtful(number: int) -> str:
    return f", {number} whose results in the store disagree" if number else ""
