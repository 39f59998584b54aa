"""What a notebook shows of a comparison: the answer, and the table of the pairs below it."""

from __future__ import annotations

import pandas as pd

from bench.results.statistics.analysis import analyses
from bench.results.statistics.view import View
from bench.results.tables.answer.pairs import pairs
from bench.results.tables.answer.sentences import answer_of
from bench.results.tables.formats import Block, Bullets, Paragraph
from bench.results.tables.planned.plan_words import plan_words


def summary(frame: pd.DataFrame, view: View) -> list[Block]:
    """The answer and the pairs of each section shown. Raises ValueError for a choice that the store does not have."""
    every = analyses(frame, view)
    planned = [Paragraph(words) for analysis in every if analysis.shown and (words := plan_words(analysis))]
    return [
        Bullets(answer_of(every)),
        *planned,
        *(grid for analysis in every if analysis.shown and (grid := pairs(analysis))),
    ]
