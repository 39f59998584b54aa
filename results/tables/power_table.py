"""The table of `bench power`: per comparison the spread of its pairs, the seeds it needs, and what it can find now."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import pandas as pd

from bench.metrics import NONE
from bench.results.frame.errors import unknown
from bench.results.frame.words import rate_text
from bench.results.statistics import power
from bench.results.statistics.analysis import Analysis, analyses
from bench.results.statistics.comparisons import Comparison
from bench.results.statistics.power import MOST, SPREAD, Aim, Need, need
from bench.results.statistics.stats import Interval
from bench.results.statistics.view import View
from bench.results.tables import captions, formats
from bench.results.tables.columns import CONFLICTING_PAIRS, PRIMARY, SECONDARY
from bench.results.tables.export import finite
from bench.results.tables.formats import Block, Grid, Heading, Paragraph
from bench.results.tables.html_page.page import page
from bench.results.tables.marks import of_pairs, pairs_legend

PRUNED = "the pruned method that chooses the same weights"


@dataclass(frozen=True, kw_only=True)
class Row:
    """A comparison, and what it needs at the plain level and at the first step of Holm's correction."""

    analysis: Analysis
    c: Comparison
    aim: Aim
    spread: Interval  # of its standard deviation
    plain: Need | None
    holm: Need | None


def _row(analysis: Analysis, c: Comparison, aim: Aim) -> Row:
    spread = power.spread_interval(c.sd, c.n)
    plain, holm = (need(c, spread, aim, alpha) for alpha in (aim.alpha, aim.alpha / c.family))
    return Row(analysis=analysis, c=c, aim=aim, spread=spread, plain=plain, holm=holm)


def _spread(row: Row) -> str:
    number = row.analysis.view.shown_metric.number
    return f"{number(row.c.sd)} [{number(row.spread.low)}, {number(row.spread.high)}]" if row.c.n > 1 else NONE


def _needed(needed: Need | None) -> str:
    return f"{_seeds(needed.seeds)} [{_seeds(needed.seeds_low)}, {_seeds(needed.seeds_high)}]" if needed else NONE


def _seeds(n: int | None) -> str:
    return f"> {MOST:,}" if n is None else f"{n:,}"


def _detected(row: Row, needed: Need | None) -> str:
    return row.analysis.view.shown_metric.number(needed.detects) if needed else NONE


Value = Callable[[Row], Any]


def _values(needed: Callable[[Row], Need | None], suffix: str) -> dict[str, Value]:
    """The fields of a need, None without one."""
    return {f"{name}{suffix}": partial(_value, needed, name) for name in Need.__dataclass_fields__}


