"""Accuracy over what a trained network takes on disk, and the Pareto front of the two."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from bench import names
from bench.metrics import Metric
from bench.results.frame.errors import NothingToShowError
from bench.results.plots.axis_scales import ERROR_NOTE, accuracy_axis, plain
from bench.results.plots.plot_page import Entry, finish, page
from bench.results.plots.plot_style import GREY, Style, in_order, open_entry
from bench.results.statistics.cells import Cell, cells
from bench.results.statistics.shown_cells import Excerpt, disconnected, doubtful, interval, missing, over_seeds

HEIGHT, LETTERS = 4.2, 48  # inches of a panel; letters of a line of text beside it
FLOAT32 = names.VALUE_DTYPES[0]
# Value type -> the markers of a freezing and of a pruning method.
MARKERS = dict(zip(names.VALUE_DTYPES, (("o", "s"), ("^", "v"), (">", "<"), ("P", "X")), strict=True))
FRONT: dict[str, Any] = {"color": GREY, "linestyle": "-", "linewidth": 1.0, "zorder": 1.5}


@dataclass(frozen=True, kw_only=True)
class Point:
    """A cell as stored with values of one type: means over the seeds that have both figures."""

    cell: Cell  # of the accuracy
    dtype: str
    kilobytes: float

    @property
    def accuracy(self) -> float:
        return self.cell.summary.mean


def points(excerpt: Excerpt) -> list[Point]:
    """Every cell shown, in every type of value; one that the store has no figures of has no values."""
    wanted = {(cell.label, cell.rate) for cell in excerpt.cells}
    # Narrower values have the accuracy of the test set alone.
    dtypes = names.VALUE_DTYPES if excerpt.view.metric == names.TEST_ACCURACY else (FLOAT32,)
    every = []
    for dtype in dtypes:
        accuracies = cells(excerpt.section, column(excerpt.view.metric, dtype))
        sizes = cells(excerpt.section, column(names.STORED_BYTES, dtype))
        both = [pair for pair in zip(accuracies, sizes, strict=True) if (pair[0].label, pair[0].rate) in wanted]
        every += [_point(accuracy, size, dtype) for accuracy, size in both]
    return every


def _point(accuracy: Cell, size: Cell, dtype: str) -> Point:
    values = {seed: value for seed, value in accuracy.values.items() if seed in size.values}
    mean = sum(size.values[seed] for seed in values) / len(values) if values else float("nan")
    return Point(cell=replace(accuracy, values=values), dtype=dtype, kilobytes=mean / 1000)


def column(metric: str, dtype: str) -> str:
    """The name under which a metric is stored for values of a type.

    >>> column("stored_bytes", "float32"), column("stored_bytes", "int8")
    ('stored_bytes', 'stored_bytes_int8')
    """
    return metric if dtype == FLOAT32 else f"{metric}_{dtype}"


def front(shown: Sequence[Point]) -> list[Point]:
    """The points that no other beats or equals in both size and accuracy, rising in both."""
    best: list[Point] = []
    for point in sorted(shown, key=lambda point: (point.kilobytes, -point.accuracy)):
        if not best or point.accuracy > best[-1].accuracy:
            best.append(point)
    return best


def draw(excerpts: Sequence[Excerpt], styles: Mapping[str, Style]) -> Figure:
    """A panel per part: a point per method, rate and value type, and the front of all of them as steps.

    Raises NothingToShowError if no cell has both figures.
    """
    every = {excerpt.section.title: points(excerpt) for excerpt in excerpts}
    shown = {title: drawn for title, of_excerpt in every.items() if (drawn := [p for p in of_excerpt if p.cell.values])}
    if not shown:
        raise NothingToShowError(
            f"plot storage: no trial shown has both {names.STORED_BYTES} and {excerpts[0].view.metric}"
        )
    figure, blocks = page([(title, 1) for title in shown], columns=1, height=HEIGHT)
    several = any(point.dtype != FLOAT32 for of_excerpt in shown.values() for point in of_excerpt)
    looks = _without_markers(styles) if several else styles
    by_error = [
        _panel(axes, drawn, looks, excerpts[0].view.shown_metric)
        for (axes,), drawn in zip(blocks, shown.values(), strict=True)
    ]
    drawn = [point for of_excerpt in shown.values() for point in of_excerpt]
    legend = [
        *_methods(looks[point.cell.record.text] for point in drawn),
        *_types({point.dtype for point in drawn}),
        (Line2D([], [], **FRONT), "Pareto front"),
    ]
    plain = [
        replace(excerpt, cells=[point.cell for point in every[excerpt.section.title] if point.dtype == FLOAT32])
        for excerpt in excerpts
    ]
    mean = (
        f"{excerpts[0].view.shown_metric.caption}: mean and 95 % t interval {over_seeds(excerpts)}, over the mean size "
        "of the trained network's file, on a logarithmic scale; 1 kB = 1000 bytes. A point for each method and rate. "
        f"Pareto front: no point is both smaller and better.{f' {ERROR_NOTE}' if any(by_error) else ''}"
    )
    finish(
        figure,
        legend + ([open_entry()] if disconnected(plain) else []),
        [mean, *missing(plain), *doubtful(plain), *_fewer(shown.values())],
    )
    return figure


def _fewer(shown: Iterable[Sequence[Point]]) -> list[str]:
    """Of what each panel shows, a note per narrower type that not every seed of its cells has been measured in."""
    short = set()
    for drawn in shown:
        whole = {(p.cell.label, p.cell.rate): len(p.cell.values) for p in drawn if p.dtype == FLOAT32}
        short |= {p.dtype for p in drawn if len(p.cell.values) < whole.get((p.cell.label, p.cell.rate), 0)}
    dtypes = [dtype for dtype in names.VALUE_DTYPES if dtype in short]
    return [f"Not every seed is measured as {', '.join(dtypes)}; `bench narrow` goes on."] if dtypes else []


def _panel(axes: Axes, shown: Sequence[Point], styles: Mapping[str, Style], metric: Metric) -> bool:
    """Draw the points of a section; whether their accuracies are on the scale of the error."""
    best, factor = front(shown), metric.factor
    axes.plot(
        [p.kilobytes for p in best], [factor * p.accuracy for p in best],
        drawstyle="steps-post", label="Pareto front", **FRONT,
    )  # fmt: skip
    for point in shown:
        _marker(axes, point, styles[point.cell.record.text], factor)
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    # Within half a decade 1, 2 and 5 would leave the axis with a tick or none.
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)) if high > 5 * low else MaxNLocator(6))
    axes.xaxis.set_major_formatter(FuncFormatter(plain))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("stored: size of the trained network's file (kB)")
    axes.set_ylabel(textwrap.fill(f"{metric.caption} (%)", LETTERS))
    return accuracy_axis(axes, [point.accuracy for point in shown], factor)


def _marker(axes: Axes, point: Point, style: Style, factor: float) -> None:
    ends = interval(point.cell)
    look: dict[str, Any] = {"markerfacecolor": "white"} if point.cell.disconnected and point.cell.rated else {}
    if math.isfinite(ends.low):
        bar: dict[str, Any] = {"color": style.colour, "linewidth": 0.8, "alpha": 0.6}
        axes.vlines(point.kilobytes, factor * ends.low, factor * ends.high, **bar)
    axes.plot([point.kilobytes], [factor * point.accuracy], **_look(style, point.dtype), **look)


def _without_markers(styles: Mapping[str, Style]) -> dict[str, Style]:
    """The same styles: of several types of value, the marker is the type's."""
    return {record: replace(style, marker="none") for record, style in styles.items()}


def _look(style: Style, dtype: str) -> dict[str, Any]:
    """A point of a method: with the method's own marker, or the type's if it has none."""
    marker = MARKERS[dtype][style.background == "prune"] if style.marker == "none" else style.marker
    return style.drawn(linestyle="none", marker=marker)


def _methods(shown: Iterable[Style]) -> list[Entry]:
    return [(Line2D([], [], **_look(style, FLOAT32)), style.label) for style in in_order(shown)]


def _types(shown: set[str]) -> list[Entry]:
    """The legend entries of the value types, if there are several."""
    entries: list[Entry] = []
    for dtype in names.VALUE_DTYPES if shown - {FLOAT32} else ():
        if dtype in shown:
            look: dict[str, Any] = {"linestyle": "none", "color": GREY}
            both = tuple(Line2D([], [], marker=marker, **look) for marker in MARKERS[dtype])
            entries.append((both, f"{'as trained' if dtype == FLOAT32 else dtype} (freeze, prune)"))
    return entries
