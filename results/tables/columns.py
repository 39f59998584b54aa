"""The columns of every table of comparisons, a row each: its header and text, and its values in CSV and JSON.

To add a column: a row here. The tables in Markdown, LaTeX and HTML, and both machine-readable forms, read these rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.metrics import NONE
from bench.results.frame.margin import OfErrors
from bench.results.frame.words import p_value, rate_text
from bench.results.statistics.analysis import Analysis
from bench.results.statistics.cells import Key
from bench.results.statistics.comparisons import Comparison, markable
from bench.results.statistics.stats import Interval
from bench.results.tables.formats import Grid
from bench.results.tables.images import two_way_words
from bench.results.tables.marks import DOUBTS, NO_PAIR, NOT_PLANNED, of_pairs

CONFLICTING_PAIRS = "conflicting_pairs"  # how many of them, in the machine-readable forms; only of those with some
PLANNED = "planned"  # whether a plan names it, in the machine-readable forms; only of a section that has a plan
MARGIN_OF_ERRORS = "margin_of_errors"  # the share of the reference's errors, if the margin is one
PRIMARY, SECONDARY, CONTROLS = "primary", "secondary", "controls"
BY = {
    "identical": "identical in all pairs",
    "none": "no test: n < 2",
    "permutation": "sign-flip",
    "t": "",
    "wilcoxon": "",
}

Text = Callable[[Analysis, Comparison], str]
Value = Callable[[Analysis, Comparison], Any]


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column: without a header it is in no table, without values in no machine-readable form."""

    header: str = ""
    text: Text = lambda analysis, c: ""
    tables: Sequence[str] = (PRIMARY, SECONDARY, CONTROLS)
    has: Callable[[Comparison], bool] | None = None  # if given: in a table, or a record, only if a comparison has it
    values: Mapping[str, Value] = field(default_factory=dict)  # name -> at full precision


def difference(analysis: Analysis, c: Comparison) -> str:
    """The mean difference with its 95 % t interval: +0.50 [−0.10, +1.10]"""
    interval = interval_text(analysis, c.interval)
    return f"{analysis.view.shown_metric.difference(c.difference)}{f' {interval}' if interval else ''}"


def difference_and_test(analysis: Analysis, c: Comparison) -> str:
    """The difference, on how many pairs it stands and its p: +0.50 [−0.10, +1.10], n = 5, Holm p 0.031"""
    return f"{difference(analysis, c)}, n = {c.n}, Holm p {p_value(c.p_holm)}" if c.n else NO_PAIR


def interval_text(analysis: Analysis, interval: Interval) -> str:
    """[−0.10, +1.10]; empty if there is none."""
    number = analysis.view.shown_metric.difference
    ends = interval.low, interval.high
    return "" if any(map(math.isnan, ends)) else f"[{number(interval.low)}, {number(interval.high)}]"


def _effect(analysis: Analysis, c: Comparison) -> str:
    return NONE if math.isnan(c.g) else f"{c.g:+.2f}".replace("-", "−")


def verdict(analysis: Analysis, c: Comparison) -> str:
    """What the tests say, and what they rest on."""
    arrow = {"higher": "higher ↑", "lower": "lower ↓"}.get(c.verdict, "")
    by = BY[c.decided_by] if c.decided_by != analysis.view.test else ""
    exact = c.decided_by in ("wilcoxon", "permutation")
    small = "n too small" if c.judged and exact and not markable(c, c.family, analysis.view.alpha) else ""
    said = ", ".join(clause for clause in (arrow, "equivalent ≈" if c.equivalent else "", by, small) if clause)
    return " ".join(words for words in (said or unmarked(c), of_pairs(c)) if words)


def unmarked(c: Comparison) -> str:
    """The verdict of a comparison without a mark."""
    return "open" if c.judged else "not judged"


def equivalence(analysis: Analysis, c: Comparison) -> str:
    """The adjusted p of equivalence; behind it a margin that is another in each comparison: 0.031 (±0.21)"""
    p, relative = p_value(c.p_equivalence_holm), isinstance(analysis.view.margin, OfErrors) and c.n
    return f"{p} (±{analysis.view.shown_metric.number(c.margin)})" if relative and c.margin is not None else p


def doubt_marks(analysis: Analysis, c: Comparison) -> str:
    """The marks of the doubts about a primary comparison; empty for any other."""
    doubts = analysis.doubts.get(c.sides, set())
    return "".join(mark for doubt, (mark, _) in DOUBTS.items() if doubt in doubts)


def marks_behind(analysis: Analysis, c: Comparison) -> str:
    """The marks behind a verdict: of the doubts about it, and that it is not planned."""
    return f"{doubt_marks(analysis, c)}{NOT_PLANNED if analysis.is_unplanned(c) else ''}"


