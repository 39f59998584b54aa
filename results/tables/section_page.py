"""One section of the report: the blocks from its analysis, in reading order."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from bench.results.frame.sections import differing
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
from bench.results.tables.formats import Block, Bullets, Heading, Paragraph
from bench.results.tables.marks import seeds_legend
from bench.results.tables.planned.plan_words import plan_words
from bench.results.tables.protocol import environment, protocol
from bench.results.tables.start import task_bytes
from bench.results.tables.start.bases import base, needed_first
from bench.results.tables.tuned import tuned


def report(analyses: Sequence[Analysis]) -> list[Block]:
    """The whole table; a section without anything to show is left out."""
    shown = [analysis for analysis in analyses if analysis.shown]
    blocks: list[Block] = [Heading("Freeze or prune?", 1), Paragraph(captions.introduction(shown))]
    if words := needed_first(analyses):
        blocks.append(Paragraph(words))
    if not shown:
        return [*blocks, Paragraph("No trial to show.")]
    varying = differing(analysis.section.fields for analysis in shown)
    return [*blocks, *(block for analysis in shown for block in section(analysis, varying))]


def section(analysis: Analysis, varying: Collection[str]) -> Iterator[Block]:
    """A section's blocks: how it was trained, its tables, and what they leave out."""
    yield Heading(analysis.section.title)
    yield from training(analysis, varying)
    if any(cell.values for cell in analysis.shown):
        yield from _tables(analysis)
        if chosen := tuned(analysis):
            yield chosen
    else:
        yield Paragraph(captions.nothing_finished(analysis))
    yield Heading("Exclusions and warnings", 3)
    yield Bullets([*exclusions(analysis), *warnings(analysis)])


def training(analysis: Analysis, varying: Collection[str]) -> Iterator[Paragraph]:
    """How and where a section was trained, and which seeds and filters it shows."""
    sentences = (protocol(analysis.section.fields, varying), captions.seeds(analysis), captions.backgrounds(analysis))
    yield Paragraph(" ".join(sentence for sentence in sentences if sentence))
    for line in (environment(analysis), plan_words(analysis), captions.filters(analysis), not_shown(analysis)):
        if line:
            yield Paragraph(line)


def _tables(analysis: Analysis) -> Iterator[Block]:
    """Figures, freeze − prune, comparisons with the reference, percent of dense, counts."""
    main = accuracy_tables.main(analysis)
    if main is not None:
        yield main
        for words in (captions.legend(analysis, main), base(analysis)):
            if words:
                yield Paragraph(words)
        yield from freeze_vs_prune.blocks(analysis)
        yield from scale_table.blocks(analysis)
        yield from against_reference.blocks(analysis)
    else:
        words = captions.main_caption(analysis)
        yield Paragraph(" ".join(filter(None, (f"{words}{seeds_legend(words)}", base(analysis)))))
    yield from trained_first.blocks(analysis)
    yield from changing_masks.blocks(analysis)
    yield from budgets.blocks(analysis)
    yield from baselines.blocks(analysis)
    if analysis.view.shown_metric.is_accuracy and (share := accuracy_tables.percent(analysis)):
        yield share
    if analysis.view.controls:
        yield controls(analysis) or Paragraph("No sanity control of a shown method is in the store.")
    if analysis.view.published:
        yield from published_blocks(analysis)
    if collapsing := costs.collapse(analysis):
        yield collapsing
    yield from costs.storage(analysis)
    yield from task_bytes.blocks(analysis)
    yield costs.computed(analysis)
    yield from changing_masks.costs(analysis)
    yield from fading.costs(analysis)


def published_blocks(analysis: Analysis) -> Iterator[Block]:
    """The published figures beside those shown, and what tells their protocols from these."""
    if published.matches(analysis):
        yield published.grid(analysis)
        yield Bullets(published.protocols(analysis))
    else:
        yield Paragraph("No published figure is known for the data set, network, methods and rates shown.")
