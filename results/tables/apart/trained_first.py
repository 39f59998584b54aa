"""Methods whose masks follow from another training, in a group of their own: figures, and what they cost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench import names
from bench.messages import counted
from bench.metrics import NONE
from bench.results.frame.words import low_to_high, rate_text
from bench.results.statistics.analysis import Analysis
from bench.results.statistics.cells import Cell, percent_of_dense
from bench.results.statistics.comparisons import Comparison, family_of, freeze_prune_pairs
from bench.results.tables import captions
from bench.results.tables.columns import PRIMARY, grid
from bench.results.tables.formats import Block, Grid

TITLE = "Not at initialisation"


def blocks(analysis: Analysis) -> Iterator[Block]:
    """The table of the group, and its own freeze − prune; nothing without such a method."""
    if shown := [cell for cell in analysis.shown if not cell.record.at_initialisation]:
        yield _figures(analysis, shown)
    if pairs := comparisons(analysis):
        yield _pairs(analysis, pairs)


def comparisons(analysis: Analysis) -> list[Comparison]:
    """Freeze − prune within the group, of the cells shown: a family of its own over the whole section."""
    keys = {cell.key for cell in analysis.shown if not cell.record.at_initialisation}
    family = family_of(freeze_prune_pairs(analysis.cells, at_initialisation=False), analysis.view.rules)
    return [c for c in family if keys & set(c.sides)]


def epochs(analysis: Analysis, cell: Cell) -> tuple[float, float]:
    """The least and the most that is trained for a seed of a cell, with all that the trial needs."""
    alone = float(analysis.section.fields["epochs"])
    return cell.counts.get(names.TRAINING_EPOCHS, (alone, alone))


def _figures(analysis: Analysis, shown: list[Cell]) -> Grid:
    metric = analysis.view.shown_metric
    caption = (
        f"{TITLE}: the masks of these methods follow from another training of the same network, so they are an upper "
        f"line for the others, and in no comparison with them. {captions.figure(analysis)}: mean ± standard deviation "
        "over n seeds. Epochs: what is trained for a seed, with all that the trial needs; trials of several rates "
        "share what they need. The epochs of weights from a file are not known, and not among them."
    )
    headers = ["method", "rate", metric.unit or "value", "n", "percent of dense", "epochs", "times its own"]
    return Grid(caption, headers, [_row(analysis, cell) for cell in shown], TITLE)


def _row(analysis: Analysis, cell: Cell) -> list[str]:
    number, s = analysis.view.shown_metric.number, cell.summary
    figure = f"{number(s.mean)} ± {number(s.sd)}" if s.n > 1 else number(s.mean) if s.n else NONE
    share = percent_of_dense(cell, analysis.dense)[0] if analysis.dense else None
    percent = f"{share.mean:.2f}" if share and share.n and analysis.view.shown_metric.is_accuracy else NONE
    own, (least, largest) = float(analysis.section.fields["epochs"]), epochs(analysis, cell)
    times = low_to_high(least / own, largest / own, ".3g")
    return [
        cell.label, rate_text(cell.rate), figure, str(s.n), percent, low_to_high(least, largest, ",.0f"), f"×{times}"
    ]  # fmt: skip


def _pairs(analysis: Analysis, pairs: Sequence[Comparison]) -> Grid:
    caption = (
        f"Freeze − prune, {TITLE.lower()}: mean difference, same way to choose the weights, same rate and seed, "
        f"{captions.columns(analysis, pairs)} Each side chooses by its own trainings, so the masks differ. "
        f"Family: {counted(pairs[0].family, 'comparison')}, of such methods only."
    )
    title = f"Freeze − prune, {TITLE.lower()}{captions.steps(analysis)}"
    return grid(title, caption, PRIMARY, analysis, pairs)
