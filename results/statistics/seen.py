"""Which plans are looked at: those of which a trial is among what is shown."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from bench.results.frame.sections import sections
from bench.results.statistics.cells import cells
from bench.results.statistics.planned import Standing
from bench.results.statistics.view import View


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
