"""The table of `bench power`: per comparison the spread of its pairs, the seeds it needs, and what it can find now."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import pandas as pd

from bench.metrics import NONE
from bench.results.frame.errors import unknown
from bench.results.frame.words import rate_text
from bench.results.statistics import power
from bench.results.statistics.analysis import Analysis, View, analyses
from bench.results.statistics.comparisons import Comparison
from bench.results.statistics.power import MOST, SPREAD, Aim
from bench.results.statistics.stats import Interval
from bench.results.tables import captions, formats
from bench.results.tables.export import finite
from bench.results.tables.formats import Block, Entry, Grid, Heading, Paragraph

PRUNED = "the pruned method that chooses the same weights"
HEADERS = ("method", "rate", "n now", "sd of differences")
NAMES = (
    "dataset", "model", "differs", "label", "rate", "reference", "metric", "difference", "alpha", "power", "family",
    "pairs", "disconnected_pairs", "sd", "sd_low", "sd_high", "seeds", "seeds_low", "seeds_high", "detects",
    "seeds_holm", "seeds_low_holm", "seeds_high_holm", "detects_holm",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Need:
    """What a comparison needs at one level: seeds by its sd, and by the ends of its interval; None above MOST."""

    seeds: int | None
    seeds_low: int | None
    seeds_high: int | None
    detects: float  # the smallest difference that the present n finds, in units of the metric


def need(c: Comparison, spread: Interval, aim: Aim, alpha: float) -> Need | None:
    """None without two pairs, or without spread: then there is no standard deviation to go by."""
    if not c.sd > 0:
        return None
    sds = (c.sd, spread.low, spread.high)
    seeds, low, high = (power.pairs_needed(aim.difference / sd, alpha, aim.power) for sd in sds)
    detects = c.sd * power.smallest_effect(c.n, alpha, aim.power)
    return Need(seeds=seeds, seeds_low=low, seeds_high=high, detects=detects)


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
    for against, comparisons in families.items():
        yield _grid(analysis, aim, against, comparisons)
    if families:
        yield Paragraph(_limits([c for comparisons in families.values() for c in comparisons]))


def _families(analysis: Analysis) -> dict[str, list[Comparison]]:
    """What is compared with -> the comparisons shown: freeze − prune first, and all others with the reference."""
    families = {PRUNED: analysis.shown_primary, analysis.reference or "": analysis.shown_secondary}
    return {against: comparisons for against, comparisons in families.items() if comparisons}


def _grid(analysis: Analysis, aim: Aim, against: str, comparisons: Sequence[Comparison]) -> Grid:
    shown, m = analysis.view.shown_metric, comparisons[0].family
    unit = f" {shown.step}" if shown.step else ""
    levels = (f"α = {aim.alpha:g}", f"α = {aim.alpha:g}/{m}")
    caption = (
        f"Seeds that a mean difference of {shown.number(aim.difference)}{unit} to {against} needs to be found with "
        f"a probability of {aim.power:g} by the paired t-test, two-sided: at level {aim.alpha:g}, and at "
        f"{aim.alpha:g}/{m}, the first and most severe step of Holm's correction over the {m} comparisons of the "
        f"family. sd: standard deviation of the paired differences{f' in{unit}' if unit else ''}, [its "
        f"{100 * SPREAD:.0f} % chi-square interval]; seeds: by that sd, [by the ends of its interval]; detects: the "
        "smallest mean difference that the present n finds with the same probability."
        f"{f' {captions.DISCONNECTED}' if _disconnected(comparisons) else ''}"
    )
    headers = [*HEADERS, *(f"seeds, {level}" for level in levels), *(f"detects, {level}" for level in levels)]
    return Grid(caption, headers, [_row(analysis, c, aim) for c in comparisons])


def _disconnected(comparisons: Sequence[Comparison]) -> bool:
    return any(c.disconnected for c in comparisons)


def _row(analysis: Analysis, c: Comparison, aim: Aim) -> list[Entry]:
    number, spread = analysis.view.shown_metric.number, power.spread_interval(c.sd, c.n)
    needs = [need(c, spread, aim, alpha) for alpha in (aim.alpha, aim.alpha / c.family)]
    sd = f"{number(c.sd)} [{number(spread.low)}, {number(spread.high)}]" if c.n > 1 else NONE
    return [
        c.label, rate_text(c.rate), f"{c.n} †{c.disconnected}" if c.disconnected else str(c.n), sd,
        *(f"{_seeds(n.seeds)} [{_seeds(n.seeds_low)}, {_seeds(n.seeds_high)}]" if n else NONE for n in needs),
        *(number(n.detects) if n else NONE for n in needs),
    ]  # fmt: skip


def _seeds(n: int | None) -> str:
    return f"> {MOST:,}" if n is None else f"{n:,}"


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
        _record(analysis, c, aim)
        for analysis in analyses
        for comparisons in _families(analysis).values()
        for c in comparisons
    ]


def _record(analysis: Analysis, c: Comparison, aim: Aim) -> dict[str, Any]:
    section, spread = analysis.section, power.spread_interval(c.sd, c.n)
    plain, holm = (need(c, spread, aim, alpha) for alpha in (aim.alpha, aim.alpha / c.family))
    return {
        "dataset": section.dataset, "model": section.model, "differs": json.dumps(dict(section.differs)),
        "label": c.label, "rate": rate_text(c.rate), "reference": c.reference, "metric": analysis.view.metric,
        **asdict(aim), "family": c.family, "pairs": c.n, "disconnected_pairs": c.disconnected, "sd": c.sd,
        "sd_low": spread.low, "sd_high": spread.high, **_named(plain, ""), **_named(holm, "_holm"),
    }  # fmt: skip


def _named(needed: Need | None, suffix: str) -> dict[str, Any]:
    values = asdict(needed) if needed else dict.fromkeys(Need.__dataclass_fields__)
    return {f"{name}{suffix}": value for name, value in values.items()}


def _csv(analyses: Sequence[Analysis], aim: Aim) -> str:
    frame = pd.DataFrame(records(analyses, aim), columns=NAMES, dtype=object)
    return str(frame.to_csv(index=False, lineterminator="\n"))


def _json(analyses: Sequence[Analysis], aim: Aim) -> str:
    return f"{json.dumps(finite(records(analyses, aim)), indent=1, allow_nan=False, ensure_ascii=False)}\n"


FORMATS: dict[str, Callable[[Sequence[Analysis], Aim], str]] = {
    "github": lambda analyses, aim: formats.github(report(analyses, aim)),
    "latex": lambda analyses, aim: formats.latex(report(analyses, aim)),
    "csv": _csv,
    "html": lambda analyses, aim: formats.page(report(analyses, aim)),
    "json": _json,
}
