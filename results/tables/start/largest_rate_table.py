"""How far a method can go within a margin of its dense network, from each start: the table, in words and in numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from bench.messages import counted
from bench.metrics import NONE
from bench.results.frame.starts import SCRATCH
from bench.results.frame.words import rate_text
from bench.results.statistics.analysis import Analysis
from bench.results.statistics.largest_rate import RESAMPLES, Gain, LargestRate, gains, largest_rates
from bench.results.tables import reach
from bench.results.tables.formats import Block, Bullets, Grid
from bench.results.tables.marks import chance
from bench.results.tables.start.bounds_text import difference, factor, rate_and_interval

RETURNS = "*"


def is_first(analysis: Analysis) -> bool:
    """Whether its section is the first of its family that is shown: what is said of all starts is said there."""
    shown = (start for start, cells in analysis.starts.items() if any(map(analysis.view.shows, cells)))
    return next(shown, None) == analysis.section.start


def title(analysis: Analysis) -> str:
    """Largest rate within 1 point of the method's own dense network"""
    return f"Largest rate within {points(analysis)} of the method's own dense network"


def points(analysis: Analysis) -> str:
    """The margin below dense: 1 point; 0.5 points"""
    number = 100 * analysis.view.within
    return f"{number:g} {'point' if number == 1 else 'points'}"


def blocks(analysis: Analysis) -> Iterator[Block]:
    """What the starts differ in, and the table; nothing but for the first section of a family that is shown."""
    if not (analysis.view.shown_metric.is_accuracy and is_first(analysis)):
        return
    rated = ordered(largest_rates(analysis))
    gained = gains(rated, analysis.view.within)
    if gained:
        yield Bullets([_sentence(analysis, start, gained) for start in dict.fromkeys(gain.start for gain in gained)])
    if rated:
        yield _grid(analysis, rated, gained)


def ordered(rated: Sequence[LargestRate]) -> list[LargestRate]:
    """A frozen method beside the pruned one that chooses the same weights."""
    return sorted(rated, key=lambda one: (one.cell.record.selection, one.cell.background, one.cell.label))


def _sentence(analysis: Analysis, start: str, gained: Sequence[Gain]) -> str:
    """For how many methods the interval of the difference is above 0, below it, or holds it."""
    of_start = [gain for gain in gained if gain.start == start]
    tested = [gain for gain in of_start if len(gain.seeds) > 1]
    higher = [gain.cell.label for gain in tested if gain.interval.low > 0]
    lower = [gain.cell.label for gain in tested if gain.interval.high < 0]
    open_ = [gain.cell.label for gain in of_start if gain.cell.label not in {*higher, *lower}]
    said = {"higher rate": higher, "lower rate": lower}
    words = [f"a {what} for {_methods(labels, len(of_start))}" for what, labels in said.items() if labels]
    left = f"no difference is established for {_methods(open_, len(of_start))}"
    allowed = f"{start} allows {' and '.join(words)} than {SCRATCH}" if words else ""
    clauses = [clause for clause in (allowed, left if open_ else "") if clause]
    return f"Within {points(analysis)} of dense, {'; '.join(clauses)} (95 % intervals, each by itself)."


def _methods(labels: Sequence[str], total: int) -> str:
    """2 of 6 methods (freeze, snip)"""
    return f"{len(labels)} of {counted(total, 'method')} ({', '.join(labels)})"


def _grid(analysis: Analysis, rated: Sequence[LargestRate], gained: Sequence[Gain]) -> Grid:
    starts = [start for start in analysis.starts if any(one.start == start for one in rated)]
    others = [start for start in starts if any(gain.start == start for gain in gained)]
    sizes = {len(one.curve.seeds) for one in rated} | {len(gain.seeds) for gain in gained}
    by_place = {(one.cell.record, one.start): one for one in rated}
    gains_at = {(gain.cell.record, gain.start): gain for gain in gained}
    methods = {one.cell.record: one.cell.label for one in rated}
    rows = []
    for record, label in methods.items():
        entries = [_rate(by_place.get((record, start)), sizes) for start in starts]
        for start in others:
            entries += _gain(gains_at.get((record, start)), sizes)
        rows.append([label, *entries])
    headers = ["method", *starts]
    for start in others:
        than = f": {start}" if len(others) > 1 else ""
        headers += [f"difference{than}", f"times fewer trained weights{than}"]
    return Grid(_caption(analysis, rated, sizes), headers, rows, title(analysis))


def _rate(one: LargestRate | None, sizes: set[int]) -> str:
    if one is None:
        return NONE
    ends = float(one.curve.rates[0]), float(one.curve.rates[-1])
    again = RETURNS if one.returns else ""
    return f"{rate_and_interval(one.rate, one.interval, ends)}{again}{_n(len(one.curve.seeds), sizes)}"


def _gain(gain: Gain | None, sizes: set[int]) -> list[str]:
    if gain is None:
        return [NONE, NONE]
    differs = f"{difference(gain.difference, gain.interval)}{_n(len(gain.seeds), sizes)}"
    return [differs, factor(gain.factor, gain.factor_interval)]


def _n(n: int, sizes: set[int]) -> str:
    return f" (n = {n})" if len(sizes) > 1 else ""


def _caption(analysis: Analysis, rated: Sequence[LargestRate], sizes: set[int]) -> str:
    metric = analysis.view.shown_metric.caption.lower()
    n = f"n = {counted(min(sizes), 'seed')}" if len(sizes) == 1 else "the seeds that have every rate"
    return " ".join(
        [
            f"{title(analysis)}: the rate up to which the mean {metric} over {n} is no more than {points(analysis)} "
            "below that of dense from the same start, at it and at every lower rate of the grid "
            f"({grid_words(rated)}); between two rates the loss is linear in the logarithm of the density.",
            "<, ≥: beyond the grid.",
            *([f"{RETURNS}: it comes within again at a higher rate."] if any(one.returns for one in rated) else []),
            f"[ ]: 95 % percentile interval over {RESAMPLES:,} resamples of whole seeds, the same for every start and "
            "method; it covers what may lie beyond the grid, and is not adjusted for the number of methods.",
            *(["Difference: start − scratch, at the same seeds."] if len(analysis.starts) > 1 else []),
            *([few] if (few := _few(sizes)) else []),
            *([f"Diverged seeds count as chance, {chance(analysis)}."] if _diverged(analysis) else []),
        ]
    )


def grid_words(rated: Sequence[LargestRate]) -> str:
    """The rates between which is interpolated: 0.5, 0.9, 0.99; those of all methods together."""
    return ", ".join(rate_text(rate) for rate in sorted({rate for one in rated for rate in one.curve.rates}))


def _few(sizes: set[int]) -> str:
    return f"Below {reach.FEW} seeds such an interval is too narrow." if 1 < min(sizes) < reach.FEW else ""


def _diverged(analysis: Analysis) -> bool:
    cells = [cell for of_start in analysis.starts.values() for cell in of_start if cell.rated]
    return any(cell.seeds_lost("diverged") for cell in cells)


def records(analysis: Analysis) -> list[dict[str, Any]]:
    """A record for each method and start, at full precision; a rate outside the grid by its bounds."""
    if not (analysis.view.shown_metric.is_accuracy and is_first(analysis)):
        return []
    rated = ordered(largest_rates(analysis))
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
