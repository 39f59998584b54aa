"""Freeze or prune: every frozen method against the pruned one that chooses the same weights, in sentences and tables.

The numbers are those of the primary family of an analysis, the same in `bench table` and `bench report`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.messages import counted
from bench.metrics import NONE
from bench.results.frame.words import rate_text, rates_text
from bench.results.statistics.analysis import TRAINED, Analysis
from bench.results.statistics.comparisons import Comparison
from bench.results.tables import captions
from bench.results.tables.columns import PRIMARY, difference, difference_and_test, grid, marks_behind, unmarked, verdict
from bench.results.tables.formats import Block, Grid, Paragraph
from bench.results.tables.images import pooled_table
from bench.results.tables.marks import CONFLICT, DOUBTS, NO_PAIR, OF_PAIRS, SAME, variants
from bench.results.tables.reach import what_n_shows

MANY = 12  # comparisons that a sentence can name


def blocks(analysis: Analysis) -> Iterator[Block]:
    """The tables of the pairs shown, and what their number allows to conclude; nothing without a pair."""
    if not analysis.shown_primary:
        return
    if whole := matrix(analysis):
        yield whole
    yield table(analysis)
    yield Paragraph(what_n_shows(analysis, analysis.primary.whole, captions.primary_family(analysis)))
    if again := variants_table(analysis):
        yield again
    if whole := pooled_table.table(analysis):
        yield whole


def answer(analysis: Analysis) -> list[str]:
    """The verdict in sentences, over the whole family: what changes on other seeds, and what to doubt."""
    comparisons = analysis.primary.comparisons
    if not comparisons:
        return ["No frozen and pruned method that choose the same weights are in this section."]
    lines = [f"All done seeds: {_counted(comparisons)}."]
    for name, changed in _changed(analysis).items():
        words = variants(analysis)[name][1]
        lines.append(f"{words[0].upper()}{words[1:]}: {_counted(changed)}.")
    for doubt, (mark, words) in DOUBTS.items():
        if doubtful := [c for c in comparisons if doubt in analysis.doubts[c.sides]]:
            lines.append(f"{mark} In {_counted(doubtful)}: {words}.")
    return lines


def _changed(analysis: Analysis) -> dict[str, list[Comparison]]:
    """The variants of the family in which a pair is another."""
    seeds = [c.seeds for c in analysis.primary.comparisons]
    family = analysis.primary.variants
    return {name: family[name] for name in variants(analysis) if name in family and _seeds(family[name]) != seeds}


def _seeds(comparisons: Sequence[Comparison]) -> list[tuple[int, ...]]:
    return [c.seeds for c in comparisons]


def _counted(comparisons: Sequence[Comparison]) -> str:
    """12 comparisons: freezing higher in 3 (snip at 0.99, 0.995), lower in 0, equivalent in 5 (…), open in 4."""
    named = len(comparisons) <= MANY
    counts = [
        f"{words} in {len(judged)}{f' ({_rates(judged)})' if judged and named else ''}"
        for words, judged in _by_verdict(comparisons).items()
    ]
    return f"{counted(len(comparisons), 'comparison')}: {'; '.join(counts)}"


def _by_verdict(comparisons: Sequence[Comparison]) -> dict[str, list[Comparison]]:
    """Verdict in words -> the comparisons that have it."""
    judged: dict[str, list[Comparison]] = {"freezing higher": [], "pruning higher": [], "equivalent": [], "open": []}
    for c in comparisons:
        words = {"higher": "freezing higher", "lower": "pruning higher"}.get(c.verdict, "")
        if c.equivalent:
            words = f"{words}, within the margin" if words else "equivalent"
        judged.setdefault(words or unmarked(c), []).append(c)
    return judged


def _rates(comparisons: Sequence[Comparison]) -> str:
    """snip at 0.9, 0.99, grasp at 0.9"""
    by_name: dict[str, list[Comparison]] = {}
    for c in comparisons:
        by_name.setdefault(c.reference, []).append(c)
    return ", ".join(f"{name} at {', '.join(rates_text(c.rate for c in judged))}" for name, judged in by_name.items())


def matrix(analysis: Analysis) -> Grid | None:
    """Criterion × rate: the differences and their marks; None if the next table is short."""
    shown = analysis.shown_primary
    if len(shown) <= MANY:
        return None
    entries = {(c.reference, c.rate): _entry(analysis, c) for c in shown}
    rates = sorted({c.rate for c in shown})
    criteria = sorted({c.reference for c in shown})
    rows = [[criterion, *(entries.get((criterion, rate), NONE) for rate in rates)] for criterion in criteria]
    caption = (
        "Freeze − prune by criterion, named by the pruned method, and rate, over all done seeds; 95 % t interval. "
        "↑ freezing higher, ↓ pruning higher, ≈ equivalent, by the tests of the next table."
        f"{f' {OF_PAIRS[CONFLICT]}' if any(c.conflicting for c in shown) else ''}{_doubts(analysis)}"
        f"{captions.unplanned(analysis, shown)}"
    )
    title = f"Freeze − prune by criterion and rate{captions.steps(analysis)}"
    return Grid(caption, ["criterion", *map(rate_text, rates)], rows, title)


def _entry(analysis: Analysis, c: Comparison) -> str:
    arrow = {"higher": "↑", "lower": "↓"}.get(c.verdict, "")
    marks = f"{arrow}{'≈' if c.equivalent else ''}{marks_behind(analysis, c)}"
    doubt = f"{CONFLICT}{c.conflicting}" if c.conflicting else ""
    return " ".join(words for words in (difference(analysis, c), marks, doubt) if words)


def table(analysis: Analysis) -> Grid:
    """Criterion × rate: freeze − prune, with every test."""
    shown = analysis.shown_primary
    step = analysis.view.shown_metric.step
    caption = (
        f"Freeze or prune? Freeze − prune: mean difference{f' in {step}' if step else ''}, same weights chosen, same "
        f"rate and seed, {captions.columns(analysis, shown)}{_doubts(analysis)}"
    )
    title = f"Freeze − prune at the same rate and seed{captions.steps(analysis)}"
    return grid(title, caption, PRIMARY, analysis, shown)


def variants_table(analysis: Analysis) -> Grid | None:
    """The comparisons again over other seeds, those that this changes; None if it changes none."""
    by_name = {name: {c.sides: c for c in changed} for name, changed in _changed(analysis).items()}
    rows = []
    for c in analysis.shown_primary:
        others = {name: changed[c.sides] for name, changed in by_name.items()}
        if any(other.seeds != c.seeds for other in others.values()):
            entries = (_again(analysis, c, other, name) for name, other in others.items())
            rows.append([c.label, c.reference, rate_text(c.rate), _with_verdict(analysis, c), *entries])
    words = [variants(analysis)[name] for name in by_name]
    said = "; ".join(f"{header}: {otherwise}" for header, otherwise in words)
    caption = f"Freeze − prune over other seeds, if that changes a pair. {said[:1].upper()}{said[1:]}."
    if TRAINED in by_name:
        caption += " Trained seeds are chosen by their outcome: their column has no verdict."
    headers = ["frozen", "pruned", "rate", "all done seeds", *(header for header, _ in words)]
    title = f"Freeze − prune over other seeds{captions.steps(analysis)}"
    return Grid(caption, headers, rows, title) if rows else None


def _again(analysis: Analysis, c: Comparison, other: Comparison, variant: str) -> str:
    """A comparison over other seeds; without a verdict if they are chosen by their outcome."""
    if other.seeds == c.seeds:
        return SAME
    return difference_and_test(analysis, other) if variant == TRAINED else _with_verdict(analysis, other)


def _with_verdict(analysis: Analysis, c: Comparison) -> str:
    return f"{difference_and_test(analysis, c)}, {verdict(analysis, c)}" if c.n else NO_PAIR


def _doubts(analysis: Analysis) -> str:
    """What the marks of doubt mean, those that occur."""
    doubts = set().union(*(analysis.doubts[c.sides] for c in analysis.shown_primary))
    return "".join(f" {mark}: {words}." for doubt, (mark, words) in DOUBTS.items() if doubt in doubts)
