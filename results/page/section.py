"""A section of the report: short words and tables, with how it was trained and tested folded behind them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from bench.results.statistics.analysis import Analysis
from bench.results.tables import (
    accuracy_tables,
    against_reference,
    captions,
    costs,
    freeze_vs_prune,
    published,
)
from bench.results.tables.apart import baselines, budgets, changing_masks, fading, scale_table, trained_first
from bench.results.tables.controls import controls, not_shown
from bench.results.tables.exclusions import exclusions, warnings
from bench.results.tables.formats import Block, Bullets, Details, Grid, Heading, Paragraph
from bench.results.tables.marks import seeds_legend
from bench.results.tables.planned.plan_words import plan_words
from bench.results.tables.protocol import environment, protocol
from bench.results.tables.start import task_bytes
from bench.results.tables.start.bases import base
from bench.results.tables.tuned import tuned

SUBHEADING = 3
AS_ABOVE = "Columns, intervals and tests as in the table of freeze − prune, in a family of their own."


def section(analysis: Analysis, varying: Collection[str]) -> Iterator[Block]:
    """Its blocks: who was trained and how, the tables by question, and what they leave out."""
    yield Heading(analysis.section.title)
    yield from _training(analysis, varying)
    if not any(cell.values for cell in analysis.shown):
        yield Paragraph(captions.nothing_finished(analysis))
    elif any(cell.rated for cell in analysis.shown):
        for heading, blocks in _questions(analysis):
            if blocks:
                yield Heading(heading, SUBHEADING)
                yield from blocks
    else:
        yield Paragraph(" ".join(words for words in (captions.main_caption(analysis), base(analysis)) if words))
    yield Heading("Exclusions and warnings", SUBHEADING)
    yield Bullets([*exclusions(analysis), *warnings(analysis)])


def _training(analysis: Analysis, varying: Collection[str]) -> Iterator[Block]:
    for line in (
        plan_words(analysis), captions.backgrounds(analysis), captions.filters(analysis), not_shown(analysis)
    ):  # fmt: skip
        if line:
            yield Paragraph(line)
    folded = (protocol(analysis.section.fields, varying), captions.seeds(analysis), environment(analysis))
    yield Details("How they were trained", [Paragraph(line) for line in folded if line])


def _questions(analysis: Analysis) -> Iterator[tuple[str, list[Block]]]:
    """Heading and blocks of each question that the section has an answer to."""
    yield "Freeze or prune", _freeze_or_prune(analysis)
    yield "Over the scale of the background", list(scale_table.blocks(analysis))
    yield "Accuracy" if analysis.view.shown_metric.is_accuracy else "Figures", list(_figures(analysis))
    reference = f"Every method against {analysis.reference}" if analysis.reference else "Against the reference"
    yield reference, _reference(analysis)
    yield trained_first.TITLE, list(trained_first.blocks(analysis))
    yield changing_masks.TITLE, list(changing_masks.blocks(analysis))
    yield budgets.TITLE, list(budgets.blocks(analysis))
    yield baselines.TITLE, list(baselines.blocks(analysis))
    yield "Sanity controls", [grid] if (grid := controls(analysis)) else []
    yield "Published figures", _published(analysis)
    yield (
        "Storage and computation",
        list(_costs(analysis)),
    )


def _freeze_or_prune(analysis: Analysis) -> list[Block]:
    """The tables of the pairs; before them, if the pairs are many, how many have which verdict."""
    tables = _folding(list(freeze_vs_prune.blocks(analysis)), "What these tests can show")
    many = len(analysis.primary.comparisons) > freeze_vs_prune.MANY
    return [Bullets(freeze_vs_prune.answer(analysis)), *tables] if many and tables else tables


def _figures(analysis: Analysis) -> Iterator[Block]:
    """The metric itself, in its unit and as a share of dense, and the values that were chosen for it."""
    if main := accuracy_tables.main(analysis):
        yield main
        words = captions.legend(analysis, main)
    else:
        words = captions.main_caption(analysis)
        words = f"{words}{seeds_legend(words)}"
    yield from (Paragraph(said) for said in (words, base(analysis)) if said)
    if analysis.view.shown_metric.is_accuracy and (share := accuracy_tables.percent(analysis)):
        yield share
    if chosen := tuned(analysis):
        yield chosen


def _reference(analysis: Analysis) -> list[Block]:
    blocks = list(against_reference.blocks(analysis))
    if analysis.shown_primary and blocks and isinstance(blocks[0], Grid):
        blocks[0] = replace(blocks[0], caption=AS_ABOVE)
    return _folding(blocks, "What these tests can show, and what other seeds change")


def _costs(analysis: Analysis) -> Iterator[Block]:
    if collapsing := costs.collapse(analysis):
        yield collapsing
    yield from costs.storage(analysis)
    yield from task_bytes.blocks(analysis)
    yield costs.computed(analysis)
    yield from changing_masks.costs(analysis)
    yield from fading.costs(analysis)


def _published(analysis: Analysis) -> list[Block]:
    if not (analysis.view.published and published.matches(analysis)):
        return []
    differing = Details("How their protocols differ", [Bullets(published.protocols(analysis))])
    return [published.grid(analysis), differing]


def _folding(blocks: Sequence[Block], summary: str) -> list[Block]:
    """The tables first, and what is said of them folded; without a table there is nothing to fold."""
    tables = [block for block in blocks if isinstance(block, Grid)]
    words = [block for block in blocks if not isinstance(block, Grid)]
    return [*tables, Details(summary, words)] if tables and words else list(blocks)
