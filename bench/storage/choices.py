"""Choices of hyper-parameters: what the store keeps of them, and the sweep that uses them. Imports MLflow late."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from bench import names
from bench.canonical import canonical_json
from bench.storage.destinations import Place, StorePlace
from bench.storage.mlflow_fields import TAG_LENGTH
from bench.storage.store_uri import exists
from bench.storage.write_queue import repeated
from bench.trial.search import Search, check_disjoint, search_of
from bench.trial.spec import TrialSpec
from bench.trial.sweep import Sweep

if TYPE_CHECKING:
    from bench.trial.result import Tried

HINT = "`python -m bench tune` with the same methods, rates and protocol chooses"


@dataclass(frozen=True)
class Choice:
    """What was chosen for a cell."""

    cell: str  # its key, TrialSpec.cell_key
    record: Mapping[str, Any]  # what the key is of
    values: Mapping[str, float]  # field -> value

    @property
    def search(self) -> Search:
        """How it was chosen."""
        return search_of(self.record["tuning"])


def choices(uri: str) -> list[Choice]:
    """Those of the store, of each cell the first."""
    if not exists(uri):
        return []
    from bench.storage.mlflow_store import Store

    found = [Choice(**json.loads(text)) for _, text in Store(uri).tagged(names.CHOSEN, "FINISHED")]
    return list({choice.cell: choice for choice in reversed(found)}.values())[::-1]


def candidates(uri: str) -> list[dict[str, Any]]:
    """Everything that was tried for what is chosen, a row each: the searches in order of time, their candidates as
    drawn. `epochs` were trained; `validation_accuracy` is that after the last of them, None before the first."""
    from bench.storage.mlflow_store import Store

    store = Store(uri)
    rows = []
    for run, text in store.tagged(names.CHOSEN, "FINISHED"):
        choice, method = Choice(**json.loads(text)), store.tags(run)[names.METHOD]
        cell = {"dataset": choice.record["dataset"], "model": choice.record["model"], "method": method}
        cell |= {"rate": choice.record["rate"], "search": choice.search.text}
        tried = json.loads(store.read(run, names.CANDIDATES_FILE))
        rows += [{**cell, **_tried(one), "chosen": "yes" if one["values"] == choice.values else ""} for one in tried]
    fields = list(dict.fromkeys(field for row in rows for field in row))
    return [{field: row.get(field) for field in fields} for row in rows]


def _tried(one: Mapping[str, Any]) -> dict[str, Any]:
    reached = one["validation_accuracy"]
    last = reached[-1] if reached else None
    return {**one["values"], "outcome": one["outcome"], "epochs": len(reached), "validation_accuracy": last}


def keep(
    uri: str, experiment: str, command: str, method: str, cell: TrialSpec, tried: Sequence[Tried], best: Tried
) -> bool:
    """Store what was chosen for a cell, with everything that was tried; False where another command was first."""
    from bench.storage.mlflow_store import Store

    assert cell.tuning is not None
    if cell.cell_key in {choice.cell for choice in choices(uri)}:
        return False
    store, now = Store(uri), time.time()
    chosen = canonical_json({"cell": cell.cell_key, "record": cell.cell_record(), "values": dict(best.values)})
    tags = {names.KIND: names.CHOICE, names.METHOD: method, names.CHOSEN: chosen}
    tags[names.COMMAND] = command[:TAG_LENGTH]
    parameters = {"method": method, "rate": str(cell.rate), "search": cell.tuning.text}
    parameters |= {field: str(value) for field, value in best.values.items()}
    points = enumerate(best.validation_accuracy, 1)
    metrics = [(names.VALIDATION_ACCURACY, a, int(now * 1000), epoch) for epoch, a in points]
    run = repeated(lambda: store.create(store.experiment(experiment), f"tuned {method} {cell.rate}", tags, now))
    repeated(partial(store.log, run.id, parameters, metrics))
    repeated(partial(store.write, run, names.CANDIDATES_FILE, json.dumps([asdict(one) for one in tried]).encode()))
    repeated(partial(store.end, run.id, "FINISHED"))  # last: a choice that is FINISHED is whole
    return True


def with_choices(sweep: Sweep, wanted: str, place: Place) -> Sweep:
    """The sweep with the values that `tune` chose for each of its cells; by the search `wanted`, or "": whichever fits.

    Raises: ValueError where no search of the store covers every cell, or several do and none is named, or a seed of
    the sweep is one that the values were chosen on.
    """
    if not isinstance(place, StorePlace):
        raise ValueError("--tuned with --offline: the choices are in the store; allowed is one of the two")
    known = choices(place.uri)
    searches = [search for search in dict.fromkeys(choice.search for choice in known) if wanted in ("", search.text)]
    if not searches:
        allowed = ", ".join(sorted({repr(choice.search.text) for choice in known}))
        if not allowed:
            raise ValueError(f"tuned: the store {place.uri} has no choice; {HINT}")
        raise ValueError(f"tuned {wanted!r}: allowed are {allowed}")
    lacking = {search: _lacking(sweep, search, known) for search in searches}
    fits = [search for search in searches if not lacking[search]]
    if len(fits) > 1:
        several = ", ".join(f"--tuned {search.text!r}" for search in fits)
        raise ValueError(f"tuned: several searches of the store fit; allowed are {several}")
    if not fits:
        search = min(searches, key=lambda search: len(lacking[search]))
        raise ValueError(_none_fits(sweep, search, lacking[search], known))
    check_disjoint(fits[0], sweep.seeds)
    values = {choice.cell: choice.values for choice in known}
    return replace(sweep, protocol={**sweep.protocol, "tuning": fits[0]}, chosen=values)


def cells(sweep: Sweep, search: Search) -> list[TrialSpec]:
    """The sweep's cells, each as a trial at the first seed of the search, with the protocol's own values."""
    return replace(sweep, seeds=search.seeds[:1], protocol={**sweep.protocol, "tuning": search}).trials()


def _lacking(sweep: Sweep, search: Search, known: Sequence[Choice]) -> list[TrialSpec]:
    """The cells that the search has no choice for: all, where it began with other values than the protocol's."""
    own, keys = cells(sweep, search), {choice.cell for choice in known}
    same = all(sweep.protocol[field] == value for field, value in search.first.items())
    return [cell for cell in own if not same or cell.cell_key not in keys]


def _none_fits(sweep: Sweep, search: Search, lacking: Sequence[TrialSpec], known: Sequence[Choice]) -> str:
    said = ", ".join(f"{sweep.name_of(cell.method)} {cell.rate}" for cell in lacking)
    ours = {**lacking[0].cell_record(), **{field: sweep.protocol[field] for field in search.fields}}
    there = [
        {**choice.record, **choice.search.first}
        for choice in known
        if all(choice.record.get(name) == ours[name] for name in ("method", "rate"))
    ]
    differs = min((_differing(ours, other) for other in there), key=len, default=[])
    why = f" ({', '.join(f'{name} {other} there, {own} here' for name, own, other in differs)})" if differs else ""
    return f"tuned: the store has no choice for {said} by {search.text!r}{why}; {HINT}"


def _differing(ours: Mapping[str, Any], other: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """(field, ours, theirs) where the two records differ; how they were searched aside."""
    named = sorted({*ours, *other} - {"tuning"})
    return [(name, ours.get(name), other.get(name)) for name in named if ours.get(name) != other.get(name)]
