"""The tables and lines of differences to the reference."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bench.results.frame.metrics import NONE, figure, p_value
from bench.results.statistics.analysis import Analysis
from bench.results.statistics.comparisons import Comparison, markable
from bench.results.tables import captions
from bench.results.tables.formats import Entry, Grid

BY = {
    "identical": "identical in all pairs",
    "none": "no test: n < 2",
    "permutation": "sign-flip",
    "t": "",
    "wilcoxon": "",
}
SAME = "the same pairs"
HEADERS = ("method", "rate", "pairs", "difference", "bootstrap", "p", "Holm p", "g", "TOST Holm p", "verdict")


@dataclass(frozen=True, kw_only=True)
class Variant:
    """The question itself on other seeds: a column of entries by rate."""

    header: str
    words: str
    entries: dict[str, str]


def headline(a: Analysis) -> Grid | None:
    """The question itself, the reference against its twin of the other background; plain, and the variants.

    None where no other method is compared: the table of comparisons then is this one.
    """
    plain = _of_twin(a, a.shown_comparisons)
    if not plain or _asked_alone(a):
        return None
    variants = _variants(a)
    caption = f"{_question(a)}, with its 95 % t interval, over all done seeds{_told(variants)}."
    rows = [[rate, _short(a, plain[rate]), *(v.entries[rate] for v in variants)] for rate in sorted(plain, key=float)]
    return Grid(caption, ["rate", "all done seeds", *(v.header for v in variants)], rows)


def comparisons(a: Analysis) -> Grid:
    """Method × rate against the reference: difference, intervals, tests, effect and equivalence.

    With the variants of the headline where this table stands for it.
    """
    alone = _asked_alone(a)
    variants = _variants(a) if alone else []
    ordered = sorted(a.shown_comparisons, key=lambda c: (c.label, float(c.rate)))
    rows = [[*_comparison(a, c), *(v.entries[c.rate] for v in variants)] for c in ordered]
    return Grid(_caption(a, alone, variants), [*HEADERS, *(v.header for v in variants)], rows)


def _caption(a: Analysis, alone: bool, variants: Sequence[Variant]) -> str:
    pair = f"Method − {a.reference}: mean difference{_unit(a)} at the same rate and seed"
    cut = any(c.disconnected for c in a.shown_comparisons)
    return (
        f"{_question(a) if alone else pair}, with its 95 % t interval and its BCa bootstrap interval (neither adjusted "
        f"for the family); {captions.TESTS[a.view.test]}; p raw and adjusted by Holm; g: mean/sd of the differences "
        f"(d_z) with Hedges' correction; equivalence by TOST, adjusted by Holm{_told(variants)}. {captions.margin(a)}"
        f"{f' {captions.DISCONNECTED}' if cut else ''}"
    )


def _question(a: Analysis) -> str:
    return (
        f"Freeze or prune? {a.twin} − {a.reference}, same criterion and scope, other background: mean "
        f"difference{_unit(a)} at the same rate and seed"
    )


def _unit(a: Analysis) -> str:
    step = figure(a.view.metric).step
    return f" in {step}" if step else ""


def _told(variants: Sequence[Variant]) -> str:
    return "".join(f"; {v.header}: {v.words}" for v in variants)


def _asked_alone(a: Analysis) -> bool:
    return {c.label for c in a.shown_comparisons} == {a.twin}


def _of_twin(a: Analysis, several: Sequence[Comparison]) -> dict[str, Comparison]:
    return {c.rate: c for c in several if c.label == a.twin}


def _variants(a: Analysis) -> list[Variant]:
    """Without disconnected networks, and with diverged ones as chance; only those that change a pair."""
    known = {
        "connected seeds only": (
            f"without {captions.CUT}",
            a.connected,
        ),
        "diverged = chance": (f"with diverged seeds counted as chance ({captions.chance(a)})", a.chance),
    }
    if not figure(a.view.metric).is_accuracy:
        del known["diverged = chance"]
    plain, made = _of_twin(a, a.shown_comparisons), []
    for header, (said, several) in known.items():
        other = _of_twin(a, several)
        entries = {rate: _short(a, other.get(rate), c) for rate, c in plain.items()}
        made.append(Variant(header=header, words=said, entries=entries))
    return [variant for variant in made if set(variant.entries.values()) != {SAME}]


def _short(a: Analysis, c: Comparison | None, plain: Comparison | None = None) -> str:
    if c and plain and c.seeds == plain.seeds:
        return SAME
    if c is None or c.n == 0:
        return "no pair left"
    return f"{difference(a, c)}, n = {c.n}, Holm p {p_value(c.p_holm)}"


def _comparison(a: Analysis, c: Comparison) -> list[Entry]:
    effect = NONE if math.isnan(c.g) else f"{c.g:+.2f}".replace("-", "−")
    return [
        c.label, c.rate, str(c.n), difference(a, c), _interval(a, c.bootstrap.low, c.bootstrap.high) or NONE,
        p_value(c.p), p_value(c.p_holm), effect, p_value(c.p_equivalence_holm), verdict(a, c),
    ]  # fmt: skip


def difference(a: Analysis, c: Comparison) -> str:
    """The mean difference with its 95 % t interval: +0.50 [−0.10, +1.10]"""
    interval = _interval(a, c.interval.low, c.interval.high)
    return f"{figure(a.view.metric).difference(c.difference)}{f' {interval}' if interval else ''}"


def _interval(a: Analysis, low: float, high: float) -> str:
    shown = figure(a.view.metric)
    return "" if math.isnan(low) or math.isnan(high) else f"[{shown.difference(low)}, {shown.difference(high)}]"


def verdict(a: Analysis, c: Comparison) -> str:
    """What the tests say, and what they rest on."""
    arrow = {"higher": "higher ↑", "lower": "lower ↓"}.get(c.verdict, "")
    by = BY[c.decided_by] if c.decided_by != a.view.test else ""
    exact = c.decided_by in ("wilcoxon", "permutation")
    small = "n too small" if exact and not markable(c, c.family, a.view.alpha) else ""
    cut = f"†{c.disconnected}" if c.disconnected else ""
    found = ", ".join(part for part in (arrow, "equivalent ≈" if c.equivalent else "", by, small) if part)
    return " ".join(part for part in (found or "open", cut) if part)


def sensitivity(a: Analysis) -> list[str]:
    """The comparisons in which a seed diverged, again with such seeds counted as chance. None but for accuracies.

    Those of the question itself have a column of their own.
    """
    if not figure(a.view.metric).is_accuracy:
        return []
    return _changed(a, [c for c in a.chance if c.label != a.twin], "without them")


def trained_only(a: Analysis) -> list[str]:
    """The comparisons of a cell with seeds near chance and others, again without the former.

    Not those that the headline's column of connected seeds already has.
    """
    told = {(c.label, c.rate, c.seeds) for c in a.connected if c.label == a.twin}
    return _changed(a, [c for c in a.trained if (c.label, c.rate, c.seeds) not in told], "with them")


def _changed(a: Analysis, several: Sequence[Comparison], plain: str) -> list[str]:
    """A line for each comparison shown that has other pairs than the plain one, which stands behind it."""
    shown = {(c.label, c.rate): c for c in a.shown_comparisons}
    pairs = [(shown[c.label, c.rate], c) for c in several if (c.label, c.rate) in shown]
    return [
        f"{new.label}, rate {new.rate}: {_short(a, new)} ({plain}: {_short(a, old)})"
        for old, new in pairs
        if new.seeds != old.seeds
    ]
