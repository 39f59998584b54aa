"""What to doubt of a pair's verdicts: networks that are cut, seeds that are lost, cells near chance."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from bench import names
from bench.messages import counted
from bench.results.frame.display_names import BACKGROUNDS
from bench.results.frame.words import rate_text
from bench.results.statistics.analysis import CHANCE, CONNECTED, TRAINED, Analysis
from bench.results.statistics.comparisons import Comparison
from bench.results.tables.answer.verdicts import HIGHER, LOWER, rates, verdict_of
from bench.results.tables.marks import DOUBTS

# A verdict over other seeds, as the end of "without them …".
AGAIN = {**dict.fromkeys(HIGHER, "freezing is higher"), **dict.fromkeys(LOWER, "pruning is higher")}
NOTHING = "no difference is established"
LOST = {names.DIVERGED: "diverged", names.FAILED: "failed", "no figure": "without the figure"}


def caveats(analysis: Analysis, pair: Sequence[Comparison], every: Sequence[Decimal]) -> list[str]:
    """A clause each, of the comparisons of one pair."""
    return [*_cut(analysis, pair), *_conflicting(pair), *_lost(analysis, pair), *_near_chance(analysis, pair, every)]


def _cut(analysis: Analysis, pair: Sequence[Comparison]) -> list[str]:
    return [
        f"at {rate_text(c.rate)} {c.disconnected} of {counted(c.n, 'pruned network')} "
        f"{'are' if c.disconnected > 1 else 'is'} disconnected{_otherwise(analysis, c, CONNECTED, 'without')}"
        for c in pair
        if c.disconnected
    ]


def _conflicting(pair: Sequence[Comparison]) -> list[str]:
    return [
        f"at {rate_text(c.rate)} the results of {counted(c.conflicting, 'pair')} disagree in the store"
        for c in pair
        if c.conflicting
    ]


def _lost(analysis: Analysis, pair: Sequence[Comparison]) -> list[str]:
    """The trials that gave no figure, by rate, side and outcome."""
    clauses = []
    for c in pair:
        losses = [
            f"{counted(len(seeds), f'{BACKGROUNDS[side.background]} trial')} {words}"
            for side in (analysis.by_key[key] for key in c.sides)
            for outcome, words in LOST.items()
            if (seeds := side.seeds_lost(outcome))
        ]
        if losses:
            otherwise = _otherwise(analysis, c, CHANCE, "with divergence counted as chance")
            clauses.append(f"at {rate_text(c.rate)} {' and '.join(losses)}{otherwise}")
    return clauses


def _otherwise(analysis: Analysis, c: Comparison, variant: str, words: str) -> str:
    """What a variant of the family says, if it has other pairs: its verdict, or that none changes."""
    others = analysis.primary.variants.get(variant, [])
    again = next((other for other in others if other.sides == c.sides), None)
    if again is None or again.seeds == c.seeds:
        return ""
    verdict = verdict_of(analysis, again)
    if verdict == verdict_of(analysis, c):
        return f" ({words}{' them' if variant == CONNECTED else ''}: the same verdict)"
    said = AGAIN.get(verdict, NOTHING)
    return f" ({words}{' them' if variant == CONNECTED else ''}: {said})"


def _near_chance(analysis: Analysis, pair: Sequence[Comparison], every: Sequence[Decimal]) -> list[str]:
    clauses = []
    for doubt, (_, words) in DOUBTS.items():
        if doubtful := [c.rate for c in pair if doubt in analysis.doubts[c.sides]]:
            clauses.append(f"at {rates(doubtful, every)} {words}")
    return [*clauses, *_without_near_chance(analysis, pair, every)]


def _without_near_chance(analysis: Analysis, pair: Sequence[Comparison], every: Sequence[Decimal]) -> list[str]:
    """The verdicts that are others without the seeds near chance."""
    again = {c.sides: c for c in analysis.primary.variants.get(TRAINED, [])}
    others: dict[str, list[Decimal]] = {}
    for c in pair:
        other = again.get(c.sides, c)
        verdict = verdict_of(analysis, other)
        if other.seeds != c.seeds and verdict != verdict_of(analysis, c):
            others.setdefault(AGAIN.get(verdict, NOTHING), []).append(c.rate)
    return [f"without the seeds near chance {words} at {rates(changed, every)}" for words, changed in others.items()]
