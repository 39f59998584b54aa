"""From a sweep to what is planned of it: its comparisons by the rule of the tables, and how they are judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any

from bench.canonical import canonical_json
from bench.cli.requests.plan import PlanRequest
from bench.results.frame.margin import OfErrors, margin_of
from bench.results.frame.method_record import PLAIN, MethodRecord, method_record
from bench.results.frame.plans import Planned, Record
from bench.results.statistics.comparisons import freeze_prune_pairs
from bench.results.statistics.planned import FEWEST
from bench.trial.spec import TrialSpec
from bench.trial.sweep import Sweep

OF_A_CELL = ("method", "rate", "seed")  # fields of a trial that a plan's trials need not share


@dataclass(frozen=True, kw_only=True)
class PlannedCell:
    """A method at a rate that is to be trained."""

    label: str
    record: MethodRecord
    background: str
    rate: Decimal
    group_key: str


def record_of(request: PlanRequest, sweep: Sweep, name: str) -> Record:
    """What is planned. Raises ValueError in one line for looks, levels or margins that are none, or without a pair."""
    cells = _cells(sweep)
    comparisons = _comparisons(sweep, cells)
    looks = read_looks(request.looks, len(sweep.seeds))
    if not 0 < request.alpha < 1:
        raise ValueError(f"alpha {request.alpha:g}: must be above 0 and below 1")
    margin = margin_of(request.margin, 100)
    if not isinstance(margin, OfErrors) and margin >= 1:
        raise ValueError(f"margin {request.margin}: must be above 0 and below 100 percentage points")
    return Record(
        name=name,
        shared=_shared(sweep.trials()),
        cells={cell.group_key: (cell.label, str(cell.rate)) for cell in cells},
        comparisons=comparisons,
        seeds=tuple(sweep.seeds),
        looks=looks,
        spending=request.spending,
        alpha=request.alpha,
        test=request.test,
        margin=margin.share if isinstance(margin, OfErrors) else margin,
        of_errors=isinstance(margin, OfErrors),
    )


def read_looks(text: str | None, seeds: int) -> tuple[int, ...]:
    """The numbers of seeds at which one looks; the last is all of them.

    >>> read_looks("5,10", 10), read_looks(None, 10)
    ((5, 10), (10,))
    """
    if seeds < FEWEST:
        raise ValueError(f"seeds: {seeds} of a plan; must be {FEWEST} or more, since one has no test")
    if text is None:
        return (seeds,)
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise ValueError(f"looks {text!r}: must be numbers of seeds, as 5,10")
    looks = tuple(map(int, parts))
    if looks[0] < FEWEST or any(b <= a for a, b in pairwise(looks)):
        raise ValueError(f"looks {text}: must be {FEWEST} or more, and rising")
    if looks[-1] != seeds:
        raise ValueError(f"looks {text}: the last must be the number of seeds, {seeds}")
    return looks


def _cells(sweep: Sweep) -> list[PlannedCell]:
    first = {spec.group_key: spec for spec in sweep.trials() if spec.seed == sweep.seeds[0]}
    return [
        PlannedCell(
            label=sweep.name_of(spec.method),
            record=record,
            background=record.background if spec.rate else "dense",
            rate=spec.rate,
            group_key=key,
        )
        for key, spec in first.items()
        for record in [method_record(canonical_json(spec.record()["method"]))]
    ]


def _comparisons(sweep: Sweep, cells: Sequence[PlannedCell]) -> tuple[Planned, ...]:
    """Freeze − prune of every method that has both, as the tables have it. Raises ValueError if there is none."""
    pairs = freeze_prune_pairs([cell for cell in cells if cell.record.control == PLAIN])
    if not pairs:
        raise ValueError(
            f"methods {', '.join(sweep.methods)}: must have a frozen and a pruned one that choose the same weights, as "
            "freeze,snip; else nothing is compared"
        )
    return tuple(
        Planned(
            frozen=frozen.label,
            pruned=pruned.label,
            rate=str(frozen.rate),
            frozen_key=frozen.group_key,
            pruned_key=pruned.group_key,
        )
        for frozen, pruned in pairs
    )


def _shared(trials: Sequence[TrialSpec]) -> Mapping[str, Any]:
    """The fields that all trials have alike: step and tuned values may differ by cell."""
    records = [spec.record() for spec in trials]
    return {
        field: value
        for field, value in records[0].items()
        if field not in OF_A_CELL and all(field in record and record[field] == value for record in records)
    }
