"""The table of `bench power`: per comparison the spread of its pairs, the seeds it needs, and what it can find now."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import pandas as pd

from bench import names as store
from bench.results.frame.errors import unknown
from bench.results.frame.metrics import NONE, figure
from bench.results.statistics import power
from bench.results.statistics.analysis import Analysis, View, analyses
from bench.results.statistics.comparisons import Comparison
from bench.results.statistics.power import MOST, SPREAD, Aim
from bench.results.statistics.stats import Interval
from bench.results.tables import captions, formats
from bench.results.tables.export import finite
from bench.results.tables.formats import Block, Entry, Grid, Heading, Paragraph
from bench.results.tables.freeze_vs_prune import Question

TWIN = "the pruned method that chooses the same weights"
HEADERS = ("method", "rate", "n now", "sd of differences")
COLUMNS = (
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
    detects: float  # the smallest difference that the present n finds, in units of the figure


def need(c: Comparison, spread: Interval, aim: Aim, alpha: float) -> Need | None:
    """None without two pairs, or without spread: then there is no standard deviation to go by."""
    if not c.sd > 0:
        return None
    seeds, low, high = (power.pairs_needed(aim.difference / sd, alpha, aim.power) for sd in (c.sd, *_ends(spread)))
    detects = c.sd * power.smallest_effect(c.n, alpha, aim.power)
    return Need(seeds=seeds, seeds_low=low, seeds_high=high, detects=detects)


def _ends(interval: Interval) -> tuple[float, float]:
    return interval.low, interval.high


def render(
    frame: pd.DataFrame,
    aim: Aim,
    *,
    format: str = "github",
    reference: str = "snip",
    metric: str = store.TEST_ACCURACY,
    names: Collection[str] = (),
    methods: Collection[str] = (),
    rates: Collection[str] = (),
) -> str:
    """The seeds that every comparison of a frame of `collect` needs. Filters hide comparisons and change no number.

    Args:    aim: what to find; the difference as the metric is shown: in points for an accuracy.
             The others are those of `bench.results.tables.tables.render`.
    Raises:  ValueError naming the value and what is allowed, for any argument that is none of the known.
    """
    if format not in FORMATS:
        raise unknown("format", format, FORMATS)
    view = View(
        reference=reference, margin=None, alpha=aim.alpha, metric=metric, names=names, methods=methods, rates=rates
    )
    stored = replace(aim, difference=aim.difference / figure(metric).factor)
    return FORMATS[format](analyses(frame, view), stored)


def report(several: Sequence[Analysis], aim: Aim) -> list[Block]:
    """A section per data set, model and protocol of which a method with rates is shown."""
    blocks = [block for a in several if a.shown for block in _section(a, aim)]
    return [Heading("How many seeds?", 1), *(blocks or [Paragraph("No comparison to show.")])]


def _section(a: Analysis, aim: Aim) -> Iterator[Block]:
    yield Heading(a.section.title)
    if hidden := captions.filters(a):
        yield Paragraph(hidden)
    families = _families(a)
    if a.reference is None:
        yield Paragraph(captions.no_comparison(a))
    elif a.reference not in families:
        yield Paragraph(f"No comparison with {a.reference} to show.")
    for against, several in families.items():
        yield _grid(a, aim, against, several)
    if families:
        yield Paragraph(_limits([c for several in families.values() for c in several]))


def _families(a: Analysis) -> dict[str, list[Comparison]]:
    """What is compared with -> the comparisons shown: with the reference, and every frozen method with the pruned one
    that chooses the same weights, where that is another question."""
    shown = {(cell.label, cell.rate) for cell in a.shown}
    found = {a.reference: a.shown_comparisons} if a.reference else {}
    pairs = [c for c in Question(a).plain if {(c.label, c.rate), (c.reference, c.rate)} <= shown]
    if {(c.label, c.reference, c.rate) for c in pairs} - {(c.label, c.reference, c.rate) for c in a.shown_comparisons}:
        found[TWIN] = pairs
    return {against: _ordered(several) for against, several in found.items() if several}


def _ordered(several: Sequence[Comparison]) -> list[Comparison]:
    return sorted(several, key=lambda c: (c.label, float(c.rate)))


def _grid(a: Analysis, aim: Aim, against: str, several: Sequence[Comparison]) -> Grid:
    shown, m = figure(a.view.metric), several[0].family
    unit = f" {shown.step}" if shown.step else ""
    levels = (f"α = {aim.alpha:g}", f"α = {aim.alpha:g}/{m}")
    caption = (
        f"Seeds that a mean difference of {shown.number(aim.difference)}{unit} to {against} needs to be found with "
        f"a probability of {aim.power:g} by the paired t-test, two-sided: at level {aim.alpha:g}, and at "
        f"{aim.alpha:g}/{m}, the first and most severe step of Holm's correction over the {m} comparisons of the "
        f"family. sd: standard deviation of the paired differences{f' in{unit}' if unit else ''}, [its "
        f"{100 * SPREAD:.0f} % chi-square interval]; seeds: by that sd, [by the ends of its interval]; detects: the "
        "smallest mean difference that the present n finds with the same probability."
        f"{f' {captions.DISCONNECTED}' if _disconnected(several) else ''}"
    )
    headers = [*HEADERS, *(f"seeds, {level}" for level in levels), *(f"detects, {level}" for level in levels)]
    return Grid(caption, headers, [_row(a, c, aim) for c in several])


def _disconnected(several: Sequence[Comparison]) -> bool:
    return any(c.disconnected for c in several)


def _row(a: Analysis, c: Comparison, aim: Aim) -> list[Entry]:
    number, spread = figure(a.view.metric).number, power.spread_interval(c.sd, c.n)
    needs = [need(c, spread, aim, alpha) for alpha in (aim.alpha, aim.alpha / c.family)]
    sd = f"{number(c.sd)} [{number(spread.low)}, {number(spread.high)}]" if c.n > 1 else NONE
    return [
        c.label, c.rate, f"{c.n} †{c.disconnected}" if c.disconnected else str(c.n), sd,
        *(f"{_seeds(n.seeds)} [{_seeds(n.seeds_low)}, {_seeds(n.seeds_high)}]" if n else NONE for n in needs),
        *(number(n.detects) if n else NONE for n in needs),
    ]  # fmt: skip


def _seeds(n: int | None) -> str:
    return f"> {MOST:,}" if n is None else f"{n:,}"


def _limits(several: Sequence[Comparison]) -> str:
    """How far the numbers can be trusted."""
    counts = sorted({c.n for c in several if c.sd > 0})
    if not counts:
        return "No comparison has two pairs whose differences vary, so nothing can be said of the seeds it needs."
    ends = power.spread_interval(1.0, counts[0])
    cut = " Disconnected networks make the differences far from normal." if _disconnected(several) else ""
    return (
        f"A standard deviation of few pairs is uncertain: from n = {counts[0]} its interval reaches from "
        f"{ends.low:.2f} to {ends.high:.2f} times the estimate, and the seeds needed with the square of that. All "
        f"figures take the differences as normal.{cut} Choose the number of seeds before looking at more of "
        "them: to add seeds until a test is significant makes it err more often than its level."
    )


def records(several: Sequence[Analysis], aim: Aim) -> list[dict[str, Any]]:
    """One flat record per comparison shown, at full precision; differences in units of the metric."""
    return [_record(a, c, aim) for a in several for family in _families(a).values() for c in family]


def _record(a: Analysis, c: Comparison, aim: Aim) -> dict[str, Any]:
    spread = power.spread_interval(c.sd, c.n)
    plain, holm = (need(c, spread, aim, alpha) for alpha in (aim.alpha, aim.alpha / c.family))
    return {
        "dataset": a.section.dataset, "model": a.section.model, "differs": json.dumps(dict(a.section.differs)),
        "label": c.label, "rate": c.rate, "reference": c.reference, "metric": a.view.metric, **asdict(aim),
        "family": c.family, "pairs": c.n, "disconnected_pairs": c.disconnected, "sd": c.sd, "sd_low": spread.low,
        "sd_high": spread.high, **_named(plain, ""), **_named(holm, "_holm"),
    }  # fmt: skip


def _named(found: Need | None, suffix: str) -> dict[str, Any]:
    values = asdict(found) if found else dict.fromkeys(Need.__dataclass_fields__)
    return {f"{name}{suffix}": value for name, value in values.items()}


def _csv(several: Sequence[Analysis], aim: Aim) -> str:
    frame = pd.DataFrame(records(several, aim), columns=COLUMNS, dtype=object)
    return str(frame.to_csv(index=False, lineterminator="\n"))


def _json(several: Sequence[Analysis], aim: Aim) -> str:
    return f"{json.dumps(finite(records(several, aim)), indent=1, allow_nan=False, ensure_ascii=False)}\n"


FORMATS: dict[str, Callable[[Sequence[Analysis], Aim], str]] = {
    "github": lambda several, aim: formats.github(report(several, aim)),
    "latex": lambda several, aim: formats.latex(report(several, aim)),
    "csv": _csv,
    "html": lambda several, aim: formats.page(report(several, aim)),
    "json": _json,
}
