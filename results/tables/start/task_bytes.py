"""The bytes of several tasks: one base and a delta for each, beside a pruned or a dense network for each."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from bench import names
from bench.metrics import NONE
from bench.results.frame.collect import DENSE
from bench.results.frame.method_record import PLAIN, method_record
from bench.results.frame.words import rate_text
from bench.results.statistics.analysis import Analysis
from bench.results.tables.formats import Block, Grid, Paragraph

TASKS = 10
NEVER = (
    "For one task freezing at a base never saves bytes: at the same rate the file of the frozen network holds the same "
    "mask and as many values as that of the pruned one, and needs the base beside it. It must win on accuracy."
)


@dataclass(frozen=True, kw_only=True)
class TaskBytes:
    """Sizes of the files of one rate, what one task takes: of a frozen network, the pruned one whose weights are chosen
    alike at the same seed, and the dense one of that seed.
    """

    delta: tuple[float, ...]  # of the frozen networks, without their base
    pruned: tuple[float, ...]
    dense: tuple[float, ...]


def blocks(analysis: Analysis) -> Iterator[Block]:
    """The table, or why there is none; nothing of a section that starts from scratch."""
    if not analysis.section.fields.get("start"):
        return
    base = base_bytes(analysis)
    if base is None:
        yield Paragraph(f"The size of the base is not known: {_unknown(analysis)}. {NEVER}")
    elif grid := _grid(analysis, base):
        yield grid


def base_bytes(analysis: Analysis) -> float | None:
    """The mean size of the bases' own files, if they are in the store."""
    sizes = analysis.section.bases[names.STORED_BYTES].dropna()
    return None if sizes.empty else float(sizes.mean())


def _unknown(analysis: Analysis) -> str:
    from_file = "weights" in analysis.section.fields["start"]
    return "it came from a file" if from_file else "no trial that trained it is in this store"


def crossing(base: float, delta: Sequence[float], other: Sequence[float]) -> float:
    """The number of tasks from which on base + T·delta is not above T·other on average; infinite unless every delta is
    smaller than what it is paired with.

    >>> crossing(1000, [10, 20], [30, 40]), crossing(1000, [30], [30]), crossing(1000, [10, 30], [90, 20])
    (50, inf, inf)
    """
    saved = [theirs - own for own, theirs in zip(delta, other, strict=True)]
    return math.ceil(base / fmean(saved)) if min(saved) > 0 else math.inf


def sizes(analysis: Analysis) -> dict[str, TaskBytes]:
    """Rate -> the sizes of its files, of the rates shown, pair by pair."""
    files = _files(analysis)
    dense = {seed: size for (_, seed, _, background), size in files.items() if background == DENSE}
    paired: dict[str, list[tuple[float, float, float]]] = {
        rate_text(rate): [] for rate in sorted({c.rate for c in analysis.shown if c.rated})
    }
    for (selection, seed, rate, background), size in files.items():
        pruned = files.get((selection, seed, rate, "prune"))
        if background == "freeze" and pruned is not None and seed in dense and rate in paired:
            paired[rate].append((size, pruned, dense[seed]))
    sides = {rate: [*zip(*triples, strict=True)] for rate, triples in paired.items() if triples}
    return {rate: TaskBytes(delta=delta, pruned=pruned, dense=dense) for rate, (delta, pruned, dense) in sides.items()}


def _files(analysis: Analysis) -> dict[tuple[str, int, str, str], float]:
    """How the weights are chosen, seed, rate and background -> the bytes of the file; of methods at initialisation."""
    columns = ("spec.method", "seed", "rate", "background", names.STORED_BYTES)
    stored = analysis.section.frame.dropna(subset=[names.STORED_BYTES])
    rows = zip(*(stored[name] for name in columns), strict=True)
    methods = ((method_record(text), *rest) for text, *rest in rows)
    return {
        (method.selection, int(seed), rate, background): float(size)
        for method, seed, rate, background, size in methods
        if method.control == PLAIN and method.at_initialisation
    }


def _grid(analysis: Analysis, base: float) -> Grid | None:
    headers = ["rate", "delta", "pruned", "dense", f"base + {TASKS} deltas", f"{TASKS} pruned", f"{TASKS} dense"]
    headers += ["T* against pruned", "T* against dense"]
    rows = [[rate, *_row(base, of_rate)] for rate, of_rate in sizes(analysis).items()]
    caption = (
        f"Bytes of T tasks that share one base of {base:,.0f} bytes: base + T·delta, delta the file of a frozen "
        "network, beside T files of pruned networks and T of dense ones. Means over the pairs of a frozen and a "
        "pruned network of the same seed that choose their weights alike. T*: the number of tasks from which on the "
        f"base and its deltas take no more; {NONE} if a delta is no smaller in one of the pairs. {NEVER}"
    )
    return Grid(caption, headers, rows, "Bytes of several tasks from one base") if rows else None


def _row(base: float, of_rate: TaskBytes) -> list[str]:
    delta, pruned, dense = (fmean(sizes) for sizes in (of_rate.delta, of_rate.pruned, of_rate.dense))
    totals = (base + TASKS * delta, TASKS * pruned, TASKS * dense)
    return [
        *(f"{value:,.0f}" for value in (delta, pruned, dense, *totals)),
        *(NONE if math.isinf(number) else f"{number:,}" for number in _crossings(base, of_rate)),
    ]


def _crossings(base: float, of_rate: TaskBytes) -> tuple[float, float]:
    """T* against pruned and against dense networks."""
    return crossing(base, of_rate.delta, of_rate.pruned), crossing(base, of_rate.delta, of_rate.dense)


def records(analysis: Analysis) -> list[dict[str, Any]]:
    """A record for each rate, at full precision; none if the size of the base is not known."""
    base = base_bytes(analysis) if analysis.section.fields.get("start") else None
    if base is None:
        return []
    return [_record(rate, base, of_rate) for rate, of_rate in sizes(analysis).items()]


def _record(rate: str, base: float, of_rate: TaskBytes) -> dict[str, Any]:
    against_pruned, against_dense = _crossings(base, of_rate)
    return {
        "rate": rate,
        "base": base,
        "delta": fmean(of_rate.delta),
        "pruned": fmean(of_rate.pruned),
        "dense": fmean(of_rate.dense),
        "tasks_against_pruned": against_pruned,
        "tasks_against_dense": against_dense,
    }
