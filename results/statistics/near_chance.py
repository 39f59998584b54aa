"""Cells in which some seeds trained and others are near chance: one rule, and what it takes from mean and t test.

Differences of such a cell are a mixture of two kinds of pairs. Their mean lies between the two and near neither, and
the t test takes for one normal spread what is a choice between two values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from bench.results.statistics.cells import Cell, Key
from bench.results.statistics.comparisons import Comparison
from bench.results.statistics.stats import DECIMALS, LEVEL


def near_chance(accuracies: Mapping[int, float], chance: float) -> frozenset[int]:
    """The seeds of a cell whose accuracy is nearer to chance than to that of its best seed.

    None if even the best seed does not double the odds a/(1-a) of a guess: then the cell as a whole is at chance,
    and its seeds are of one kind. That a layer has no live weight decides nothing here: a residual network is not cut
    by it, and a network can be cut without it.

    Args:    accuracies: seed -> accuracy in [0, 1]; chance: in (0, 1).
    """
    best = max(accuracies.values(), default=0.0)
    if not _above(best, chance):
        return frozenset()
    return frozenset(seed for seed, value in accuracies.items() if round(2 * value - chance - best, DECIMALS) < 0)


def _above(best: float, chance: float) -> bool:
    """Whether an accuracy at least doubles the odds of a guess."""
    return round(best * (1 - chance) - 2 * chance * (1 - best), DECIMALS) >= 0


def untrained(cells: Sequence[Cell], chance: float) -> frozenset[Key]:
    """The cells with seeds of which none trained: even the best is at chance."""
    return frozenset(cell.key for cell in cells if cell.values and not _above(max(cell.values.values()), chance))


def mixed(comparisons: Sequence[Comparison], cells: Sequence[Cell], chance: float) -> dict[Key, frozenset[int]]:
    """The cells that mix both kinds of seeds in a comparison -> their seeds near chance; by label and rate."""
    fallen = {cell.key: near_chance(cell.values, chance) for cell in cells}
    sides = [(key, c) for c in comparisons for key in c.sides]
    return dict(sorted((key, fallen[key]) for key, c in sides if 0 < len(fallen[key] & set(c.seeds)) < c.n))


def without_near_chance(all_cells: Sequence[Cell], chance: float) -> list[Cell]:
    """The cells without their seeds near chance."""
    return [_trained(cell, near_chance(cell.values, chance)) for cell in all_cells]


def _trained(cell: Cell, fallen: frozenset[int]) -> Cell:
    return replace(cell, values={s: v for s, v in cell.values.items() if s not in fallen})


def most_unseen(n: int) -> float:
    """The largest share of seeds near chance of which n seeds show none with probability 1 - LEVEL: 1-(1-LEVEL)^(1/n).

    The one-sided limit of Clopper and Pearson (1934) for 0 of n.
    """
    return float(1 - (1 - LEVEL) ** (1 / n))
