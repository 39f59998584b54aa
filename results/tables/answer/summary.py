"""What a notebook shows of a comparison: the answer, and the table of the pairs below it."""

from __future__ import annotations

import pandas as pd

from bench.results.statistics.analysis import analyses
from bench.results.statistics.view import View
from bench.results.tables.answer.pairs import pairs
from bench.results.tables.answer.sentences import answer_of
from bench.results.tables.formats import Block, Bullets


def summary(frame: pd.DataFrame, view: View) -> list[Block]:
    """The answer and the pairs of each section shown. Raises ValueError for a choice that the store does not have."""
    every = analyses(frame, view)
    return [Bullets(answer_of(every)), *(grid for analysis in every if analysis.shown and (grid := pairs(analysis)))]
