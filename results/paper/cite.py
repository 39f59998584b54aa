"""`report --cite`: a paragraph on the methods of a store, and the BibTeX of all that it cites and of nothing else."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from bench.results.paper.paragraph import paragraph
from bench.results.paper.references import REFERENCES
from bench.results.parts.latex_words import escaped
from bench.results.statistics.analysis import analyses
from bench.results.statistics.view import View


def citation(frame: pd.DataFrame, view: View) -> str:
    r"""The paragraph as LaTeX with \cite, and the entries in the order in which it cites them.

    Raises: ValueError for a choice that the store does not have.
    """
    keys: dict[str, None] = {}

    def cite(text: str, of: Iterable[str]) -> str:
        cited = list(of)
        keys.update(dict.fromkeys(cited))
        return f"{escaped(text)}~\\cite{{{','.join(cited)}}}" if cited else escaped(text)

    shown = [analysis for analysis in analyses(frame, view) if analysis.shown]
    words = paragraph(shown, cite) if shown else "No trial is in the store."
    entries = [REFERENCES[key].bibtex(key) for key in keys]
    return "\n\n".join([words, *entries]) + "\n"
