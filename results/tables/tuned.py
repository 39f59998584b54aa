"""The hyper-parameters that were chosen for each method and rate, and how."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from bench.messages import counted
from bench.results.frame.collect import DENSE
from bench.results.frame.metrics import NONE, ranges
from bench.results.frame.sections import searched
from bench.results.statistics.analysis import Analysis
from bench.results.tables.formats import Grid
from bench.results.tables.protocol import HYPERPARAMETERS

END = 0.1  # of a range, on the logarithmic scale
Place = tuple[str, str, str, str]  # method, label, rate, background


def chosen(a: Analysis) -> Iterator[tuple[Place, dict[str, float]]]:
    """The values of every cell shown, field -> value."""
    shown = {(cell.label, cell.rate) for cell in a.shown}
    columns = [f"spec.{name}" for name in searched(a.section.fields)]
    for (method, label, rate, background), rows in a.section.frame.groupby(["method", "label", "rate", "background"]):
        if (label, rate) in shown:
            values = {column.removeprefix("spec."): float(rows[column].iloc[0]) for column in columns}
            yield (str(method), str(label), str(rate), str(background)), values


def tuned(a: Analysis) -> Grid | None:
    """Methods × rates: the chosen values; None where nothing was tuned."""
    if not searched(a.section.fields):
        return None
    entries = {(label, rate): _entry(values) for (_, label, rate, _), values in chosen(a)}
    dense = next((entry for (label, _), entry in entries.items() if label == DENSE), "")
    labels = sorted({label for label, _ in entries if label != DENSE})
    rates = sorted({rate for label, rate in entries if label != DENSE}, key=float)
    rows = [[label, *(entries.get((label, rate), NONE) for rate in rates)] for label in labels]
    last = f" Dense: {dense}." if dense else ""
    return Grid(f"{_how(a)}{last}{_at_an_end(a)}", ["method", *rates], rows)


def _at_an_end(a: Analysis) -> str:
    """Which values are so near an end of their range that a better one may lie beyond."""
    search, found = a.section.fields["tuning"]["search"], []
    for (_, label, rate, _), values in chosen(a):
        for field, value in values.items():
            low, high = search[field]
            place = math.log(value / low) / math.log(high / low)
            if min(place, 1 - place) < END:
                found.append(label if label == DENSE else f"{label} {rate}")
    some = ", ".join(dict.fromkeys(found))
    return f" In the first or last tenth of its range, so perhaps better beyond: {some}." if found else ""


def _entry(values: Mapping[str, float]) -> str:
    return ", ".join(f"{value:.3g}" for value in values.values())


def _how(a: Analysis) -> str:
    tuning, epochs = a.section.fields["tuning"], a.section.fields["epochs"]
    spaces = [f"{HYPERPARAMETERS.get(n, n)} from {lo:g} to {hi:g}" for n, (lo, hi) in sorted(tuning["search"].items())]
    halving = (
        f"; asynchronous successive halving (ASHA) stops one that after epoch {tuning['grace']} is not "
        f"among the best 1/{tuning['factor']} seen there so far"
    )
    seeds, used = sorted(tuning["seeds"]), set(a.section.frame["seed"])
    spread = tuning.get("spread", 0)
    later = f", after {spread} by Optuna's TPE" if tuning["budget"] > spread else ""
    shared = ranges(sorted(used & set(seeds)))
    disjoint = f"warning: trials here have seed {shared}" if shared else "no trial here has such a seed"
    return (
        f"Tuned: {', '.join(spaces)}. The same budget for every method and rate, and for dense: "
        f"{counted(tuning['budget'], 'candidate')} of up to {counted(epochs, 'epoch')}, drawn on a "
        "logarithmic scale: the first with the protocol's own value where it lies between, the others spread by "
        f"Halton's sequence, alike for all{later}"
        f"{halving if tuning['grace'] < epochs else ''}. Chosen by the validation accuracy after the last epoch at seed"
        f"{'s' if len(seeds) > 1 else ''} {ranges(seeds)}, without the test images; {disjoint}."
    )