def _value(needed: Callable[[Row], Need | None], name: str, row: Row) -> Any:
    return getattr(needed(row), name, None)


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column: without a header it is in no table, without values in no machine-readable form."""

    header: str = ""  # {plain} and {holm} stand for the levels
    text: Callable[[Row], str] = lambda row: ""
    tables: Sequence[str] = (PRIMARY, SECONDARY)
    values: Mapping[str, Value] = field(default_factory=dict)  # name -> at full precision


COLUMNS = (
    Column(
        values={
            "dataset": lambda row: row.analysis.section.dataset,
            "model": lambda row: row.analysis.section.model,
            "differs": lambda row: json.dumps(dict(row.analysis.section.differs)),
            "label": lambda row: row.c.label,
        }
    ),
    Column(header="frozen", tables=[PRIMARY], text=lambda row: row.c.label),
    Column(header="pruned", tables=[PRIMARY], text=lambda row: row.c.reference),
    Column(header="method", tables=[SECONDARY], text=lambda row: row.c.label),
    Column(header="rate", text=lambda row: rate_text(row.c.rate), values={"rate": lambda row: rate_text(row.c.rate)}),
    Column(
        values={
            "reference": lambda row: row.c.reference,
            "metric": lambda row: row.analysis.view.metric,
            "difference": lambda row: row.aim.difference,
            "alpha": lambda row: row.aim.alpha,
            "power": lambda row: row.aim.power,
            "family": lambda row: row.c.family,
        }
    ),
    Column(
        header="n now",
        text=lambda row: f"{row.c.n} {of_pairs(row.c)}".strip(),
        values={"pairs": lambda row: row.c.n, "disconnected_pairs": lambda row: row.c.disconnected},
    ),
    Column(
        header="sd of differences",
        text=_spread,
        values={
            "sd": lambda row: row.c.sd,
            "sd_low": lambda row: row.spread.low,
            "sd_high": lambda row: row.spread.high,
        },
    ),
    Column(header="seeds, {plain}", text=lambda row: _needed(row.plain), values=_values(lambda row: row.plain, "")),
    Column(header="seeds, {holm}", text=lambda row: _needed(row.holm), values=_values(lambda row: row.holm, "_holm")),
    Column(header="detects, {plain}", text=lambda row: _detected(row, row.plain)),
    Column(header="detects, {holm}", text=lambda row: _detected(row, row.holm)),
)


def render(frame: pd.DataFrame, view: View, aim: Aim, *, format: str = "github") -> str:
    """The seeds that every comparison of a frame of `collect` needs. Filters hide comparisons and change no number.

    Args:    view: what is compared and shown; its level and its margin have no part in this.
             aim: what to find; the difference as the metric is shown: in points for an accuracy.
    Raises:  ValueError naming the value and what it must be, for a choice that the store does not have.
    """
    if format not in FORMATS:
        raise unknown("format", format, FORMATS)
    stored = replace(aim, difference=aim.difference / view.shown_metric.factor)
    return FORMATS[format](analyses(frame, replace(view, margin=None, alpha=aim.alpha)), stored)


def report(analyses: Sequence[Analysis], aim: Aim) -> list[Block]:
    """A section per data set, model and protocol of which a method with rates is shown."""
    blocks = [block for analysis in analyses if analysis.shown for block in _section(analysis, aim)]
    return [Heading("How many seeds?", 1), *(blocks or [Paragraph("No comparison to show.")])]


def _section(analysis: Analysis, aim: Aim) -> Iterator[Block]:
    yield Heading(analysis.section.title)
    if hidden := captions.filters(analysis):
        yield Paragraph(hidden)
    families = _families(analysis)
    if analysis.reference is None:
        yield Paragraph(captions.no_comparison(analysis))
    elif not families:
        yield Paragraph(f"No comparison with {analysis.reference} to show.")
    for table, comparisons in families.items():
        yield _grid(analysis, aim, table, comparisons)
    if families:
        yield Paragraph(_limits([c for comparisons in families.values() for c in comparisons]))


def _families(analysis: Analysis) -> dict[str, list[Comparison]]:
    """Table -> the comparisons shown: freeze − prune first, and all others with the reference."""
    families = {PRIMARY: analysis.shown_primary, SECONDARY: analysis.shown_secondary}
    return {table: comparisons for table, comparisons in families.items() if comparisons}


def _grid(analysis: Analysis, aim: Aim, table: str, comparisons: Sequence[Comparison]) -> Grid:
    against = PRUNED if table == PRIMARY else analysis.reference
    shown, m = analysis.view.shown_metric, comparisons[0].family
    unit = f" {shown.step}" if shown.step else ""
    caption = (
        f"Seeds that a mean difference of {shown.number(aim.difference)}{unit} to {against} needs to be found with "
        f"a probability of {aim.power:g} by the paired t-test, two-sided: at level {aim.alpha:g}, and at "
        f"{aim.alpha:g}/{m}, the first and most severe step of Holm's correction over the {m} comparisons of the "
        f"family. sd: standard deviation of the paired differences{f' in{unit}' if unit else ''}, [its "
        f"{100 * SPREAD:.0f} % chi-square interval]; seeds: by that sd, [by the ends of its interval]; detects: the "
        "smallest mean difference that the present n finds with the same probability."
        f"{pairs_legend(comparisons)}"
    )
    columns = [column for column in COLUMNS if column.header and table in column.tables]
    levels = {"plain": f"α = {aim.alpha:g}", "holm": f"α = {aim.alpha:g}/{m}"}
    rows = [_row(analysis, c, aim) for c in comparisons]
    texts = [[column.text(row) for column in columns] for row in rows]
    title = f"Seeds that a difference of {shown.number(aim.difference)}{unit} to {against} needs"
    return Grid(caption, [column.header.format(**levels) for column in columns], texts, title)


def _disconnected(comparisons: Sequence[Comparison]) -> bool:
    return any(c.disconnected for c in comparisons)


def _limits(comparisons: Sequence[Comparison]) -> str:
    """How far the numbers can be trusted."""
    counts = sorted({c.n for c in comparisons if c.sd > 0})
    if not counts:
        return "No comparison has two pairs whose differences vary, so nothing can be said of the seeds it needs."
    ends = power.spread_interval(1.0, counts[0])
    cut = " Disconnected networks make the differences far from normal." if _disconnected(comparisons) else ""
    return (
        f"A standard deviation of few pairs is uncertain: from n = {counts[0]} its interval reaches from "
        f"{ends.low:.2f} to {ends.high:.2f} times the estimate, and the seeds needed with the square of that. All "
        f"figures take the differences as normal.{cut} Choose the number of seeds before looking at more of "
        "them: to add seeds until a test is significant makes it err more often than its level."
    )


def records(analyses: Sequence[Analysis], aim: Aim) -> list[dict[str, Any]]:
    """One flat record per comparison shown, at full precision; differences in units of the metric."""
    return [
        {
            **{name: value(row) for column in COLUMNS for name, value in column.values.items()},
            **({CONFLICTING_PAIRS: row.c.conflicting} if row.c.conflicting else {}),
        }
        for analysis in analyses
        for comparisons in _families(analysis).values()
        for row in (_row(analysis, c, aim) for c in comparisons)
    ]


def _csv(analyses: Sequence[Analysis], aim: Aim) -> str:
    rows, columns = records(analyses, aim), [name for column in COLUMNS for name in column.values]
    columns += [CONFLICTING_PAIRS] if any(CONFLICTING_PAIRS in row for row in rows) else []
    frame = pd.DataFrame(rows, columns=columns, dtype=object)
    return str(frame.to_csv(index=False, lineterminator="\n"))


def _json(analyses: Sequence[Analysis], aim: Aim) -> str:
    return f"{json.dumps(finite(records(analyses, aim)), indent=1, allow_nan=False, ensure_ascii=False)}\n"


FORMATS: dict[str, Callable[[Sequence[Analysis], Aim], str]] = {
    "github": lambda analyses, aim: formats.github(report(analyses, aim)),
    "latex": lambda analyses, aim: formats.latex(report(analyses, aim)),
    "csv": _csv,
    "html": lambda analyses, aim: page(report(analyses, aim)),
    "json": _json,
}
