"""The tables of a section, as grids of text."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from bench import names
from results import stats, words
from results.analysis import Analysis
from results.cells import Cell, Comparison, percent_of_dense
from results.collect import DENSE
from results.figures import NONE, count, figure, p_value
from results.formats import Bold, Entry, Grid

BY = {
    "identical": "identical in all pairs",
    "none": "no test: n < 2",
    "permutation": "sign-flip",
    "t": "",
    "wilcoxon": "",
}


def main(a: Analysis) -> Grid:
    """Methods × rates: mean ± sd, the best of a rate in bold, marks against the reference."""
    verdicts = {(c.label, c.rate): c for c in a.comparisons}
    best = _best(a)
    return _by_rate(a, words.main_caption(a), lambda cell: _entry(a, cell, verdicts.get((cell.label, cell.rate)), best))


def percent(a: Analysis) -> Grid | None:
    """Methods × rates: percent of the dense baseline, mean over the seeds both have."""
    dense = a.dense
    if dense is None:
        return None

    def entry(cell: Cell) -> str:
        share = percent_of_dense(cell, dense)
        return f"{share.mean:.2f} (n = {share.n})" if share.n else NONE

    caption = "Percent of the dense baseline at the same seed: mean over the n seeds both have."
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


def _best(a: Analysis) -> dict[str, float]:
    """The best mean of each rate with at least two methods, over the whole section."""
    better = figure(a.view.metric).better
    means: dict[str, list[float]] = {}
    for cell in a.cells:
        if cell.values and cell.background != DENSE:
            means.setdefault(cell.rate, []).append(cell.summary.mean)
    pick = max if better > 0 else min
    return {rate: pick(several) for rate, several in means.items() if better and len(several) > 1}


def _entry(a: Analysis, cell: Cell, c: Comparison | None, best: dict[str, float]) -> Entry:
    shown, s = figure(a.view.metric), cell.summary
    if s.n == 0:
        return f"{NONE}{_lost(cell)}"
    text = shown.number(s.mean) if s.n == 1 else f"{shown.number(s.mean)} ± {shown.number(s.sd)}"
    arrow = {"higher": " ↑", "lower": " ↓"}.get(c.verdict, "") if c else ""
    equal = " ≈" if c and c.equivalent else ""
    collapsed = f" †{len(cell.collapsed)}" if cell.collapsed else ""
    after = f"{arrow}{equal}{collapsed}{_lost(cell)}"
    return Bold(text, after) if best.get(cell.rate) == s.mean else f"{text}{after}"


def _lost(cell: Cell) -> str:
    """(n = 3, 2 diverged): the seeds a cell stands on, where some are lost."""
    kinds = [(kind, len(cell.seeds_lost(kind))) for kind in (names.DIVERGED, names.FAILED, "no figure")]
    parts = [f"{number} {kind}" for kind, number in [*kinds, ("missing", len(cell.missing))] if number]
    return f" ({', '.join([f'n = {cell.summary.n}', *parts])})" if parts else ""


def comparisons(a: Analysis) -> Grid:
    """Method × rate against the reference: difference, intervals, tests, effect and equivalence."""
    step = figure(a.view.metric).step
    caption = (
        f"Method − {a.reference} at the same rate and seed{f', in {step}' if step else ''}: mean difference with its "
        "95 % t interval and its BCa bootstrap interval (neither adjusted for the family); "
        f"{words.TESTS[a.view.test]}; p raw and adjusted by Holm; g: mean/sd of the differences (d_z) with Hedges' "
        f"correction; equivalence by TOST, adjusted by Holm. {words.margin(a)}"
    )
    headers = ["method", "rate", "pairs", "difference", "bootstrap", "p", "Holm p", "g", "TOST Holm p", "verdict"]
    ordered = sorted(a.shown_comparisons, key=lambda c: (c.label, float(c.rate)))
    return Grid(caption, headers, [_comparison(a, c) for c in ordered])


def _comparison(a: Analysis, c: Comparison) -> list[Entry]:
    effect = NONE if math.isnan(c.g) else f"{c.g:+.2f}".replace("-", "−")
    return [
        c.label, c.rate, str(c.n), difference(a, c), _interval(a, c.bootstrap.low, c.bootstrap.high) or NONE,
        p_value(c.p), p_value(c.p_holm), effect, p_value(c.p_equivalence_holm), _verdict(a, c),
    ]  # fmt: skip


def difference(a: Analysis, c: Comparison) -> str:
    """+0.50 [−0.10, +1.10]"""
    interval = _interval(a, c.interval.low, c.interval.high)
    return f"{figure(a.view.metric).difference(c.difference)}{f' {interval}' if interval else ''}"


def _interval(a: Analysis, low: float, high: float) -> str:
    shown = figure(a.view.metric)
    return "" if math.isnan(low) or math.isnan(high) else f"[{shown.difference(low)}, {shown.difference(high)}]"


def _verdict(a: Analysis, c: Comparison) -> str:
    arrow = {"higher": "higher ↑", "lower": "lower ↓"}.get(c.verdict, "")
    by = BY[c.decided_by] if c.decided_by != a.view.test else ""
    exact = c.decided_by in ("wilcoxon", "permutation")
    small = "n too small" if exact and not stats.reachable(c.n, c.family, a.view.alpha) else ""
    collapsed = f"†{c.collapsed}" if c.collapsed else ""
    found = ", ".join(part for part in (arrow, "equivalent ≈" if c.equivalent else "", by, small) if part)
    return " ".join(part for part in (found or "open", collapsed) if part)


def headline(a: Analysis) -> Grid | None:
    """The question itself, the reference against its twin of the other background; plain, and two sensitivities."""
    rates = [c.rate for c in a.shown_comparisons if c.label == a.twin]
    if not rates:
        return None
    plain, *variants = (
        {c.rate: c for c in several if c.label == a.twin} for several in (a.comparisons, a.connected, a.chance)
    )
    rows = [
        [rate, _short(a, plain[rate]), *(_short(a, variant.get(rate), plain[rate]) for variant in variants)]
        for rate in sorted(rates, key=float)
    ]
    caption = (
        f"Freeze or prune? {a.twin} − {a.reference}: same criterion, same scope, other background; mean difference "
        "with its 95 % interval. First over all done seeds, then without the seeds whose pruned network has a layer "
        f"without a live weight, then with diverged seeds counted as chance ({words.chance(a)})."
    )
    accuracy = figure(a.view.metric).is_accuracy
    headers = ["rate", "all done seeds", "connected seeds only", "diverged = chance"]
    return Grid(caption, headers if accuracy else headers[:3], [row if accuracy else row[:3] for row in rows])


def _short(a: Analysis, c: Comparison | None, plain: Comparison | None = None) -> str:
    if c is None or c.n == 0:
        return "no pair left"
    if plain and c.seeds == plain.seeds:
        return "the same pairs"
    return f"{difference(a, c)}, n = {c.n}, Holm p {p_value(c.p_holm)}"


def counts(a: Analysis) -> Grid:
    """Rates × counts: what is stored, and what a step costs frozen and pruned."""
    chosen = a.shown
    rates = sorted({cell.rate for cell in chosen}, key=float)
    rows = [[rate, *_counts([cell for cell in a.cells if cell.rate == rate])] for rate in rates]
    caption = (
        "What each rate stores and computes. Stored parameters: live weights, biases, BatchNorm's scale and shift; "
        "compression: all parameters / stored ones. Multiply-accumulates (MACs) per image count non-zero weights: a "
        "frozen network stays dense in the forward pass, so it saves storage and no forward work; a pruned one saves "
        "both."
    )
    headers = ["rate", "live weights", "stored parameters", "compression"]
    work = [f"{way} MACs, {kind}" for way in ("forward", "backward") for kind in ("frozen", "pruned")]
    return Grid(caption, [*headers, *work], rows)


def _counts(here: list[Cell]) -> list[str]:
    def over(name: str, backgrounds: Iterable[str], form: str = ",.0f") -> str:
        pairs = [c.counts[name] for c in here if c.background in backgrounds and name in c.counts]
        return count(min(p[0] for p in pairs), max(p[1] for p in pairs), form) if pairs else NONE

    everything = ("freeze", "prune", DENSE)
    ways = [
        over(way, (kind, DENSE)) for way in (names.FORWARD_MACS, names.BACKWARD_MACS) for kind in ("freeze", "prune")
    ]
    compression = over(names.COMPRESSION, everything, ".1f")
    return [
        over(names.LIVE_WEIGHTS, everything),
        over(names.STORED_PARAMETERS, everything),
        compression if compression == NONE else f"×{compression}",
        *ways,
    ]
