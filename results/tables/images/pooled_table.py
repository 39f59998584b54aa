"""Freeze − prune pooled over criteria: the table, and its records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bench.messages import counted
from bench.metrics import NONE
from bench.results.frame.words import rate_text
from bench.results.statistics.analysis import Analysis
from bench.results.statistics.comparisons import Comparison
from bench.results.statistics.pooled import Pooled, pooled
from bench.results.statistics.stats import Interval
from bench.results.tables import captions
from bench.results.tables.columns import doubt_marks, interval_text
from bench.results.tables.formats import Grid
from bench.results.tables.images import two_way_words


def shown(analysis: Analysis) -> list[Pooled]:
    """Those of the rates shown; none unless one has an interval over seeds and test images."""
    rates = {c.rate for c in analysis.shown_primary}
    every = [p for p in pooled(analysis.primary.comparisons, analysis.by_key) if p.rate in rates]
    return every if any(two_way_words.exists(p.two_way) for p in every) else []


def table(analysis: Analysis) -> Grid | None:
    """Rate × what the mean over the criteria is; None as for `shown`."""
    if not (every := shown(analysis)):
        return None
    both = two_way_words.HEADER
    lacking = "" if all(two_way_words.exists(p.two_way) for p in every) else f"; {NONE}: {two_way_words.LACKING}"
    caption = (
        "Freeze − prune pooled: mean over the criteria of the section, whatever is shown, seed by seed and image by "
        "image, over the seeds that all of these have, without those that share no seed with the others; 95 % t "
        "interval over seeds, on these very images. "
        f"{both}: {two_way_words.WHAT}{lacking}. No test: the criteria are no sample of others. The marks of doubt are "
        "those of any of them."
    )
    title = f"Freeze − prune pooled over criteria{captions.steps(analysis)}"
    rows = [_row(analysis, p) for p in every]
    return Grid(caption, ["rate", "criteria", "seeds", "difference", both], rows, title)


def _row(analysis: Analysis, p: Pooled) -> list[str]:
    number = analysis.view.shown_metric.difference
    marks = "".join(dict.fromkeys("".join(doubt_marks(analysis, c) for c in p.pairs)))
    difference = f"{number(p.difference)} {interval_text(analysis, p.interval)} {marks}" if p.seeds else NONE
    criteria = f"{counted(len(p.pairs), 'pair')}{': ' if p.pairs else ''}{', '.join(_names(p.pairs))}"
    criteria += f"; left out: {', '.join(_names(p.left_out))}" if p.left_out else ""
    both = interval_text(analysis, p.two_way) or NONE
    return [rate_text(p.rate), criteria, str(len(p.seeds)), " ".join(difference.split()), both]


def records(analysis: Analysis) -> list[dict[str, Any]]:
    """The same at full precision."""
    return [
        {
            "record": "freeze - prune pooled",
            "rate": rate_text(p.rate),
            "references": _names(p.pairs),
            **({"left_out": _names(p.left_out)} if p.left_out else {}),
            "pairs": list(p.seeds),
            "difference": p.difference,
            **_ends("", p.interval),
            **_ends("two_way_", p.two_way),
        }
        for p in shown(analysis)
    ]


def _names(pairs: Sequence[Comparison]) -> list[str]:
    """The pruned methods of the pairs."""
    return sorted(c.reference for c in pairs)


def _ends(prefix: str, interval: Interval) -> dict[str, float]:
    return {f"{prefix}low": interval.low, f"{prefix}high": interval.high}
