"""Families of comparisons: those of one section, or of all sections that ask one question, corrected together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from bench.results.statistics.cells import Cell
from bench.results.statistics.comparisons import Comparison, Pair, Rules, family_of
from bench.results.statistics.planned import Standing, planned_family

PairsOf = Callable[[Sequence[Cell]], list[Pair]]


@dataclass(frozen=True, kw_only=True)
class Cells:
    """The cells of a section under no control; and again, of other seeds, by the name of the variant."""

    plain: list[Cell]
    variants: Mapping[str, list[Cell]]


@dataclass(frozen=True, kw_only=True)
class Family:
    """A section's comparisons of a family: over all done seeds, and again over other seeds."""

    comparisons: list[Comparison]
    variants: Mapping[str, list[Comparison]]  # by the name of the variant of the cells
    whole: list[Comparison]  # all that are corrected together, of other sections too; of a plan those of the plan

    @property
    def size(self) -> int:
        """m: how many are corrected together; of a plan also those without a trial."""
        return max((c.family for c in self.whole), default=0)


def together(sections: Sequence[Cells], rules: Rules, pairs_of: PairsOf, plan: Standing | None = None) -> list[Family]:
    """The pairs of all these sections as one family; what each section has of it. A plan names its own."""
    plain = _corrected([cells.plain for cells in sections], rules, pairs_of, plan)
    variants = {
        name: plain
        if all(cells.variants[name] == cells.plain for cells in sections)
        else _corrected([cells.variants[name] for cells in sections], rules, pairs_of, plan)
        for name in sections[0].variants
    }
    pairs = [pair for cells in sections for pair in pairs_of(cells.plain)]
    every = [c for comparisons in plain for c in comparisons]
    whole = [c for pair, c in zip(pairs, every, strict=True) if plan is None or plan.has(pair)] or every
    return [
        Family(comparisons=own, variants={name: of_all[i] for name, of_all in variants.items()}, whole=whole)
        for i, own in enumerate(plain)
    ]


def _corrected(
    sections: Sequence[Sequence[Cell]], rules: Rules, pairs_of: PairsOf, plan: Standing | None
) -> list[list[Comparison]]:
    pairs = [pairs_of(cells) for cells in sections]
    flat = [pair for of_section in pairs for pair in of_section]
    judged = iter(planned_family(flat, rules, plan) if plan else family_of(flat, rules))
    return [list(islice(judged, len(of_section))) for of_section in pairs]
