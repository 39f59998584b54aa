"""One section of the report: the blocks from its analysis, in reading order."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from bench import names
from bench.results.frame.collect import DENSE
from bench.results.frame.metrics import figure, ranges
from bench.results.frame.sections import differing
from bench.results.statistics.analysis import Analysis
from bench.results.statistics.cells import Cell
from bench.results.statistics.near_chance import told
from bench.results.tables import accuracy_tables, captions, comparison_tables, costs, published
from bench.results.tables.collapse import collapse
from bench.results.tables.controls import controls, untold
from bench.results.tables.formats import Block, Bullets, Heading, Paragraph
from bench.results.tables.protocol import environment, protocol
from bench.results.tables.tuned import tuned

MANY = 12  # cells that a line can name


def report(analyses: Sequence[Analysis]) -> list[Block]:
    """The whole report; a section without anything to show is left out."""
    blocks: list[Block] = [Heading("Freeze or prune?", 1), Paragraph(captions.introduction())]
    shown = [a for a in analyses if a.shown]
    if not shown:
        return [*blocks, Paragraph("No trial to show.")]
    varying = differing(a.section.fields for a in shown)
    return [*blocks, *(block for a in shown for block in section(a, varying))]


def section(a: Analysis, varying: Collection[str]) -> Iterator[Block]:
    """A section's blocks: how it was trained, its tables, and what they leave out."""
    yield Heading(a.section.title)
    yield from _training(a, varying)
    if any(cell.values for cell in a.shown):
        yield from _tables(a)
        if chosen := tuned(a):
            yield chosen
    else:
        yield Paragraph(captions.nothing_finished(a))
    yield Heading("Exclusions and warnings", 3)
    yield Bullets([*exclusions(a), *warnings(a)])


def _training(a: Analysis, varying: Collection[str]) -> Iterator[Block]:
    told = (protocol(a.section.fields, varying), captions.seeds(a), captions.backgrounds(a))
    yield Paragraph(" ".join(text for text in told if text))
    for line in (environment(a), captions.filters(a), untold(a)):
        if line:
            yield Paragraph(line)


def _tables(a: Analysis) -> Iterator[Block]:
    """Figures, headline, comparisons, percent of dense, counts."""
    if any(cell.background != DENSE for cell in a.shown):
        yield (main := accuracy_tables.main(a))
        if marks := captions.legend(a, main):
            yield Paragraph(marks)
    else:
        yield Paragraph(captions.main_caption(a))
    yield from _comparisons(a)
    if figure(a.view.metric).is_accuracy and (share := accuracy_tables.percent(a)):
        yield share
    if a.view.controls:
        yield controls(a) or Paragraph("No sanity control of a shown method is in the store.")
    if a.view.published:
        yield from _published(a)
    if collapsing := collapse(a):
        yield collapsing
    yield costs.stored(a)
    yield costs.computed(a)


def _published(a: Analysis) -> Iterator[Block]:
    if published.matches(a):
        yield published.grid(a)
        yield Bullets(published.protocols(a))
    else:
        yield Paragraph("No published figure is known for the data set, network, methods and rates shown.")


def _comparisons(a: Analysis) -> Iterator[Block]:
    if a.reference is None:
        if any(cell.background != DENSE for cell in a.cells):
            yield Paragraph(captions.no_comparison(a))
        return
    if not a.shown_comparisons:
        return
    if headline := comparison_tables.headline(a):
        yield headline
    yield comparison_tables.comparisons(a)
    yield Paragraph(captions.what_n_shows(a))
    if changed := comparison_tables.sensitivity(a):
        others = " of the other methods" if a.twin else ""
        yield Paragraph(
            f"Sensitivity: comparisons{others} with diverged seeds counted as chance, {captions.chance(a)}:"
        )
        yield Bullets(changed)
    if trained := comparison_tables.trained_only(a):
        yield Paragraph("Sensitivity: comparisons without the seeds near chance of a cell that has others:")
        yield Bullets(trained)


def exclusions(a: Analysis) -> list[str]:
    """Which seeds a cell lost and why, one line per cell; which seeds are not there, one line for all without them."""
    lines = [line for cell in a.shown if (line := _excluded(cell))] + _missing(a)
    return lines or ["No seed is excluded: every cell shown has all seeds of the section."]


def _excluded(cell: Cell) -> str:
    parts = []
    for kind in (names.DIVERGED, names.FAILED, "no figure"):
        by_reason: dict[str, list[int]] = {}
        for seed in cell.seeds_lost(kind):
            by_reason.setdefault(cell.lost[seed][1], []).append(seed)
        parts += [f"{_seeds(s)} {kind}{f' ({reason})' if reason else ''}" for reason, s in by_reason.items()]
    return f"{_where(cell)}: {'; '.join(parts)}" if parts else ""


def _missing(a: Analysis) -> list[str]:
    lacking: dict[tuple[int, ...], list[Cell]] = {}
    for cell in a.shown:
        lacking.setdefault(cell.missing, []).append(cell)
    total = len(a.shown)
    return [
        f"{_seeds(list(seeds))} not in the store: "
        f"{'; '.join(map(_where, cells)) if len(cells) <= MANY else f'{len(cells)} of {total} methods and rates'}"
        for seeds, cells in lacking.items()
        if seeds
    ]


def _where(cell: Cell) -> str:
    return cell.label if cell.background == DENSE else f"{cell.label}, rate {cell.rate}"


def _seeds(seeds: list[int]) -> str:
    return f"seed{'s' if len(seeds) > 1 else ''} {ranges(seeds)}"


def warnings(a: Analysis) -> list[str]:
    """What would make a comparison unfair or its mean misleading.

    Unequal counts at a rate, unequal initial weights at a seed, seeds near chance beside others in one cell.
    """
    return [*_unequal_counts(a), *_unequal_inits(a), *_mixed(a)]


def _unequal_counts(a: Analysis) -> list[str]:
    lines = []
    for rate in sorted({cell.rate for cell in a.cells}, key=float):
        here = [cell for cell in a.cells if cell.rate == rate and names.STORED_PARAMETERS in cell.counts]
        found = {count for cell in here for count in cell.counts[names.STORED_PARAMETERS]}
        if len(found) > 1:
            numbers = f"{min(found):,.0f} to {max(found):,.0f}"
            lines.append(f"Warning: at rate {rate} the methods do not store equally many parameters ({numbers}).")
    return lines


def _unequal_inits(a: Analysis) -> list[str]:
    found: dict[int, set[str]] = {}
    for cell in a.cells:
        for seed, checksum in cell.inits.items():
            found.setdefault(seed, set()).add(checksum)
    broken = sorted(seed for seed, checksums in found.items() if len(checksums) > 1)
    text = "initial weights differ between trials of one seed, so its pairs are not paired in them"
    return [f"Warning: {_seeds(broken)}: {text}."] if broken else []


def _mixed(a: Analysis) -> list[str]:
    found = a.mixed([*a.shown_comparisons, *(a.shown_controls if a.view.controls else [])])
    if not found:
        return []
    by_t = a.view.test == "t"
    exact = "an exact test (option test: wilcoxon or permutation)" if by_t else "the exact test"
    return [
        f"Warning: some, but not all, seeds of a cell are nearer to chance, {captions.chance(a)}, than to its best "
        f"seed: {told(found, [*a.cells, *a.controlled])}. The differences there mix two kinds of pairs; mean, its "
        f"intervals{', t test' if by_t else ''} and TOST describe neither. Read {exact}, which asks whether the "
        "methods are alike and not whose mean is higher, and the sensitivity without those seeds."
    ]
