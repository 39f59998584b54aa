"""Freeze or prune, criterion by criterion: every frozen method against the pruned one that chooses the same weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from results.analysis import Analysis
from results.cells import Cell, selection_text, without_collapsed
from results.comparisons import Comparison, family_of
from results.differences import difference, verdict
from results.figures import NONE, p_value
from results.formats import Grid
from results.words import margin

MANY = 12  # comparisons that a sentence can name


@dataclass(frozen=True)
class Question:
    """The comparisons freeze − prune of a section, of all done seeds and of the connected ones alone."""

    analysis: Analysis

    @cached_property
    def plain(self) -> list[Comparison]:
        """Over all seeds that both have."""
        return self._compared(self.analysis.cells)

    @cached_property
    def connected(self) -> list[Comparison]:
        """Without the seeds whose pruned network has a layer without a live weight."""
        return self._compared(without_collapsed(self.analysis.cells))

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
    """The verdict in sentences: over all criteria and rates, and what changes without collapsed networks."""
    if not q.plain:
        return ["No frozen and pruned method that choose the same weights are in this section."]
    lines = [f"All done seeds: {_counted(q.plain)}."]
    if [c.seeds for c in q.plain] != [c.seeds for c in q.connected]:
        lines.append(f"Without the seeds whose pruned network lost a layer: {_counted(q.connected)}.")
    return lines


def _counted(several: Sequence[Comparison]) -> str:
    """12 comparisons: freezing higher in 3 (snip at 0.99, 0.995), lower in 0, equivalent in 5 (…), open in 4."""
    kinds = _kinds(several)
    named = len(several) <= MANY
    parts = [f"{kind} in {len(at)}{f' ({_where(at)})' if at and named else ''}" for kind, at in kinds.items()]
    return f"{len(several)} comparisons: {'; '.join(parts)}"


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
    entries = {place: f"{difference(q.analysis, c)} {_mark(c)}".strip() for place, c in by_place.items()}
    rows = [
        [reference, *(entries.get((reference, rate), NONE) for rate in rates)]
        for reference in sorted({c.reference for c in q.plain})
    ]
    caption = (
        "Freeze − prune by criterion, named by the pruned method, and rate, over all done seeds; 95 % t interval. "
        "↑ freezing higher, ↓ pruning higher, ≈ equivalent, by the tests of the next table."
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
    """Criterion × rate: freeze − prune, with and without collapsed seeds. None where there is no such pair."""
    if not q.plain:
        return None
    a, other = q.analysis, {(c.label, c.rate): c for c in q.connected}
    differs = [c.seeds for c in q.plain] != [c.seeds for c in q.connected]
    caption = (
        "Freeze − prune, same weights chosen, same rate and seed, with its 95 % t interval; p and the equivalence test "
        f"adjusted by Holm over these m = {q.plain[0].family} comparisons. {margin(a)}"
    )
    headers = ["frozen", "pruned", "rate", "pairs", "difference", "p", "Holm p", "TOST Holm p", "verdict"]
    rows = [_row(a, c) for c in sorted(q.plain, key=lambda c: (c.reference, float(c.rate)))]
    if differs:
        caption += " Connected: without the seeds whose pruned network has a layer without a live weight."
        headers.append("connected seeds only")
        for row in rows:
            c = other[row[0], row[2]]
            row.append(f"{difference(a, c)}, n = {c.n}, {verdict(a, c)}" if c.n else "no pair left")
    return Grid(caption, headers, rows)


def _row(a: Analysis, c: Comparison) -> list[str]:
    return [
        c.label, c.reference, c.rate, str(c.n), difference(a, c), p_value(c.p), p_value(c.p_holm),
        p_value(c.p_equivalence_holm), verdict(a, c),
    ]  # fmt: skip
