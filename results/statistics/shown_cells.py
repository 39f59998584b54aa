"""What a plot shows of the store: the sections, the cells of each that the filters leave, and notes on both."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np
import pandas as pd

from bench.messages import counted
from bench.results.frame.collect import DENSE
from bench.results.frame.sections import Section, sections
from bench.results.frame.words import rate_text
from bench.results.statistics import stats
from bench.results.statistics.cells import Cell, cells, compared_rates
from bench.results.statistics.planned import Standing
from bench.results.statistics.view import View, check

CROWD = 12  # methods, dense aside, that one panel can hold


@dataclass(frozen=True, kw_only=True)
class Excerpt:
    """A section and the cells of it that are shown."""

    section: Section
    view: View
    cells: list[Cell]

    @property
    def seeds(self) -> int:
        """How many seeds the section has."""
        return len(self.section.seeds)

    @property
    def drawn(self) -> list[Cell]:
        """The cells that have a value."""
        return [cell for cell in self.cells if cell.values]

    @property
    def rates(self) -> list[Decimal]:
        """The rates at which a method that has rates has a value, rising."""
        return sorted({cell.rate for cell in self.drawn if cell.rated})

    @property
    def dense(self) -> Cell | None:
        """The dense baseline, if it is shown and has a value."""
        return next((cell for cell in self.drawn if cell.background == DENSE), None)

    @property
    def unrated(self) -> list[Cell]:
        """The dense baseline and biases alone, if they are shown and have a value."""
        return [cell for cell in self.drawn if not cell.rated]


def excerpts(frame: pd.DataFrame, view: View) -> list[Excerpt]:
    """The sections of a frame of `collect` of which a cell is shown.

    Raises ValueError for a sweep, method or rate that the store does not have.
    """
    every = sections(frame)
    check(frame, {label for section in every for label in section.frame["label"]}, view)
    every_excerpt = [
        Excerpt(section=section, view=view, cells=[cell for cell in cells(section, view.metric) if view.shows(cell)])
        for section in every
    ]
    return [_without_levels(excerpt) for excerpt in every_excerpt if excerpt.cells]


def _without_levels(excerpt: Excerpt) -> Excerpt:
    """Without the levels of methods that are not at initialisation, at rates that no other method has."""
    rates = compared_rates(excerpt.cells)
    kept = [cell for cell in excerpt.cells if not cell.rated or cell.rate in rates]
    return replace(excerpt, cells=kept)


def crowded(shown: Iterable[Cell]) -> bool:
    """Whether these cells are of more methods than one panel can hold."""
    return len({cell.label for cell in shown if cell.rated}) > CROWD


def interval(cell: Cell) -> stats.Interval:
    """The 95 % t interval of a cell's mean over its seeds; NaN for one seed, or without spread."""
    return stats.t_interval(np.array(list(cell.values.values())))


def over_seeds(shown: Sequence[Excerpt]) -> str:
    """`over n = 5 seeds`, or `over the seeds` if sections have different numbers of them."""
    numbers = {excerpt.seeds for excerpt in shown}
    if len(numbers) > 1:
        return "over the seeds"
    (n,) = numbers
    return f"over n = {counted(n, 'seed')}"


def missing(shown: Sequence[Excerpt]) -> list[str]:
    """A note per section on the cells that have fewer seeds than it: n = 3 of 5: grasp 0.99."""
    notes = []
    for excerpt in shown:
        fewer: dict[int, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        for cell in excerpt.cells:
            if len(cell.values) < excerpt.seeds:
                fewer[len(cell.values)][cell.label].append(f" {rate_text(cell.rate)}" if cell.rated else "")
        clauses = [
            f"n = {n} of {excerpt.seeds}: {'; '.join(label + ','.join(rates) for label, rates in by_label.items())}"
            for n, by_label in sorted(fewer.items())
        ]
        title = f"{excerpt.section.title}: " if len(shown) > 1 else ""
        notes += [title + ". ".join(clauses) + "."] if clauses else []
    return notes


def doubtful(shown: Sequence[Excerpt]) -> list[str]:
    """A note on the cells of which the store has results that disagree; none without one."""
    every = [cell for excerpt in shown for cell in excerpt.cells if cell.conflicting]
    named = [f"{cell.label}{f' {rate_text(cell.rate)}' if cell.rated else ''}" for cell in every]
    return [f"Results in the store disagree: {', '.join(dict.fromkeys(named))}."] if named else []


def disconnected(shown: Sequence[Excerpt]) -> bool:
    """Whether a seed of anything that is drawn is disconnected."""
    return any(cell.disconnected and cell.rated for excerpt in shown for cell in excerpt.drawn)


def seen(frame: pd.DataFrame, view: View, plans: Sequence[Standing], *, from_any_start: bool = False) -> list[Standing]:
    """Those of these plans with a cell of their comparisons among the cells shown.

    Args: frame: all trials of the store. from_any_start: whether what is shown tells the starts apart.
    """
    keys = {key for at in plans for key in at.plan.keys}
    shows = view.shows_from_any_start if from_any_start else view.shows
    shown = {
        cell.group_key
        for section in sections(frame)
        if keys & set(section.frame["group_key"])
        for cell in cells(section, view.metric)
        if shows(cell)
    }
    return [at for at in plans if at.plan.keys & shown]
