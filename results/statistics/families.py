"""Families of comparisons: those of one section, or of all sections that ask one question, corrected together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from bench.results.statistics.cells import Cell
from bench.results.statistics.comparisons import Comparison, Pair, Rules, family_of

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
    whole: list[Comparison]  # all that are corrected together, of other sections too


def together(sections: Sequence[Cells], rules: Rules, pairs_of: PairsOf) -> list[Family]:
    """The pairs of all these sections as one family; what each section has of it."""
    plain = _corrected([cells.plain for cells in sections], rules, pairs_of)
    variants = {
        name: plain
        if all(cells.variants[name] == cells.plain for cells in sections)
        else _corrected([cells.variants[name] for cells in sections], rules, pairs_of)
        for name in sections[0].variants
    }
    whole = [c for comparisons in plain for c in comparisons]
    return [
        Family(comparisons=own, variants={name: every[i] for name, every in variants.items()}, whole=whole)
        for i, own in enumerate(plain)
    ]


def _corrected(sections: Sequence[Sequence[Cell]], rules: Rules, pairs_of: PairsOf) -> list[list[Comparison]]:
    pairs = [pairs_of(cells) for cells in sections]
    judged = iter(family_of([pair for of_section in pairs for pair in of_section], rules))
    return [list(islice(judged, len(of_section))) for of_section in pairs]
