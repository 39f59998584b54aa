"""Every other method against the reference: the table of the secondary family, and what other seeds change in it."""

from __future__ import annotations

from collections.abc import Iterator

from bench.results.frame.words import rate_text
from bench.results.statistics.analysis import CHANCE, TRAINED, Analysis
from bench.results.tables import captions
from bench.results.tables.columns import SECONDARY, difference_and_test, grid
from bench.results.tables.formats import Block, Bullets, Grid, Paragraph
from bench.results.tables.marks import variants
from bench.results.tables.reach import what_n_shows

# Variant -> how the line of a comparison names the plain one behind it.
PLAIN = {CHANCE: "without them", TRAINED: "with them"}


def blocks(analysis: Analysis) -> Iterator[Block]:
    """The table, what the number of pairs allows to conclude, and the sensitivities; nothing without a comparison."""
    if analysis.reference is None:
        yield Paragraph(captions.no_comparison(analysis))
    elif analysis.shown_secondary:
        yield table(analysis)
        family = captions.secondary_family(analysis)
        yield Paragraph(what_n_shows(analysis, analysis.secondary.comparisons, family))
        for variant, behind in PLAIN.items():
            if lines := sensitivity(analysis, variant, behind):
                yield Paragraph(f"Sensitivity: comparisons {variants(analysis)[variant][1]}:")
                yield Bullets(lines)


def table(analysis: Analysis) -> Grid:
    """Method × rate against the reference: difference, intervals, tests, effect and equivalence."""
    shown, step = analysis.shown_secondary, analysis.view.shown_metric.step
    caption = (
        f"Method − {analysis.reference}: mean difference{f' in {step}' if step else ''} at the same rate and seed, "
        f"{captions.columns(analysis, shown)}"
    )
    title = f"Method − {analysis.reference} at the same rate and seed{captions.steps(analysis)}"
    return grid(title, caption, SECONDARY, analysis, shown)


def sensitivity(analysis: Analysis, variant: str, behind: str) -> list[str]:
    """A line for each comparison shown that has other pairs in the variant than the plain one, which stands behind."""
    again = {c.sides: c for c in analysis.secondary.variants.get(variant, [])}
    return [
        f"{c.label}, rate {rate_text(c.rate)}: {difference_and_test(analysis, again[c.sides])} "
        f"({behind}: {difference_and_test(analysis, c)})"
        for c in analysis.shown_secondary
        if c.sides in again and again[c.sides].seeds != c.seeds
    ]
