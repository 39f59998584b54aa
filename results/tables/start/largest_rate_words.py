"""What is said of the largest rates: what the starts differ in, and what the table's numbers are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

from bench.messages import counted
from bench.results.frame.starts import SCRATCH
from bench.results.frame.words import rate_text
from bench.results.statistics.analysis import Analysis
from bench.results.statistics.cells import whole_units
from bench.results.statistics.largest_rate import RESAMPLES, Gain, LargestRate
from bench.results.tables import reach
from bench.results.tables.marks import chance

RETURNS = "*"
OTHER_GRID = "¶"


def title(analysis: Analysis) -> str:
    """Largest rate within 1 point of the method's own dense network"""
    return f"Largest rate within {points(analysis)} of the method's own dense network"


def points(analysis: Analysis) -> str:
    """The margin below dense: 1 point; 0.5 points"""
    number = 100 * analysis.view.within
    return f"{number:g} {'point' if number == 1 else 'points'}"


def sentence(analysis: Analysis, start: str, gained: Sequence[Gain]) -> str:
    """For how many methods the interval of the difference is above 0, below it, or holds it, or judges nothing."""
    of_start = [gain for gain in gained if gain.start == start]
    judged = [gain for gain in of_start if len(gain.seeds) >= reach.FEW]
    clauses = [_verdict(start, judged, len(of_start))] if judged else []
    if unjudged := [gain for gain in of_start if len(gain.seeds) < reach.FEW]:
        n = " or ".join(map(str, sorted({len(gain.seeds) for gain in unjudged})))
        methods = _methods([gain.cell.label for gain in unjudged], len(of_start))
        clauses.append(
            f"{start} against {SCRATCH} is not judged with n = {n} for {methods}: below {reach.FEW} seeds an interval "
            "is too narrow"
        )
    return f"Within {points(analysis)} of dense, {'; '.join(clauses)}."


def _verdict(start: str, judged: Sequence[Gain], total: int) -> str:
    higher = [gain.cell.label for gain in judged if gain.interval.low > 0]
    lower = [gain.cell.label for gain in judged if gain.interval.high < 0]
    open_ = [gain.cell.label for gain in judged if gain.cell.label not in {*higher, *lower}]
    said = {"higher rate": higher, "lower rate": lower}
    words = [f"a {what} for {_methods(labels, total)}" for what, labels in said.items() if labels]
    clauses = [f"{start} allows {' and '.join(words)} than {SCRATCH}"] if words else []
    if open_:
        between = "" if words else f" between {start} and {SCRATCH}"
        clauses.append(f"no difference{between} is established for {_methods(open_, total)}")
    return f"{'; '.join(clauses)} (95 % intervals, each by itself)"


def _methods(labels: Sequence[str], total: int) -> str:
    """2 of 6 methods (freeze, snip)"""
    return f"{len(labels)} of {counted(total, 'method')} ({', '.join(labels)})"


def caption(analysis: Analysis, rated: Sequence[LargestRate], gained: Sequence[Gain]) -> str:
    metric = analysis.view.shown_metric.caption.lower()
    sizes = {len(one.curve.seeds) for one in rated} | {len(gain.seeds) for gain in gained}
    n = f"n = {counted(min(sizes), 'seed')}" if len(sizes) == 1 else "the seeds that have every rate"
    return " ".join(
        [
            f"the rate up to which the mean {metric} over {n} is no more than {points(analysis)} "
            "below that of dense from the same start, at it and at every lower rate of the grid "
            f"({_rates(usual_grid(rated))}); between two rates the loss is linear in the logarithm of the density.",
            *_other_grids(rated),
            "<, ≥: beyond the grid.",
            *([f"{RETURNS}: it comes within again at a higher rate."] if any(one.returns for one in rated) else []),
            *_interval(rated, sizes),
            *(["Difference: start − scratch, at the same seeds."] if gained else []),
            *([f"Diverged seeds count as chance, {chance(analysis)}."] if _diverged(analysis, rated) else []),
        ]
    )


def usual_grid(rated: Sequence[LargestRate]) -> tuple[Decimal, ...]:
    """The rates asked for of most methods and starts; of several such, the most rates."""
    counts = Counter(one.grid for one in rated)
    return max(counts, key=lambda grid: (counts[grid], len(grid)))


def _other_grids(rated: Sequence[LargestRate]) -> list[str]:
    """Which methods have other rates, and which rates are counted."""
    usual, said = usual_grid(rated), []
    others = [one for one in rated if one.grid != usual]
    if others:
        several = len({one.start for one in rated}) > 1
        words = [f"{one.cell.label}{f' from {one.start}' if several else ''}: {_rates(one.grid)}" for one in others]
        said.append(f"{OTHER_GRID}: has other rates; {'; '.join(words)}.")
    if any(one.grid != one.curve.rates for one in rated):
        whole = whole_units(one.cell for one in rated)
        said.append(f"The rates are those asked for; of {whole} the loss is taken at the rates counted.")
    return said


def _rates(grid: Sequence[Decimal]) -> str:
    return ", ".join(map(rate_text, grid))


def _interval(rated: Sequence[LargestRate], sizes: set[int]) -> list[str]:
    """What the intervals are; nothing if one seed has none."""
    if max(sizes) < 2:
        return []
    alike = "every start and method" if len({one.curve.seeds for one in rated}) == 1 else "all of the same seeds"
    interval = (
        f"[ ]: 95 % percentile interval over {RESAMPLES:,} resamples of whole seeds, the same for {alike}; it covers "
        "what may lie beyond the grid, and is not adjusted for the number of methods."
    )
    few = f"Below {reach.FEW} seeds such an interval is too narrow, and nothing is judged by it."
    return [interval, few] if min(sizes) < reach.FEW else [interval]


def _diverged(analysis: Analysis, rated: Sequence[LargestRate]) -> bool:
    records = {one.cell.record for one in rated}
    cells = [cell for of_start in analysis.starts.values() for cell in of_start if cell.record in records]
    return any(cell.seeds_lost("diverged") for cell in cells)
