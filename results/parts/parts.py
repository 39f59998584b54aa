"""The parts of the report: PARTS is the page to read first. To add one: a row here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bench import names
from bench.metrics import sizes
from bench.results.parts import gradient_norms
from bench.results.statistics.analysis import Analysis
from bench.results.statistics.cells import Cell
from bench.results.statistics.comparisons import Comparison
from bench.results.tables import accuracy_tables, against_reference, captions, costs, freeze_vs_prune
from bench.results.tables.answer.pairs import pairs
from bench.results.tables.apart import baselines, budgets, changing_masks, fading, scale_table, trained_first
from bench.results.tables.controls import controls
from bench.results.tables.exclusions import exclusions, warnings
from bench.results.tables.formats import Block, Bullets, Paragraph
from bench.results.tables.section_page import published_blocks
from bench.results.tables.start import largest_rate_table, task_bytes
from bench.results.tables.start.bases import base
from bench.results.tables.tuned import tuned

MEAN = ("metric", "mean", "sd", "n", "diverged", "failed", "no_figure", "missing", "collapsed", "disconnected")
SHARE = ("percent_of_dense", "percent_of_dense_low", "percent_of_dense_high", "percent_of_dense_n")
STORED = (names.LIVE_WEIGHTS, names.STORED_PARAMETERS, names.COMPRESSION, *sizes())
COMPUTED = (names.FORWARD_MACS, names.BACKWARD_MACS)


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part: its blocks in a section, nothing if the section has none; and its records, for other programs.

    Records are of the cells, with some of their values, or of comparisons, or its own; of a part without, the rows of
    its tables.
    """

    title: str
    blocks: Callable[[Analysis], Iterator[Block]]
    cells: Callable[[Analysis], Sequence[Cell]] | None = None
    values: Sequence[str] = ()  # of `export.CELL`
    comparisons: Callable[[Analysis], Sequence[Comparison]] | None = None
    of_metric: bool = False  # whether its figures are those of the metric that is asked for
    records: Callable[[Analysis], list[dict[str, Any]]] | None = None  # its own, of neither cells nor comparisons
    across_starts: bool = False  # whether it is of all sections that differ in their start only, told with the first
    shows: bool = False  # whether it shows how trials ended, though its figures are not those of the metric

    @property
    def is_look(self) -> bool:
        """Whether to show it is to look at how trials ended: not at what they store, compute or choose."""
        return self.of_metric or self.shows


def _any(analysis: Analysis) -> bool:
    return any(cell.values and cell.rated for cell in analysis.shown)


def _accuracy(analysis: Analysis) -> Iterator[Block]:
    if _any(analysis) and (main := accuracy_tables.main(analysis)):
        yield main
        for words in (captions.legend(analysis, main), base(analysis)):
            if words:
                yield Paragraph(words)


def _pairs(analysis: Analysis) -> Iterator[Block]:
    if grid := pairs(analysis):
        yield grid


def _reference(analysis: Analysis) -> Iterator[Block]:
    if analysis.reference is not None and analysis.shown_secondary:
        yield from against_reference.blocks(analysis)


def _dense(analysis: Analysis) -> Iterator[Block]:
    if analysis.view.shown_metric.is_accuracy and (share := accuracy_tables.percent(analysis)):
        yield share


def _controls(analysis: Analysis) -> Iterator[Block]:
    if grid := controls(analysis):
        yield grid


def _collapse(analysis: Analysis) -> Iterator[Block]:
    if grid := costs.collapse(analysis):
        yield grid


def _stored(analysis: Analysis) -> Iterator[Block]:
    if analysis.shown:
        yield from costs.storage(analysis)
        yield from task_bytes.blocks(analysis)


def _computed(analysis: Analysis) -> Iterator[Block]:
    if analysis.shown:
        yield costs.computed(analysis)
        yield from changing_masks.costs(analysis)
        yield from fading.costs(analysis)


def _gradients(analysis: Analysis) -> Iterator[Block]:
    if grid := gradient_norms.gradients(analysis):
        yield grid


def _tuned(analysis: Analysis) -> Iterator[Block]:
    if grid := tuned(analysis):
        yield grid


def _published(analysis: Analysis) -> Iterator[Block]:
    blocks = list(published_blocks(analysis))
    yield from blocks if len(blocks) > 1 else ()  # one is the line that there are none


def _warnings(analysis: Analysis) -> Iterator[Block]:
    yield Bullets([*exclusions(analysis), *warnings(analysis)])


def _cells(analysis: Analysis) -> Sequence[Cell]:
    return analysis.shown


def _primary(analysis: Analysis) -> Sequence[Comparison]:
    return analysis.shown_primary


def _secondary(analysis: Analysis) -> Sequence[Comparison]:
    return analysis.shown_secondary


PARTS: dict[str, Part] = {
    "accuracy": Part(title="Methods by rate", blocks=_accuracy, cells=_cells, values=MEAN, of_metric=True),
    "pairs": Part(title="Freeze and prune, side by side", blocks=_pairs, comparisons=_primary, of_metric=True),
    "difference": Part(title="Freeze − prune", blocks=freeze_vs_prune.blocks, comparisons=_primary, of_metric=True),
    "scale": Part(title=scale_table.TITLE, blocks=scale_table.blocks, records=scale_table.records, of_metric=True),
    "reference": Part(title="Against the reference", blocks=_reference, comparisons=_secondary, of_metric=True),
    "start": Part(
        title="Largest rate within a margin of dense",
        blocks=largest_rate_table.blocks,
        records=largest_rate_table.records,
        across_starts=True,
        shows=True,
    ),
    "trained-first": Part(title=trained_first.TITLE, blocks=trained_first.blocks, of_metric=True),
    "changing-masks": Part(title=changing_masks.TITLE, blocks=changing_masks.blocks, of_metric=True),
    "budgets": Part(title=budgets.TITLE, blocks=budgets.blocks, comparisons=budgets.comparisons, of_metric=True),
    "baselines": Part(title=baselines.TITLE, blocks=baselines.blocks, of_metric=True),
    "dense": Part(title="Percent of the dense baseline", blocks=_dense, cells=_cells, values=SHARE, shows=True),
    "storage": Part(title="What each rate stores", blocks=_stored, cells=_cells, values=STORED),
    "compute": Part(title="What each rate computes", blocks=_computed, cells=_cells, values=COMPUTED),
    "gradients": Part(title="Gradient norms", blocks=_gradients, records=gradient_norms.records),
    "collapse": Part(title="Collapse and dead paths", blocks=_collapse),
    "controls": Part(
        title="Sanity controls", blocks=_controls, comparisons=lambda analysis: analysis.shown_controls, of_metric=True
    ),
    "published": Part(title="Published figures", blocks=_published, shows=True),
    "tuned": Part(title="Chosen hyper-parameters", blocks=_tuned),
    "warnings": Part(title="Exclusions and warnings", blocks=_warnings, shows=True),
}
