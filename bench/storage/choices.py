"""Choices of hyper-parameters: what the store keeps of them, and the sweep that uses them. Imports MLflow late."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from math import isfinite
from typing import TYPE_CHECKING, Any

from bench import names
from bench.canonical import canonical_json, key_of
from bench.messages import one_line, say_left_out
from bench.mlflow_metrics import stored_name
from bench.storage.delivery.write_queue import retried
from bench.storage.destinations import Destination, StoreDestination
from bench.storage.store_check import exists
from bench.trial.search import Search, check_disjoint, search_of
from bench.trial.spec import TrialSpec
from bench.trial.sweep import Sweep

if TYPE_CHECKING:
    from bench.storage.mlflow_store import Store
    from bench.trial.result import Tried

NOUN = "choice"
Unreadable = tuple[str, str]  # run, why its choice cannot be read
HINT = "`python -m bench tune` with the same methods, rates and protocol chooses"


@dataclass(frozen=True)
class Choice:
    """The values chosen for a cell."""

    cell: str  # TrialSpec.cell_key
    record: Mapping[str, Any]  # TrialSpec.cell_record, of which `cell` is the hash
    values: Mapping[str, float]  # field -> value

    @property
    def search(self) -> Search:
        """How it was chosen."""
        return search_of(self.record["tuning"])


def choices(uri: str) -> list[Choice]:
    """The choices in the store; of each cell the first. A damaged one is left out, and named on stderr."""
    stored, unreadable = _stored(uri)
    say_left_out(NOUN, unreadable)
    return stored


def _stored(uri: str) -> tuple[list[Choice], list[Unreadable]]:
    """The choices, of each cell the first; and the runs whose choice is damaged."""
    if not exists(uri):
        return [], []
    from bench.storage.mlflow_store import Store

    stored, unreadable = [], []
    for run, value in Store(uri).tagged(names.CHOSEN, "FINISHED"):
        try:
            stored.append(_choice(value))
        except ValueError as error:
            unreadable.append((run, str(error)))
    return list({choice.cell: choice for choice in reversed(stored)}.values())[::-1], unreadable


def _choice(value: str) -> Choice:
    """The choice of a tag. Raises ValueError if `store_choice` did not write it, or it was cut."""
    try:
        choice = Choice(**json.loads(value))
        key, fields = key_of(choice.record), {*choice.search.fields}
        numbers = [float(number) for number in choice.values.values()]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(f"its choice is damaged, or was cut by an earlier version ({one_line(error)})") from error
    if key != choice.cell or {*choice.values} != fields or not all(map(isfinite, numbers)):
        raise ValueError("its choice is damaged: the key, the search and the values do not belong together")
    return choice


def candidates(uri: str) -> list[dict[str, Any]]:
    """Every candidate of every choice, a row each: the searches in order of time, their candidates as drawn.

    `epochs` were trained; `validation_accuracy` is that after the last of them, None before the first. A damaged choice
    is left out, and named on stderr.
    """
    from bench.storage.mlflow_store import Store

    store = Store(uri)
    rows, unreadable = [], []
    for run, value in store.tagged(names.CHOSEN, "FINISHED"):
        try:
            rows += _candidates(store, run, _choice(value))
        except ValueError as error:
            unreadable.append((run, str(error)))
    say_left_out(NOUN, unreadable)
    fields = list(dict.fromkeys(field for row in rows for field in row))
    return [{field: row.get(field) for field in fields} for row in rows]


def _candidates(store: Store, run: str, choice: Choice) -> list[dict[str, Any]]:
    """The candidates of a choice. Raises ValueError if they cannot be read."""
    try:
        tried = json.loads(store.read(run, names.CANDIDATES_FILE))
        if not isinstance(tried, list) or not tried:
            raise ValueError("no list of candidates")
        cell = {"dataset": choice.record["dataset"], "model": choice.record["model"]}
        cell |= {"method": store.tags(run)[names.METHOD], "rate": choice.record["rate"], "search": choice.search.label}
        return [{**cell, **_outcome(c), "chosen": "yes" if c["values"] == choice.values else ""} for c in tried]
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(f"its {names.CANDIDATES_FILE} cannot be read ({one_line(error)})") from error


def _outcome(candidate: Mapping[str, Any]) -> dict[str, Any]:
    accuracies = candidate["validation_accuracy"]
    last = accuracies[-1] if accuracies else None
    return {
        **candidate["values"],
        "outcome": candidate["outcome"],
        "epochs": len(accuracies),
        "validation_accuracy": last,
    }


def store_choice(
    uri: str, experiment: str, command: str, method: str, cell: TrialSpec, tried: Sequence[Tried], best: Tried
) -> bool:
    """Store what was chosen for a cell, with everything that was tried; False if another command was first."""
    from bench.storage.mlflow_store import Store

    assert cell.tuning is not None
    if cell.cell_key in {choice.cell for choice in _stored(uri)[0]}:
        return False
    store, now = Store(uri), time.time()
    chosen = canonical_json({"cell": cell.cell_key, "record": cell.cell_record(), "values": dict(best.values)})
    tags = {names.KIND: names.CHOICE, names.METHOD: method, names.CHOSEN: chosen, names.COMMAND: command}
    parameters = {"method": method, "rate": str(cell.rate), "search": cell.tuning.label}
    parameters |= {field: str(value) for field, value in best.values.items()}
    points = enumerate(best.validation_accuracy, 1)
    metrics = [(stored_name(names.VALIDATION_ACCURACY), value, int(now * 1000), epoch) for epoch, value in points]
    run = retried(lambda: store.create(store.experiment(experiment), f"tuned {method} {cell.rate}", tags, now))
    retried(partial(store.log, run.id, parameters, metrics))
    records = json.dumps([asdict(candidate) for candidate in tried])
    retried(partial(store.write, run, names.CANDIDATES_FILE, records.encode()))
    retried(partial(store.end, run.id, "FINISHED"))  # last: a choice that is FINISHED is whole
    return True


def with_choices(sweep: Sweep, search_text: str, destination: Destination) -> Sweep:
    """The sweep with the values that `tune` chose for each of its cells, by the search `search_text`, or by any ("").

    Raises: ValueError if no search of the store covers every cell, if several do and none is named, or if the values
    were chosen on a seed of the sweep.
    """
    if not isinstance(destination, StoreDestination):
        raise ValueError("--tuned with --offline: the choices are in the MLflow store; leave out one of the two")
    stored = choices(destination.uri)
    searches = [s for s in dict.fromkeys(choice.search for choice in stored) if search_text in ("", s.label)]
    if not searches:
        texts = sorted({choice.search.label for choice in stored})
        if not texts:
            raise ValueError(f"tuned: the store {destination.uri} has no choice; {HINT}")
        raise ValueError(f"tuned {search_text!r}: must be {' or '.join(map(repr, texts))}")
    lacking = {search: _lacking(sweep, search, stored) for search in searches}
    fits = [search for search in searches if not lacking[search]]
    if len(fits) > 1:
        flags = " or ".join(f"--tuned {search.label!r}" for search in fits)
        raise ValueError(f"tuned: several searches of the store fit; give {flags}")
    if not fits:
        search = min(searches, key=lambda search: len(lacking[search]))
        raise ValueError(_none_fits(sweep, search, lacking[search], stored))
    check_disjoint(fits[0], sweep.seeds)
    values = {choice.cell: choice.values for choice in stored}
    return replace(sweep, protocol={**sweep.protocol, "tuning": fits[0]}, chosen=values)


def cells(sweep: Sweep, search: Search) -> list[TrialSpec]:
    """The sweep's cells, each as a trial at the first seed of the search, with the protocol's own values."""
    return replace(sweep, seeds=search.seeds[:1], protocol={**sweep.protocol, "tuning": search}).trials()


def _lacking(sweep: Sweep, search: Search, stored: Sequence[Choice]) -> list[TrialSpec]:
    """The cells that the search has no choice for: all, if it began with other values than the protocol's."""
    keys = {choice.cell for choice in stored}
    same = all(sweep.protocol[field] == value for field, value in search.first.items())
    return [cell for cell in cells(sweep, search) if not same or cell.cell_key not in keys]


def _none_fits(sweep: Sweep, search: Search, lacking: Sequence[TrialSpec], stored: Sequence[Choice]) -> str:
    trials = ", ".join(f"{sweep.name_of(cell.method)} {cell.rate}" for cell in lacking)
    record = {**lacking[0].cell_record(), **{field: sweep.protocol[field] for field in search.fields}}
    of_method_and_rate = [
        {**choice.record, **choice.search.first}
        for choice in stored
        if all(choice.record.get(name) == record[name] for name in ("method", "rate"))
    ]
    differs = min((_differing(record, other) for other in of_method_and_rate), key=len, default=[])
    why = f" ({', '.join(f'{name} {theirs} there, {ours} here' for name, ours, theirs in differs)})" if differs else ""
    return f"tuned: the store has no choice for {trials} by {search.label!r}{why}; {HINT}"


def _differing(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """(field, our value, their value) of each field in which the records differ, except how they were searched."""
    fields = sorted({*ours, *theirs} - {"tuning"})
    return [(field, ours.get(field), theirs.get(field)) for field in fields if ours.get(field) != theirs.get(field)]
