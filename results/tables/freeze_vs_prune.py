"""Freeze or prune, criterion by criterion: every frozen method against the pruned one that chooses the same weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from bench.messages import counted
from bench.results.frame.metrics import NONE, p_value
from bench.results.statistics.analysis import Analysis, trained_cells
from bench.results.statistics.cells import Cell, connected, selection_text
from bench.results.statistics.comparisons import Comparison, family_of
from bench.results.tables.captions import CUT, margin
from bench.results.tables.comparison_tables import SAME, difference, verdict
from bench.results.tables.formats import Grid

MANY = 12  # comparisons that a sentence can name
MIXED, UNTRAINED = "‡", "§"
DOUBTS = {
    MIXED: "some seeds of a side are near chance and others are not: mean, interval and tests describe neither kind",
    UNTRAINED: "no seed of a side trained: the difference says only that the other side trains at all",
}


@dataclass(frozen=True)
class Question:
    """The comparisons freeze − prune of a section, of all done seeds and of some alone."""

    analysis: Analysis

    @cached_property
    def plain(self) -> list[Comparison]:
        """Over all seeds that both have."""
        return self._compared(self.analysis.cells)

    @cached_property
    def variants(self) -> dict[str, tuple[str, list[Comparison]]]:
        """Name -> what is left out, and the comparisons; those in which it changes a pair."""
        a = self.analysis
        trained = trained_cells(a.cells, a.section, a.view)
        made = {
            "connected seeds only": (CUT, connected(a.cells)),
            "trained seeds only": ("the seeds near chance of a cell that has others", trained),
        }
        compared = {name: (left_out, self._compared(cells)) for name, (left_out, cells) in made.items()}
        seeds = [c.seeds for c in self.plain]
        return {name: found for name, found in compared.items() if [c.seeds for c in found[1]] != seeds}

    @cached_property
    def doubts(self) -> dict[tuple[str, str], str]:
        """(pruned label, rate) -> the mark of a comparison whose figures do not mean what they say; see DOUBTS."""
        mixed, untrained = self.analysis.mixed(self.plain), self.analysis.untrained
        found = {}
        for c in self.plain:
            places = {(c.label, c.rate), (c.reference, c.rate)}
            if mark := MIXED * bool(places & mixed.keys()) + UNTRAINED * bool(places & untrained):
                found[c.reference, c.rate] = mark
        return found

    def _compared(self, cells: Sequence[Cell]) -> list[Comparison]:
        view = self.analysis.view
        return family_of(_pairs(cells), test=view.test, margin=view.margin, alpha=view.alpha)


def _pairs(cells: Sequence[Cell]) -> list[tuple[Cell, Cell]]:
    """(frozen, pruned) of one selection and rate."""
    pruned = {(selection_text(cell.record), cell.rate): cell for cell in cells if cell.background == "prune"}
    frozen = [cell for cell in cells if cell.background == "freeze"]
    found = [(cell, pruned.get((selection_text(cell.record), cell.rate))) for cell in frozen]
    return [(cell, other) for cell, other in found if other is not None]


def answer(q: Question) -> list[str]:
    """The verdict in sentences: over all criteria and rates, what changes on some seeds alone, and what to doubt."""
    if not q.plain:
        return ["No frozen and pruned method that choose the same weights are in this section."]
    lines = [f"All done seeds: {_counted(q.plain)}."]
    for left_out, several in q.variants.values():
        lines.append(f"Without {left_out}: {_counted(several)}.")
    for mark, words in DOUBTS.items():
        if doubtful := [c for c in q.plain if mark in q.doubts.get((c.reference, c.rate), "")]:
            lines.append(f"{mark} In {_counted(doubtful)}: {words}.")
    return lines


def _counted(several: Sequence[Comparison]) -> str:
    """12 comparisons: freezing higher in 3 (snip at 0.99, 0.995), lower in 0, equivalent in 5 (…), open in 4."""
    kinds = _kinds(several)
    named = len(several) <= MANY
    parts = [f"{kind} in {len(at)}{f' ({_where(at)})' if at and named else ''}" for kind, at in kinds.items()]
    return f"{counted(len(several), 'comparison')}: {'; '.join(parts)}"


def _kinds(several: Sequence[Comparison]) -> dict[str, list[Comparison]]:
    """Verdict in words -> the comparisons that have it."""
    kinds: dict[str, list[Comparison]] = {"freezing higher": [], "pruning higher": [], "equivalent": [], "open": []}
    for c in several:
        kind = {"higher": "freezing higher", "lower": "pruning higher"}.get(c.verdict, "")
        if c.equivalent:
            kind = f"{kind}, within the margin" if kind else "equivalent"
        kinds.setdefault(kind or "open", []).append(c)
    return kinds


def matrix(q: Question) -> Grid | None:
    """Criterion × rate: the differences and their marks; None where the sentences of `answer` name the verdicts."""
    if len(q.plain) <= MANY:
        return None
    by_place = {(c.reference, c.rate): c for c in q.plain}
    rates = sorted({c.rate for c in q.plain}, key=float)
    entries = {
        place: f"{difference(q.analysis, c)} {_mark(c)}{q.doubts.get(place, '')}".strip()
        for place, c in by_place.items()
    }
    rows = [
        [reference, *(entries.get((reference, rate), NONE) for rate in rates)]
        for reference in sorted({c.reference for c in q.plain})
    ]
    caption = (
        "Freeze − prune by criterion, named by the pruned method, and rate, over all done seeds; 95 % t interval. "
        "↑ freezing higher, ↓ pruning higher, ≈ equivalent, by the tests of the next table."
        f"{_doubts(q)}"
    )
    return Grid(caption, ["criterion", *rates], rows)


def _mark(c: Comparison) -> str:
    return {"higher": "↑", "lower": "↓"}.get(c.verdict, "") + ("≈" if c.equivalent else "")


def _where(several: Sequence[Comparison]) -> str:
    """snip at 0.9, 0.99, grasp at 0.9"""
    by_name: dict[str, list[str]] = {}
    for c in several:
        by_name.setdefault(c.reference, []).append(c.rate)
    return ", ".join(f"{name} at {', '.join(sorted(rates, key=float))}" for name, rates in by_name.items())


def table(q: Question) -> Grid | None:
    """Criterion × rate: freeze − prune. None where there is no such pair."""
    if not q.plain:
        return None
    a, ordered = q.analysis, sorted(q.plain, key=lambda c: (c.reference, float(c.rate)))
    caption = (
        "Freeze − prune, same weights chosen, same rate and seed, with its 95 % t interval; p and the equivalence test "
        f"adjusted by Holm over these m = {q.plain[0].family} comparisons, the family that decides freeze or prune. "
        "Against one reference, below, the methods are another family, and the same difference has another adjusted p. "
        f"{margin(a)}{_doubts(q)}"
    )
    headers = ["frozen", "pruned", "rate", "pairs", "difference", "p", "Holm p", "TOST Holm p", "verdict"]
    rows = [_row(a, c, q.doubts.get((c.reference, c.rate), "")) for c in ordered]
    return Grid(caption, headers, rows)


def variants(q: Question) -> Grid | None:
    """The comparisons again on some seeds alone, those that this changes; None where it changes none."""
    by_name = {name: {(c.label, c.rate): c for c in several} for name, (_, several) in q.variants.items()}
    rows = []
    for plain in sorted(q.plain, key=lambda c: (c.reference, float(c.rate))):
        others = [compared[plain.label, plain.rate] for compared in by_name.values()]
        if any(c.seeds != plain.seeds for c in others):
            entries = (_again(q.analysis, plain, c) for c in others)
            rows.append([plain.label, plain.reference, plain.rate, _with_verdict(q.analysis, plain), *entries])
    told = "; ".join(f"{name}: without {left_out}" for name, (left_out, _) in q.variants.items())
    caption = f"Freeze − prune on some seeds alone, where that changes a pair. {told[:1].upper()}{told[1:]}."
    return Grid(caption, ["frozen", "pruned", "rate", "all done seeds", *by_name], rows) if rows else None


def _again(a: Analysis, plain: Comparison, c: Comparison) -> str:
    """A comparison on fewer seeds."""
    if c.seeds == plain.seeds:
        return SAME
    return _with_verdict(a, c) if c.n else "no pair left"


def _with_verdict(a: Analysis, c: Comparison) -> str:
    return f"{difference(a, c)}, n = {c.n}, {verdict(a, c)}"


def _doubts(q: Question) -> str:
    """What the marks of doubt mean, those that occur."""
    marks = "".join(q.doubts.values())
    return "".join(f" {mark}: {words}." for mark, words in DOUBTS.items() if mark in marks)


def _row(a: Analysis, c: Comparison, doubt: str) -> list[str]:
    return [
        c.label, c.reference, c.rate, str(c.n), difference(a, c), p_value(c.p), p_value(c.p_holm),
        p_value(c.p_equivalence_holm), f"{verdict(a, c)} {doubt}".strip(),
    ]  # fmt: skip
