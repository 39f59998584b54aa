"""The question as a curve: a figure over the scale of the background, of methods that choose the same weights."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from bench.names import SCALES
from bench.results.frame.method_record import GROUPS
from bench.results.statistics.cells import Cell
from bench.results.statistics.comparisons import Comparison, Rules, compare


@dataclass(frozen=True, kw_only=True)
class Point:
    """A scale of a curve."""

    scale: float
    cell: Cell
    to: dict[str, Comparison]  # freeze, prune -> this scale − that one, of those there are, over the seeds both have


@dataclass(frozen=True, kw_only=True)
class ScaleCurve:
    """The scales of one way to choose the weights at one rate."""

    criterion: str
    group: str  # of GROUPS
    rate: Decimal
    points: list[Point]  # scales rising; those that have a figure

    def best(self, better: int) -> Point:
        """The point of the highest mean, or the lowest if `better` is negative; the smallest scale of equal ones."""
        return max(self.points, key=lambda point: better * point.cell.summary.mean)


def scale_curves(cells: Iterable[Cell], rules: Rules) -> list[ScaleCurve]:
    """The curves of these cells that have a scale which is neither 1 nor 0, by criterion and rate."""
    alike: dict[tuple[str, Decimal], list[Cell]] = {}
    named: dict[str, list[Cell]] = {}
    for cell in cells:
        if cell.rated and cell.values and cell.record.scale is not None:
            alike.setdefault((cell.record.selection, cell.rate), []).append(cell)
            named.setdefault(cell.record.selection, []).append(cell)
    curves = [
        ScaleCurve(
            criterion=criterion(named[selection]),
            group=of_rate[0].record.group,
            rate=rate,
            points=_points(of_rate, rules),
        )
        for (selection, rate), of_rate in alike.items()
        if any(cell.record.is_scaled for cell in of_rate)
    ]
    return sorted(curves, key=lambda curve: (GROUPS.index(curve.group), curve.criterion, curve.rate))


def _points(cells: Sequence[Cell], rules: Rules) -> list[Point]:
    ends = {cell.background: cell for cell in cells if cell.background in SCALES}
    return [
        Point(
            scale=scale,
            cell=cell,
            to={
                name: compare(cell, ends[name], test=rules.test, margin=rules.margin)
                for name in SCALES
                if name in ends and ends[name] is not cell
            },
        )
        for scale, cell in sorted(((cell.record.scale or 0.0, cell) for cell in cells), key=lambda pair: pair[0])
    ]


def criterion(alike: Sequence[Cell]) -> str:
    """What names methods that choose alike: the pruned one's label, the paper's name; else the frozen one's, or that of
    a scale without it, as on the command line or in a paper.
    """
    by_background = {cell.background: cell.label for cell in alike}
    label = by_background.get("prune") or by_background.get("freeze") or alike[0].label
    return re.sub(r"(:scale=|, scale )[0-9.]+", "", label)
