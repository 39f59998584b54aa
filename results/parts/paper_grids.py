"""The tables of comparisons as a paper has them: fewer columns, so that they fit one, and verdicts as marks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from bench.metrics import NONE
from bench.results.frame.words import p_value, rate_text
from bench.results.statistics.analysis import Analysis
from bench.results.statistics.comparisons import Comparison
from bench.results.tables import captions
from bench.results.tables.answer import pairs
from bench.results.tables.columns import equivalence, interval_text
from bench.results.tables.formats import Block, Grid, Paragraph
from bench.results.tables.images import two_way_words
from bench.results.tables.marks import pairs_legend
from bench.results.tables.reach import pair_counts, reach

HIGHER = "↑ higher, ↓ lower, ≈ equivalent."


def _pairs(analysis: Analysis) -> Iterator[Block]:
    if grid := pairs.pairs(analysis, narrow=True):
        yield grid


def _difference(analysis: Analysis) -> Iterator[Block]:
    if shown := pairs.ordered(analysis):
        words = f"Freeze − prune: {_words(analysis, shown)} {pairs.MARKS}{pairs.doubts(analysis, shown)}"
        words += captions.unplanned(analysis, shown)
        yield _grid(analysis, shown, words, "criterion", lambda c: c.reference)
        yield from _family(analysis, analysis.primary.whole, captions.primary_family(analysis))


def _reference(analysis: Analysis) -> Iterator[Block]:
    if analysis.reference is not None and (shown := analysis.shown_secondary):
        words = f"Method − {analysis.reference}: {_words(analysis, shown)} {HIGHER}"
        yield _grid(analysis, shown, words, "method", lambda c: c.label)
        yield from _family(analysis, analysis.secondary.comparisons, captions.secondary_family(analysis))


def _words(analysis: Analysis, shown: Sequence[Comparison]) -> str:
    """What the columns are, and the marks of cut networks."""
    step, test = analysis.view.shown_metric.step, captions.TESTS[analysis.view.test].partition(" (")[0]
    both = f"; {words.removesuffix('; ')}" if (words := two_way_words.of_comparisons(shown)) else ""
    tost = "" if analysis.view.margin is None else " TOST: p of equivalence, corrected by Holm."
    return (
        f"mean difference{f' in {step}' if step else ''} at the same rate and seed, with its 95 % t interval{both}. "
        f"Holm p: {test}, corrected by Holm.{tost} {captions.margin(analysis)}{pairs_legend(shown)}"
    )


def _family(analysis: Analysis, comparisons: Sequence[Comparison], family: str) -> Iterator[Block]:
    yield Paragraph(f"{family} {reach(analysis, comparisons)}" if pair_counts(comparisons) else family)


def _grid(
    analysis: Analysis, shown: Sequence[Comparison], caption: str, header: str, name: Callable[[Comparison], str]
) -> Grid:
    several, both = len({c.n for c in shown}) > 1, any(two_way_words.exists(c.two_way) for c in shown)
    number = [] if several else [f" n = {shown[0].n}."]
    rows = [
        [
            name(c),
            rate_text(c.rate),
            *([str(c.n)] if several else []),
            pairs.short(analysis, c),
            *([interval_text(analysis, c.two_way) or NONE] if both else []),
            p_value(c.p_holm),
            equivalence(analysis, c),
            pairs.marks(analysis, c),
        ]
        for c in shown
    ]
    column = [two_way_words.HEADER] if both else []
    headers = [header, "rate", *(["n"] if several else []), "difference", *column, "Holm p", "TOST", ""]
    return Grid("".join([caption, *number]), headers, rows)


# Part -> its blocks in a paper, if they are others than on the page.
GRIDS: dict[str, Callable[[Analysis], Iterator[Block]]] = {
    "pairs": _pairs,
    "difference": _difference,
    "reference": _reference,
}
