"""Every frozen method beside the pruned one that chooses the same weights: both figures, difference, verdict."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.metrics import NONE
from bench.results.frame.words import p_value, rate_text
from bench.results.statistics.analysis import Analysis
from bench.results.statistics.cells import Key
from bench.results.statistics.comparisons import Comparison
from bench.results.tables.captions import unplanned
from bench.results.tables.columns import difference, equivalence, marks_behind, unmarked, verdict
from bench.results.tables.formats import Grid
from bench.results.tables.marks import DOUBTS, of_pairs, pairs_legend


@dataclass(frozen=True, kw_only=True)
class PairColumn:
    """A column of the table of pairs; the narrow table has only those that are `narrow`."""

    header: str
    text: Callable[[Analysis, Comparison], str]
    narrow: bool = True
    wide: bool = True


def _figure(analysis: Analysis, key: Key) -> str:
    """The mean of a side over all its seeds."""
    number, cell = analysis.view.shown_metric.number, analysis.by_key[key]
    s = cell.summary
    if not s.n:
        return NONE
    spread = f" ± {number(s.sd)}" if s.n > 1 else ""
    return f"{number(s.mean)}{spread}"


COLUMNS = (
    PairColumn(header="criterion", text=lambda _, c: c.reference, wide=False),
    PairColumn(header="frozen", text=lambda _, c: c.label, narrow=False),
    PairColumn(header="pruned", text=lambda _, c: c.reference, narrow=False),
    PairColumn(header="rate", text=lambda _, c: rate_text(c.rate)),
    PairColumn(header="freeze", text=lambda analysis, c: _figure(analysis, c.sides[0])),
    PairColumn(header="prune", text=lambda analysis, c: _figure(analysis, c.sides[1])),
    PairColumn(header="pairs", text=lambda _, c: str(c.n), narrow=False),
    PairColumn(header="freeze − prune", text=lambda analysis, c: short(analysis, c), wide=False),
    PairColumn(
        header="freeze − prune", text=lambda analysis, c: difference(analysis, c) if c.n else NONE, narrow=False
    ),
    PairColumn(header="Holm p", text=lambda _, c: p_value(c.p_holm), narrow=False),
    PairColumn(header="TOST Holm p", text=equivalence, narrow=False),
    PairColumn(header="", text=lambda analysis, c: marks(analysis, c), wide=False),
    PairColumn(
        header="verdict",
        text=lambda analysis, c: f"{verdict(analysis, c)} {marks_behind(analysis, c)}".strip(),
        narrow=False,
    ),
)
MARKS = "↑ freezing higher, ↓ pruning higher, ≈ equivalent."


def short(analysis: Analysis, c: Comparison) -> str:
    """The mean difference with its 95 % t interval, no plus in it: +0.50 [−0.10, 1.10]"""
    number, ends = analysis.view.shown_metric.number, (c.interval.low, c.interval.high)
    interval = "" if any(map(math.isnan, ends)) else f" [{number(ends[0])}, {number(ends[1])}]"
    return f"{number(c.difference, '+')}{interval}"


def marks(analysis: Analysis, c: Comparison) -> str:
    """The verdict of a comparison in marks: ↑ ≈ †2 ‡"""
    arrow = {"higher": "↑", "lower": "↓"}.get(c.verdict, "")
    said = " ".join(mark for mark in (arrow, "≈" if c.equivalent else "") if mark)
    said = said or (unmarked(c) if c.n > 1 else "n < 2")
    return " ".join(mark for mark in (said, of_pairs(c), marks_behind(analysis, c)) if mark)


def pairs(analysis: Analysis, *, narrow: bool = False) -> Grid | None:
    """The pairs shown, those of the reference first; None without one."""
    shown = ordered(analysis)
    columns = [column for column in COLUMNS if (column.narrow if narrow else column.wide)]
    rows = [[column.text(analysis, c) for column in columns] for c in shown]
    words = f"{caption(analysis, shown)} {MARKS}" if narrow else caption(analysis, shown)
    return Grid(words, [column.header for column in columns], rows) if rows else None


def ordered(analysis: Analysis) -> list[Comparison]:
    """The comparisons of the pairs shown: the pair of the reference, then by the pruned method."""
    return sorted(analysis.shown_primary, key=lambda c: analysis.reference not in (c.label, c.reference))


def caption(analysis: Analysis, shown: Sequence[Comparison]) -> str:
    """What the columns are, and the marks that occur."""
    metric = analysis.view.shown_metric
    unit, step = (f" in {word}" if word else "" for word in (metric.unit, metric.step))
    return (
        f"{metric.caption}{unit}: mean ± standard deviation over the seeds; the same weights chosen, the others frozen "
        f"or pruned. Freeze − prune: mean difference at the same seed{step}, with its 95 % t interval; verdicts are "
        f"corrected by Holm.{pairs_legend(shown)}{doubts(analysis, shown)}{unplanned(analysis, shown)}"
    )


def doubts(analysis: Analysis, shown: Sequence[Comparison]) -> str:
    """What the marks of doubt mean, those that occur, behind another sentence."""
    occurring = set[str]().union(*(analysis.doubts[c.sides] for c in shown))
    return "".join(f" {mark}: {words}." for doubt, (mark, words) in DOUBTS.items() if doubt in occurring)
