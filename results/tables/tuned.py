"""The hyper-parameters that were chosen for each method and rate, and how."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from decimal import Decimal

from bench.messages import counted, plural
from bench.metrics import NONE
from bench.results.frame.collect import DENSE
from bench.results.frame.sections import searched
from bench.results.frame.words import ranges, rate_text
from bench.results.statistics.analysis import Analysis
from bench.results.statistics.cells import Cell
from bench.results.tables.formats import Grid
from bench.results.tables.protocol import HYPERPARAMETERS

END = 0.1  # of a range, on the logarithmic scale


def chosen(analysis: Analysis) -> Iterator[tuple[Cell, dict[str, float]]]:
    """The values of every cell shown, field -> value."""
    columns = {name: f"spec.{name}" for name in searched(analysis.section.fields)}
    for (label, rate), rows in analysis.section.frame.groupby(["label", "rate"]):
        key = str(label), Decimal(str(rate))
        if key in analysis.shown_keys:
            yield analysis.by_key[key], {name: float(rows[column].iloc[0]) for name, column in columns.items()}


def tuned(analysis: Analysis) -> Grid | None:
    """Methods × rates: the chosen values; None if nothing was tuned."""
    if not searched(analysis.section.fields):
        return None
    entries = {cell.key: _entry(values) for cell, values in chosen(analysis)}
    dense = next((entry for (label, _), entry in entries.items() if label == DENSE), "")
    labels = sorted({label for label, _ in entries if label != DENSE})
    rates = sorted({rate for label, rate in entries if label != DENSE})
    rows = [[label, *(entries.get((label, rate), NONE) for rate in rates)] for label in labels]
    last = f" Dense: {dense}." if dense else ""
    caption = f"{how(analysis)}{last}{_at_an_end(analysis)}"
    return Grid(caption, ["method", *map(rate_text, rates)], rows, "Tuned values")


def _at_an_end(analysis: Analysis) -> str:
    """Which values are so near an end of their range that a better one may lie beyond."""
    search, near = analysis.section.fields["tuning"]["search"], []
    for cell, values in chosen(analysis):
        for field, value in values.items():
            low, high = search[field]
            share = math.log(value / low) / math.log(high / low)
            if min(share, 1 - share) < END:
                near.append(cell.label if cell.label == DENSE else f"{cell.label} {rate_text(cell.rate)}")
    cells = ", ".join(dict.fromkeys(near))
    return f" In the first or last tenth of its range, so perhaps better beyond: {cells}." if near else ""


def _entry(values: Mapping[str, float]) -> str:
    return ", ".join(f"{value:.3g}" for value in values.values())


def how(analysis: Analysis) -> str:
    """What was searched, and how."""
    tuning, epochs = analysis.section.fields["tuning"], analysis.section.fields["epochs"]
    spaces = [f"{HYPERPARAMETERS.get(n, n)} from {lo:g} to {hi:g}" for n, (lo, hi) in sorted(tuning["search"].items())]
    halving = (
        f"; asynchronous successive halving (ASHA) stops one that after epoch {tuning['grace']} is not "
        f"among the best 1/{tuning['factor']} seen there so far"
    )
    seeds, used = sorted(tuning["seeds"]), set(analysis.section.frame["seed"])
    spread = tuning.get("spread", 0)
    later = f", after {spread} by Optuna's TPE" if tuning["budget"] > spread else ""
    shared = ranges(used & set(seeds))
    disjoint = f"warning: trials here have seed {shared}" if shared else "no trial here has such a seed"
    return (
        f"Tuned: {', '.join(spaces)}. The same budget for every method and rate, and for dense: "
        f"{counted(tuning['budget'], 'candidate')} of up to {counted(epochs, 'epoch')}, drawn on a "
        "logarithmic scale: the first with the protocol's own value if it lies between, the others spread by "
        f"Halton's sequence, alike for all{later}"
        f"{halving if tuning['grace'] < epochs else ''}. Chosen by the validation accuracy after the last epoch at "
        f"{plural(len(seeds), 'seed')} {ranges(seeds)}, without the test images; {disjoint}."
    )
