"""How a method looks in every plot: a colour for how it selects, a line and a marker for what the dead weights hold."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.colors import to_hex, to_rgb
from matplotlib.lines import Line2D

from bench.messages import visible
from bench.results.frame.collect import BIASES, DENSE
from bench.results.frame.method_record import method_record
from bench.results.frame.sections import labels

# Okabe and Ito (2008), told apart by the colour-blind; black is the dense baseline's, yellow is too faint on white.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
USUAL = ("snip", "grasp", "random", "magnitude")  # criteria that have the same colour in every figure
SHADE = 0.55  # of each colour, once all are taken
BLACK = "#000000"
GREY = "#666666"
LINES = {"freeze": "-", "prune": "--", DENSE: "-", BIASES: "-."}
# Of each colour the markers of a freezing and of a pruning method: printed in grey, some colours are alike.
MARKERS = (("o", "s"), ("^", "v"), ("D", "d"), ("P", "X"), ("<", ">"), ("p", "h"))
DOTTED, OF_SCALES = ":", ("*", "H", "8", "x", "+")  # of a scale that is neither 1 nor 0; a marker for each, rising
LINES_NOTE = (
    "Solid lines: weights that are not trained are frozen at their initial values; dashed: pruned to zero. A colour "
    "for each criterion."
)

BAND: dict[str, Any] = {"alpha": 0.15, "linewidth": 0}  # of an interval, in the colour of its mean

# Sizes in points: readable if the figure is printed as wide as it is drawn.
SMALL = 7.5
TINY = 6.5  # of the rates under a narrow panel
RC: Any = {
    "font.family": "DejaVu Sans", "font.size": 9, "axes.titlesize": 9, "figure.titlesize": 10, "legend.fontsize": 8.5,
    "xtick.labelsize": 8.5, "ytick.labelsize": 8.5, "axes.spines.top": False, "axes.spines.right": False,
    "axes.grid": True, "axes.axisbelow": True, "grid.color": "#DDDDDD", "grid.linewidth": 0.6, "lines.linewidth": 1.5,
    "lines.markersize": 5, "legend.frameon": False, "legend.handlelength": 3.4,
    "axes.formatter.use_mathtext": True, "pdf.fonttype": 42,
    "svg.hashsalt": "freeze-or-prune",  # the same data give the same bytes
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Style:
    """How a method is drawn; `order` is its place in the legend."""

    label: str
    background: str  # "freeze", "prune", "dense", "biases", a scale, or the first and the last
    colour: str
    order: int
    marker: str

    @property
    def line(self) -> str:
        return LINES.get(self.background, DOTTED)

    def drawn(self, **more: Any) -> dict[str, Any]:
        """Keywords of a line with markers."""
        look = {"color": self.colour, "linestyle": self.line, "marker": self.marker, "label": self.label}
        return {**look, "linewidth": 1.2 if self.background in (DENSE, BIASES) else 1.5, **more}


def literal(text: str) -> str:
    """The text as matplotlib draws it, between whose dollars there is no formula.

    >>> literal("at 5$ and 6$")
    'at 5\\\\$ and 6\\\\$'
    """
    return visible(text).replace("$", r"\$")


def styles(frame: pd.DataFrame) -> dict[str, Style]:
    """Canonical record of a method -> its style, for every method of the store: no filter changes a colour.

    A freezing and a pruning method that select alike share a colour. Labels are unique over the whole store.
    """
    known = frame.assign(label=labels(frame)).drop_duplicates("spec.method")
    backgrounds = dict(zip(known["spec.method"], known["background"], strict=True))
    selections = {
        record: method_record(record).selection
        for record, background in backgrounds.items()
        if background not in (DENSE, BIASES)
    }
    named = dict(zip(known["spec.method"], known["label"], strict=True))
    numbers = _numbers([(text, named[record]) for record, text in selections.items()])
    scales = sorted({*backgrounds.values()} - {*LINES}, key=lambda scale: [float(end) for end in scale.split(" to ")])
    by_record = {}
    for record, label in named.items():
        background, number = backgrounds[record], numbers.get(selections.get(record, ""), -1)
        colour = _colour(number) if number >= 0 else GREY if background == BIASES else BLACK
        marker = "none" if number < 0 else _marker(number, background, scales)
        by_record[record] = Style(
            label=literal(label),
            background=background,
            colour=colour,
            order=3 * number + ["freeze", *scales, "prune"].index(background) if number >= 0 else number,
            marker=marker,
        )
    return by_record


def _marker(number: int, background: str, scales: Sequence[str]) -> str:
    if background in scales:
        return OF_SCALES[scales.index(background) % len(OF_SCALES)]
    return MARKERS[number % len(MARKERS)][background == "prune"]


def _numbers(selections: Sequence[tuple[str, str]]) -> dict[str, int]:
    """A number per selection, of (selection, label): the usual criteria's own, the next free ones for all others."""
    records = {text: json.loads(text) for text, _ in selections}
    # Of several selections with one criterion, the plainest has the criterion's colour: one-shot, a short name.
    length = {text: min(len(label) for other, label in selections if other == text) for text in records}
    ordered = sorted(records, key=lambda text: (records[text].get("select") != "one-shot", length[text], text))
    numbers: dict[str, int] = {}
    for text in ordered:
        criterion = records[text].get("criterion")
        usual = USUAL.index(criterion) if criterion in USUAL else -1
        numbers[text] = usual if usual >= 0 and usual not in numbers.values() else _free(numbers)
    return numbers


def _free(numbers: Mapping[str, int]) -> int:
    return max([len(USUAL), *(number + 1 for number in numbers.values())])


def _colour(number: int) -> str:
    """The palette's, then the same in darker shades."""
    cycle, index = divmod(number, len(PALETTE))
    red, green, blue = (SHADE**cycle * part for part in to_rgb(PALETTE[index]))
    return to_hex((red, green, blue))


def in_order(shown: Iterable[Style]) -> list[Style]:
    """Each style once, as the legend has them: dense first, and the twins of a selection one after the other."""
    return sorted(set(shown), key=lambda style: (style.order, style.label))


def line_entries(shown: Iterable[Style]) -> list[tuple[Line2D, str]]:
    """The legend entries of lines."""
    return [(Line2D([], [], **style.drawn()), style.label) for style in in_order(shown)]


def open_entry() -> tuple[Line2D, str]:
    """The legend entry of open markers."""
    handle = Line2D([], [], marker="o", markerfacecolor="white", linestyle="none", color=GREY)
    return handle, "open: a seed without a path of live weights"
