"""The tables of a section, as grids of text."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from math import isnan

from bench.metrics import NONE
from bench.results.frame.words import low_to_high, rate_text
from bench.results.statistics import two_way
from bench.results.statistics.analysis import Analysis
from bench.results.statistics.cells import Cell, Key, beside_each_other, in_doubt, percent_of_dense
from bench.results.statistics.comparisons import Comparison
from bench.results.statistics.stats import Interval
from bench.results.tables import captions
from bench.results.tables.formats import Bold, Entry, Grid
from bench.results.tables.images import two_way_words
from bench.results.tables.marks import CONFLICT, OF_PAIRS, REALISED, lost, of_seeds


def main(analysis: Analysis) -> Grid | None:
    """Methods × rates: mean ± sd, the best of a rate in bold, marks against the reference; None if no methods that are
    compared are shown.
    """
    if not beside_each_other(analysis.shown):
        return None
    verdicts, best = analysis.against_reference, _best(analysis)

    def entry(cell: Cell) -> Entry:
        return _entry(analysis, cell, verdicts.get(cell.key), cell.key in best)

    return _by_rate(analysis, captions.main_caption(analysis), entry, captions.figure(analysis))


def percent(analysis: Analysis) -> Grid | None:
    """Methods × rates: percent of the dense baseline, mean over the seeds both have."""
    dense = analysis.dense
    if dense is None or not beside_each_other(analysis.shown):
        return None
    shares = {cell.key: percent_of_dense(cell, dense) for cell in beside_each_other(analysis.shown)}
    doubtful = {cell.key: in_doubt(cell, dense) for cell in beside_each_other(analysis.shown)}
    sizes = {share.n for share, _ in shares.values() if share.n}
    if not sizes:
        return None
    images = {cell.key: two_way.of_percent_of_dense(cell, dense) for cell in beside_each_other(analysis.shown)}

    def entry(cell: Cell) -> str:
        share, interval = shares[cell.key]
        size = f" (n = {share.n})" if len(sizes) > 1 else ""
        doubt = f" {CONFLICT}{doubtful[cell.key]}" if doubtful[cell.key] else ""
        spread = "" if isnan(interval.low) else f" [{interval.low:.2f}, {interval.high:.2f}]"
        return f"{share.mean:.2f}{spread}{_both(images[cell.key])}{size}{doubt}" if share.n else NONE

    n = "n" if len(sizes) > 1 else f"n = {min(sizes)}"
    caption = (
        f"Percent of the dense baseline at the same seed: mean over the {n} seeds both have, with its 95 % t interval."
        f"{two_way_words.of_shares(list(images.values()))}"
        f"{f' {OF_PAIRS[CONFLICT]}' if any(doubtful.values()) else ''}"
    )
    return _by_rate(analysis, caption, entry, "Percent of the dense baseline")


def _both(interval: Interval) -> str:
    """, × [97.21, 99.02]: the interval over seeds and test images, if there is one."""
    return "" if isnan(interval.low) else f", × [{interval.low:.2f}, {interval.high:.2f}]"


def _by_rate(analysis: Analysis, caption: str, entry: Callable[[Cell], Entry], title: str) -> Grid:
    shown = beside_each_other(analysis.shown)
    rates = sorted({cell.rate for cell in shown})
    by_key = {cell.key: cell for cell in shown}
    rows: list[list[Entry]] = []
    for label in sorted({cell.label for cell in shown}):
        here = [by_key.get((label, rate)) for rate in rates]
        rows.append([label, *(entry(cell) if cell else NONE for cell in here)])
    return Grid(caption, ["method", *map(rate_text, rates)], rows, title)


def _best(analysis: Analysis) -> set[Key]:
    """Label and rate of the best cells of each rate, among those of the whole section that have every seed."""
    better = analysis.view.shown_metric.better
    by_rate: dict[Decimal, list[Cell]] = {}
    for cell in analysis.cells:
        if cell.rated and cell.complete and cell.record.at_initialisation:
            by_rate.setdefault(cell.rate, []).append(cell)
    pick = max if better > 0 else min
    best: set[Key] = set()
    for here in by_rate.values():
        if better and len(here) > 1:
            top = pick(cell.summary.mean for cell in here)
            best |= {cell.key for cell in here if cell.summary.mean == top}
    return best


def _entry(analysis: Analysis, cell: Cell, c: Comparison | None, best: bool) -> Entry:
    shown, s = analysis.view.shown_metric, cell.summary
    if s.n == 0:
        return f"{NONE}{of_seeds(cell)}{lost(cell)}"
    text = shown.number(s.mean) if s.n == 1 else f"{shown.number(s.mean)} ± {shown.number(s.sd)}"
    arrow = {"higher": " ↑", "lower": " ↓"}.get(c.verdict, "") if c else ""
    equal = " ≈" if c and c.equivalent else ""
    after = f"{arrow}{equal}{of_seeds(cell)}{_realised(cell)}{lost(cell)}"
    return Bold(text, after) if best else f"{text}{after}"


def _realised(cell: Cell) -> str:
    """@0.9036: the rate that whole filters or channels have, if it is not the one asked for."""
    if cell.realised is None:
        return ""
    least = 1 - cell.realised[1]
    digits = 4 if least <= 0 else max(4, 2 - math.floor(math.log10(least)))
    return f" {REALISED}{low_to_high(*cell.realised, f'.{digits}f')}"
