"""The tables of a section, as grids of text."""

from __future__ import annotations

from collections.abc import Callable
from math import isnan

from bench import names
from bench.results.frame.collect import DENSE
from bench.results.frame.metrics import NONE, figure
from bench.results.statistics.analysis import Analysis
from bench.results.statistics.cells import Cell, percent_of_dense
from bench.results.statistics.comparisons import Comparison
from bench.results.tables import captions
from bench.results.tables.formats import Bold, Entry, Grid


def main(a: Analysis) -> Grid:
    """Methods × rates: mean ± sd, the best of a rate in bold, marks against the reference."""
    verdicts = {(c.label, c.rate): c for c in a.comparisons}
    best = _best(a)

    def entry(cell: Cell) -> Entry:
        place = cell.label, cell.rate
        return _entry(a, cell, verdicts.get(place), place in best)

    return _by_rate(a, captions.main_caption(a), entry)


def percent(a: Analysis) -> Grid | None:
    """Methods × rates: percent of the dense baseline, mean over the seeds both have."""
    dense = a.dense
    if dense is None:
        return None
    shares = {(cell.label, cell.rate): percent_of_dense(cell, dense) for cell in a.shown if cell.background != DENSE}
    sizes = {share.n for share, _ in shares.values() if share.n}
    if not sizes:
        return None

    def entry(cell: Cell) -> str:
        share, interval = shares[cell.label, cell.rate]
        size = f" (n = {share.n})" if len(sizes) > 1 else ""
        spread = "" if isnan(interval.low) else f" [{interval.low:.2f}, {interval.high:.2f}]"
        return f"{share.mean:.2f}{spread}{size}" if share.n else NONE

    n = "n" if len(sizes) > 1 else f"n = {min(sizes)}"
    caption = (
        f"Percent of the dense baseline at the same seed: mean over the {n} seeds both have, with its 95 % t interval."
    )
    return _by_rate(a, caption, entry)


def _by_rate(a: Analysis, caption: str, entry: Callable[[Cell], Entry]) -> Grid:
    shown = [cell for cell in a.shown if cell.background != DENSE]
    rates = sorted({cell.rate for cell in shown}, key=float)
    found = {(cell.label, cell.rate): cell for cell in shown}
    rows: list[list[Entry]] = []
    for label in sorted({cell.label for cell in shown}):
        here = [found.get((label, rate)) for rate in rates]
        rows.append([label, *(entry(cell) if cell else NONE for cell in here)])
    return Grid(caption, ["method", *rates], rows)


def _best(a: Analysis) -> set[tuple[str, str]]:
    """Label and rate of the best cells of each rate, among those of the whole section that have every seed."""
    better = figure(a.view.metric).better
    by_rate: dict[str, list[Cell]] = {}
    for cell in a.cells:
        if cell.background != DENSE and cell.complete:
            by_rate.setdefault(cell.rate, []).append(cell)
    pick = max if better > 0 else min
    best: set[tuple[str, str]] = set()
    for rate, here in by_rate.items():
        if better and len(here) > 1:
            top = pick(cell.summary.mean for cell in here)
            best |= {(cell.label, rate) for cell in here if cell.summary.mean == top}
    return best


def _entry(a: Analysis, cell: Cell, c: Comparison | None, best: bool) -> Entry:
    shown, s = figure(a.view.metric), cell.summary
    if s.n == 0:
        return f"{NONE}{_lost(cell)}"
    text = shown.number(s.mean) if s.n == 1 else f"{shown.number(s.mean)} ± {shown.number(s.sd)}"
    arrow = {"higher": " ↑", "lower": " ↓"}.get(c.verdict, "") if c else ""
    equal = " ≈" if c and c.equivalent else ""
    cut = f" †{len(cell.disconnected)}" if cell.disconnected else ""
    after = f"{arrow}{equal}{cut}{_lost(cell)}"
    return Bold(text, after) if best else f"{text}{after}"


def _lost(cell: Cell) -> str:
    """(n = 3, 2 diverged): the seeds a cell stands on, where some are lost."""
    kinds = [(kind, len(cell.seeds_lost(kind))) for kind in (names.DIVERGED, names.FAILED, "no figure")]
    parts = [f"{number} {kind}" for kind, number in [*kinds, ("missing", len(cell.missing))] if number]
    return f" ({', '.join([f'n = {cell.summary.n}', *parts])})" if parts else ""
