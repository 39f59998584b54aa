"""What the tables of a section leave out, and what would make one of its comparisons unfair or a mean misleading."""

from __future__ import annotations

from collections.abc import Collection

from bench import names
from bench.messages import plural
from bench.results.frame.conflicts import disagreeing
from bench.results.frame.method_record import BASELINES, TO_BUDGET
from bench.results.frame.words import ranges, rate_text
from bench.results.statistics.analysis import Analysis
from bench.results.statistics.cells import Cell
from bench.results.tables import captions
from bench.results.tables.marks import chance

MANY = 12  # cells that a line can name


def exclusions(analysis: Analysis) -> list[str]:
    """Which seeds a cell lost and why, one line per cell; which seeds are not there, one line for all without them."""
    lines = [line for cell in analysis.shown if (line := _excluded(cell))] + _missing(analysis)
    return lines or ["No seed is excluded: every cell shown has all seeds of the section."]


def _excluded(cell: Cell) -> str:
    losses = []
    for outcome in (names.DIVERGED, names.FAILED, "no figure"):
        by_reason: dict[str, list[int]] = {}
        for seed in cell.seeds_lost(outcome):
            by_reason.setdefault(cell.lost[seed][1], []).append(seed)
        losses += [f"{_seeds(s)} {outcome}{f' ({reason})' if reason else ''}" for reason, s in by_reason.items()]
    return f"{_named(cell)}: {'; '.join(losses)}" if losses else ""


def _missing(analysis: Analysis) -> list[str]:
    lacking: dict[tuple[int, ...], list[Cell]] = {}
    for cell in analysis.shown:
        lacking.setdefault(cell.missing, []).append(cell)
    total = len(analysis.shown)
    return [
        f"{_seeds(seeds)} not in the store: "
        f"{'; '.join(map(_named, cells)) if len(cells) <= MANY else f'{len(cells)} of {total} methods and rates'}"
        for seeds, cells in lacking.items()
        if seeds
    ]


def _named(cell: Cell) -> str:
    return f"{cell.label}, rate {rate_text(cell.rate)}" if cell.rated else cell.label


def _seeds(seeds: Collection[int]) -> str:
    return f"{plural(len(seeds), 'seed')} {ranges(seeds)}"


def warnings(analysis: Analysis) -> list[str]:
    """Results that disagree; unequal counts at a rate, unequal initial weights at a seed, seeds near chance beside
    others in one cell.
    """
    return [*_conflicting(analysis), *_unequal_counts(analysis), *_unequal_inits(analysis), *_mixed(analysis)]


def _conflicting(analysis: Analysis) -> list[str]:
    """Every trial of the section of which the store has results that disagree; of many, the first."""
    cells = [*analysis.cells, *analysis.controlled]
    named = [f"{_named(cell)}, seed {seed}: {words}" for cell in cells for seed, words in cell.conflicting.items()]
    return [f"Warning: {disagreeing(named)}."] if named else []


def _unequal_counts(analysis: Analysis) -> list[str]:
    lines = []
    for rate in sorted({cell.rate for cell in analysis.cells}):
        alike = [cell for cell in analysis.cells if cell.rate == rate and cell.record.trains_weights]
        alike = [cell for cell in alike if cell.record.group not in (TO_BUDGET, BASELINES)]  # whose counts are others
        cells = [cell for cell in alike if names.STORED_PARAMETERS in cell.counts]
        counts = {count for cell in cells for count in cell.counts[names.STORED_PARAMETERS]}
        if len(counts) > 1:
            numbers = f"{min(counts):,.0f} to {max(counts):,.0f}"
            unequal = f"the methods do not store equally many parameters ({numbers})"
            filters = any(cell.realised for cell in cells)
            why = "; whole filters seldom fill the rate, so compare them at their realised rates" if filters else ""
            lines.append(f"Warning: at rate {rate_text(rate)} {unequal}{why}.")
    return lines


def _unequal_inits(analysis: Analysis) -> list[str]:
    by_seed: dict[int, set[str]] = {}
    for cell in analysis.cells:
        if cell.record.fields.get("closes_channels") and not cell.record.fields.get("changes_masks"):
            continue  # smaller from the start: drawn for its own widths
        for seed, checksum in cell.inits.items():
            by_seed.setdefault(seed, set()).add(checksum)
    broken = sorted(seed for seed, checksums in by_seed.items() if len(checksums) > 1)
    differ = "initial weights differ between trials of one seed, so its pairs are not paired in them"
    return [f"Warning: {_seeds(broken)}: {differ}."] if broken else []


def _mixed(analysis: Analysis) -> list[str]:
    controls = analysis.shown_controls if analysis.view.controls else []
    fallen = analysis.mixed([*analysis.shown_primary, *analysis.shown_secondary, *controls])
    if not fallen:
        return []
    by_t = analysis.view.test == "t"
    exact = "an exact test (option test: wilcoxon or permutation)" if by_t else "the exact test"
    cells = captions.near_chance(fallen, analysis.by_key.values())
    return [
        f"Warning: some, but not all, seeds of a cell are nearer to chance, {chance(analysis)}, than to its best "
        f"seed: {cells}. The differences there mix two kinds of pairs; mean, its "
        f"intervals{', t test' if by_t else ''} and TOST describe neither. Read {exact}, which asks whether the "
        "methods are alike and not whose mean is higher, and the sensitivity without those seeds."
    ]
