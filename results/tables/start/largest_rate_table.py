"""How far a method can go within a margin of its dense network, from each start: the table, in words and in numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from bench.metrics import NONE
from bench.results.frame.method_record import CHANGING, GROUPS, TO_BUDGET, TRAINED_FIRST
from bench.results.frame.words import rate_text
from bench.results.statistics.analysis import Analysis
from bench.results.statistics.largest_rate import Gain, LargestRate, gains, largest_rates
from bench.results.tables.formats import Block, Bullets, Grid
from bench.results.tables.start.bounds_text import difference, factor, rate_and_interval
from bench.results.tables.start.largest_rate_words import OTHER_GRID, RETURNS, caption, sentence, title, usual_grid

LATER = {
    TRAINED_FIRST: ", not at initialisation",
    CHANGING: ", masks change while training",
    TO_BUDGET: ", to a budget",
}


def is_first(analysis: Analysis) -> bool:
    """Whether its section is the first of its family that is shown: what is said of all starts is said there."""
    shown = (start for start, cells in analysis.starts.items() if any(map(analysis.view.shows, cells)))
    return next(shown, None) == analysis.section.start


def blocks(analysis: Analysis) -> Iterator[Block]:
    """What the starts differ in, and the table; nothing but for the first section of a family that is shown.

    Methods that are not at initialisation have a table of their own, and are in no sentence.
    """
    if not (analysis.view.shown_metric.is_accuracy and is_first(analysis)):
        return
    rated = ordered(largest_rates(analysis))
    gained = gains(rated, analysis.view.within)
    if gained:
        yield Bullets([sentence(analysis, start, gained) for start in dict.fromkeys(gain.start for gain in gained)])
    if rated:
        yield _grid(analysis, rated, gained)
    for group, words in LATER.items():
        if later := ordered(largest_rates(analysis, group=group)):
            yield _grid(analysis, later, gains(later, analysis.view.within), words)


def ordered(rated: Sequence[LargestRate]) -> list[LargestRate]:
    """A frozen method beside the pruned one that chooses the same weights."""
    return sorted(rated, key=lambda one: (one.cell.record.selection, one.cell.background, one.cell.label))


def _grid(analysis: Analysis, rated: Sequence[LargestRate], gained: Sequence[Gain], group: str = "") -> Grid:
    starts = [start for start in analysis.starts if any(one.start == start for one in rated)]
    others = [start for start in starts if any(gain.start == start for gain in gained)]
    sizes = {len(one.curve.seeds) for one in rated} | {len(gain.seeds) for gain in gained}
    by_place = {(one.cell.record, one.start): one for one in rated}
    gains_at = {(gain.cell.record, gain.start): gain for gain in gained}
    methods = {one.cell.record: one.cell.label for one in rated}
    usual, rows = usual_grid(rated), []
    for record, label in methods.items():
        entries = [_rate(by_place.get((record, start)), sizes, usual) for start in starts]
        for start in others:
            entries += _gain(gains_at.get((record, start)), sizes)
        rows.append([label, *entries])
    headers = ["method", *starts]
    for start in others:
        than = f": {start}" if len(others) > 1 else ""
        headers += [f"difference{than}", f"times fewer trained weights{than}"]
    named = f"{title(analysis)}{group}"
    return Grid(f"{named}: {caption(analysis, rated, gained)}", headers, rows, named)


def _rate(one: LargestRate | None, sizes: set[int], usual: Sequence[Decimal]) -> str:
    if one is None:
        return NONE
    ends = float(one.curve.rates[0]), float(one.curve.rates[-1])
    marks = f"{RETURNS if one.returns else ''}{OTHER_GRID if one.grid != usual else ''}"
    return f"{rate_and_interval(one.rate, one.interval, ends)}{marks}{_n(len(one.curve.seeds), sizes)}"


def _gain(gain: Gain | None, sizes: set[int]) -> list[str]:
    if gain is None:
        return [NONE, NONE]
    differs = f"{difference(gain.difference, gain.interval)}{_n(len(gain.seeds), sizes)}"
    return [differs, factor(gain.factor, gain.factor_interval)]


def _n(n: int, sizes: set[int]) -> str:
    return f" (n = {n})" if len(sizes) > 1 else ""


def records(analysis: Analysis) -> list[dict[str, Any]]:
    """A record for each method and start, at full precision; a rate outside the grid by its bounds."""
    if not (analysis.view.shown_metric.is_accuracy and is_first(analysis)):
        return []
    rated = [one for group in GROUPS for one in ordered(largest_rates(analysis, group=group))]
    by_place = {(gain.cell.record, gain.start): gain for gain in gains(rated, analysis.view.within)}
    return [_record(analysis, one, by_place.get((one.cell.record, one.start))) for one in rated]


def _record(analysis: Analysis, one: LargestRate, gain: Gain | None) -> dict[str, Any]:
    of_gain = {
        "difference": gain and (gain.difference, gain.interval),
        "factor": gain and (gain.factor, gain.factor_interval),
    }
    return {
        "method": one.cell.method,
        "label": one.cell.label,
        "background": one.cell.background,
        "start": one.start,
        "metric": analysis.view.metric,
        "within": analysis.view.within,
        "seeds": list(one.curve.seeds),
        "grid": [rate_text(rate) for rate in one.curve.rates],
        "losses": [float(loss) for loss in one.curve.losses.mean(axis=0)],
        "largest_rate_least": one.rate.low,
        "largest_rate_most": one.rate.high,
        "largest_rate_low": one.interval.low,
        "largest_rate_high": one.interval.high,
        "within_again": [rate_text(rate) for rate in one.returns],
        "pairs": list(gain.seeds) if gain else [],
        **{
            f"{name}_{end}": getattr(both[i], bound) if both else None
            for name, both in of_gain.items()
            for i, ends in enumerate(({"least": "low", "most": "high"}, {"low": "low", "high": "high"}))
            for end, bound in ends.items()
        },
    }