def _mean(analysis: Analysis, key: Key) -> str:
    number, s = analysis.view.shown_metric.number, analysis.by_key[key].summary
    return f"{number(s.mean)} ± {number(s.sd)}" if s.n else NONE


COLUMNS = (
    Column(header="frozen", tables=[PRIMARY], text=lambda _, c: c.label),
    Column(header="pruned", tables=[PRIMARY], text=lambda _, c: c.reference),
    Column(header="method", tables=[SECONDARY], text=lambda _, c: c.label),
    Column(header="method", tables=[CONTROLS], text=lambda _, c: c.reference),
    Column(header="control", tables=[CONTROLS], text=lambda analysis, c: analysis.by_key[c.sides[0]].record.control),
    Column(values={"reference": lambda _, c: c.reference}),
    Column(header="rate", text=lambda _, c: rate_text(c.rate)),
    Column(header="method's", tables=[CONTROLS], text=lambda analysis, c: _mean(analysis, c.sides[1])),
    Column(header="control's", tables=[CONTROLS], text=lambda analysis, c: _mean(analysis, c.sides[0])),
    Column(header="pairs", text=lambda _, c: str(c.n), values={"pairs": lambda _, c: list(c.seeds)}),
    Column(
        header="difference",
        text=difference,
        values={
            "difference": lambda _, c: c.difference,
            "low": lambda _, c: c.interval.low,
            "high": lambda _, c: c.interval.high,
        },
    ),
    Column(
        header="bootstrap",
        tables=[PRIMARY, SECONDARY],
        text=lambda analysis, c: interval_text(analysis, c.bootstrap) or NONE,
        values={"bootstrap_low": lambda _, c: c.bootstrap.low, "bootstrap_high": lambda _, c: c.bootstrap.high},
    ),
    Column(
        header=two_way_words.HEADER,
        text=lambda analysis, c: interval_text(analysis, c.two_way) or NONE,
        has=lambda c: two_way_words.exists(c.two_way),
        values={"two_way_low": lambda _, c: c.two_way.low, "two_way_high": lambda _, c: c.two_way.high},
    ),
    Column(
        header="p",
        text=lambda _, c: p_value(c.p),
        values={"test": lambda _, c: c.decided_by, "p": lambda _, c: c.p},
    ),
    Column(
        header="Holm p",
        text=lambda _, c: p_value(c.p_holm),
        values={"p_holm": lambda _, c: c.p_holm, "family": lambda _, c: c.family},
    ),
    Column(
        header="g",
        tables=[PRIMARY, SECONDARY],
        text=_effect,
        values={"d_z": lambda _, c: c.d_z, "hedges_d_z": lambda _, c: c.g},
    ),
    Column(
        header="TOST Holm p",
        text=equivalence,
        values={
            "margin": lambda _, c: c.margin,
            "p_equivalence": lambda _, c: c.p_equivalence,
            "p_equivalence_holm": lambda _, c: c.p_equivalence_holm,
        },
    ),
    Column(
        header="verdict",
        text=lambda analysis, c: f"{verdict(analysis, c)} {marks_behind(analysis, c)}".strip(),
        values={
            "verdict": lambda _, c: c.verdict,
            "equivalent": lambda _, c: c.equivalent,
            "disconnected_pairs": lambda _, c: c.disconnected,
            "doubts": lambda analysis, c: sorted(analysis.doubts_of(c)),
            "level": lambda analysis, c: analysis.view.alpha if c.judged else None,
        },
    ),
)


def grid(title: str, caption: str, table: str, analysis: Analysis, comparisons: Sequence[Comparison]) -> Grid:
    """The comparisons as a table."""
    columns = [column for column in COLUMNS if column.header and table in column.tables and _any(column, comparisons)]
    rows = [[column.text(analysis, c) for column in columns] for c in comparisons]
    return Grid(caption, [column.header for column in columns], rows, title)


def _any(column: Column, comparisons: Sequence[Comparison]) -> bool:
    return column.has is None or any(map(column.has, comparisons))


def values(analysis: Analysis, c: Comparison) -> dict[str, Any]:
    """All values of a comparison, at full precision."""
    columns = [column for column in COLUMNS if _any(column, [c])]
    every = {name: value(analysis, c) for column in columns for name, value in column.values.items()}
    if isinstance(margin := analysis.view.margin, OfErrors):
        every[MARGIN_OF_ERRORS] = margin.share
    planned = {PLANNED: analysis.is_planned(c)} if analysis.plan else {}
    return every | planned | ({CONFLICTING_PAIRS: c.conflicting} if c.conflicting else {})
