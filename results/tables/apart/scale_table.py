"""The question as a curve: the figure at each scale of the background, and how far it is from freeze and from prune."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from bench.messages import decimal_text
from bench.metrics import NONE
from bench.results.frame.method_record import AT_INITIALISATION
from bench.results.frame.words import rate_text
from bench.results.statistics.analysis import Analysis
from bench.results.statistics.cell_values import named
from bench.results.statistics.comparisons import Comparison
from bench.results.statistics.scales import Point, ScaleCurve, scale_curves
from bench.results.tables import captions
from bench.results.tables.columns import difference
from bench.results.tables.formats import Block, Bold, Bullets, Entry, Grid
from bench.results.tables.marks import of_seeds, seeds_legend

TITLE = "Accuracy over the scale of the background"
ENDS = {"freeze": "1", "prune": "0"}  # what a scale is compared with


def curves(analysis: Analysis) -> list[ScaleCurve]:
    """Those shown; none without a scale that is neither 1 nor 0."""
    return scale_curves(analysis.shown, analysis.view.rules)


def blocks(analysis: Analysis) -> Iterator[Block]:
    """The best scale of each criterion and rate in a line, and the table; nothing without such a scale."""
    if every := curves(analysis):
        yield Bullets(sentences(analysis))
        yield _grid(analysis, every)


def sentences(analysis: Analysis) -> list[str]:
    """The best scale of each criterion and rate."""
    return [_sentence(analysis, curve) for curve in curves(analysis)]


def _sentence(analysis: Analysis, curve: ScaleCurve) -> str:
    best = curve.best(analysis.view.shown_metric.better)
    against = [f"{difference(analysis, c)} to scale {ENDS[name]}" for name, c in best.to.items() if c.n]
    other = f", {', '.join(against)}" if against else ""
    apart = "" if curve.group == AT_INITIALISATION else f" ({curve.group})"
    scales = ", ".join(decimal_text(point.scale) for point in curve.points)
    return (
        f"{curve.criterion}{apart}, rate {rate_text(curve.rate)}: of the scales {scales} the best mean is at "
        f"{decimal_text(best.scale)}: {_figure(analysis, best)}{other}."
    )


def _grid(analysis: Analysis, every: Sequence[ScaleCurve]) -> Grid:
    shown = analysis.view.shown_metric
    marks = "".join(of_seeds(point.cell) for curve in every for point in curve.points)
    best = "highest" if shown.better > 0 else "lowest"
    caption = (
        f"{shown.caption} over the scale of the background: weights that are not trained hold the scale times their "
        "value at the start, so that 1 is frozen and 0 is pruned; methods of one criterion choose the same weights. "
        f"Bold: the {best} mean of its criterion and rate, which is picked by this very figure and so looks better "
        f"than it is. Differences: paired by seed, over the seeds that both have{captions.steps(analysis)}, with "
        "95 % t intervals that are adjusted for nothing; they are in no family and no verdict of freeze or prune."
        f"{seeds_legend(marks)}"
    )
    headers = ["criterion", "rate", "scale", shown.unit or "value", "n", *(f"− scale {end}" for end in ENDS.values())]
    rows = [_row(analysis, curve, point) for curve in every for point in curve.points]
    return Grid(caption, headers, rows, f"{shown.caption} over the scale of the background")


def _row(analysis: Analysis, curve: ScaleCurve, point: Point) -> list[Entry]:
    is_best = point is curve.best(analysis.view.shown_metric.better)
    figure, marks = _figure(analysis, point), of_seeds(point.cell)
    return [
        curve.criterion,
        rate_text(curve.rate),
        decimal_text(point.scale),
        Bold(figure, marks) if is_best else f"{figure}{marks}",
        str(point.cell.summary.n),
        *(_entry(analysis, point, name) for name in ENDS),
    ]


def _entry(analysis: Analysis, point: Point, name: str) -> str:
    c = point.to.get(name)
    return difference(analysis, c) if c and c.n else NONE


def _figure(analysis: Analysis, point: Point) -> str:
    number, s = analysis.view.shown_metric.number, point.cell.summary
    return f"{number(s.mean)} ± {number(s.sd)}" if s.n > 1 else number(s.mean)


def records(analysis: Analysis) -> list[dict[str, Any]]:
    """A record for each criterion, rate and scale, at full precision."""
    return [_record(analysis, curve, point) for curve in curves(analysis) for point in curve.points]


def _record(analysis: Analysis, curve: ScaleCurve, point: Point) -> dict[str, Any]:
    return {
        **named(point.cell),
        "criterion": curve.criterion,
        "scale": point.scale,
        "metric": analysis.view.metric,
        "mean": point.cell.summary.mean,
        "sd": point.cell.summary.sd,
        "n": point.cell.summary.n,
        "best": point is curve.best(analysis.view.shown_metric.better),
        **{key: value for name in ENDS for key, value in _against(point.to.get(name), ENDS[name]).items()},
    }


def _against(c: Comparison | None, end: str) -> dict[str, Any]:
    """The difference to scale 1 or 0; null if the store does not have it."""
    known = c if c and c.n else None
    return {
        f"to_{end}": known and known.difference,
        f"to_{end}_low": known and known.interval.low,
        f"to_{end}_high": known and known.interval.high,
        f"pairs_{end}": list(known.seeds) if known else [],
    }
