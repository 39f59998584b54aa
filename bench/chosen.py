"""Choices of hyper-parameters: what the store keeps of them, and the sweep that uses them. Imports MLflow late."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from bench import names
from bench.search import Search, check_disjoint, search_of
from bench.spec import TrialSpec, canonical_json
from bench.store import exists
from bench.stored import TAG_LENGTH
from bench.sweep import Sweep

if TYPE_CHECKING:
    from bench.candidates import Tried


@dataclass(frozen=True)
class Choice:
    """What was chosen for a cell."""

    cell: str  # its key, TrialSpec.cell_key
    search: Search
    values: Mapping[str, float]  # field -> value


def choices(uri: str) -> list[Choice]:
    """Those of the store, oldest first."""
    if not exists(uri):
        return []
    from bench.tracking import Store

    found = (json.loads(text) for _, text in Store(uri).tagged(names.CHOSEN, "FINISHED"))
    return [Choice(one["cell"], search_of(one["search"]), one["values"]) for one in found]


def keep(
    uri: str, experiment: str, command: str, method: str, cell: TrialSpec, tried: Sequence[Tried], best: Tried
) -> None:
    """Store what was chosen for a cell, with everything that was tried."""
    from bench.tracking import Store

    assert cell.tuning is not None
    store, now = Store(uri), time.time()
    chosen = {"cell": cell.cell_key, "search": cell.tuning.record(), "values": dict(best.values)}
    name = f"tuned {method} {cell.rate}"
    tags = {names.KIND: names.CHOICE, names.METHOD: method, names.CHOSEN: canonical_json(chosen)}
    run = store.create(store.experiment(experiment), name, {**tags, names.COMMAND: command[:TAG_LENGTH]}, now)
    parameters = {"method": method, "rate": str(cell.rate), "search": cell.tuning.text}
    parameters |= {field: str(value) for field, value in best.values.items()}
    points = enumerate(best.validation_accuracy, 1)
    store.log(run.id, parameters, [(names.VALIDATION_ACCURACY, a, int(now * 1000), epoch) for epoch, a in points])
    store.write(run, names.CANDIDATES_FILE, json.dumps([asdict(one) for one in tried]).encode())
    store.end(run.id, "FINISHED")  # last: a choice that is FINISHED is whole


def with_choices(sweep: Sweep, options: Mapping[str, Any]) -> Sweep:
    """The sweep with the values that `tune` chose for each of its cells, where `--tuned` asks for them.

    Raises: ValueError where no search of the store covers every cell, or several do and none is named, or a seed of
    the sweep is one that the values were chosen on.
    """
    wanted = options["tuned"]
    if wanted is None:
        return sweep
    if options["offline"] is not None:
        raise ValueError("--tuned with --offline: the choices are in the store; allowed is one of the two")
    from bench.tracking import store_uri

    by_search: dict[Search, dict[str, Mapping[str, float]]] = {}
    for choice in choices(uri := store_uri()):
        by_search.setdefault(choice.search, {}).setdefault(choice.cell, choice.values)
    lacking = {s: _lacking(sweep, s, values) for s, values in by_search.items() if wanted in ("", s.text)}
    fits = [s for s in lacking if not lacking[s]]
    if len(fits) > 1:
        several = ", ".join(f"--tuned {s.text!r}" for s in fits)
        raise ValueError(f"tuned: several searches of the store fit; allowed are {several}")
    if not fits:
        raise ValueError(_none_fits(wanted, sweep, by_search, lacking, uri))
    check_disjoint(fits[0], sweep.seeds)
    return replace(sweep, protocol={**sweep.protocol, "tuning": fits[0]}, chosen=by_search[fits[0]])


def cells(sweep: Sweep, search: Search) -> list[TrialSpec]:
    """The sweep's cells, each as a trial at the first seed of the search, with the protocol's own values."""
    return replace(sweep, seeds=search.seeds[:1], protocol={**sweep.protocol, "tuning": search}).trials()


def _lacking(sweep: Sweep, search: Search, values: Mapping[str, Any]) -> list[str]:
    """The cells that the search has no choice for."""
    own = cells(sweep, search)
    lacking = [f"{sweep.name_of(cell.method)} {cell.rate}" for cell in own if cell.cell_key not in values]
    return ["any cell"] if len(lacking) == len(own) else lacking


def _none_fits(
    wanted: str,
    sweep: Sweep,
    known: Mapping[Search, Any],
    lacking: Mapping[Search, Sequence[str]],
    uri: str,
) -> str:
    if wanted and not lacking:
        allowed = ", ".join(repr(search.text) for search in known) or "none: the store has no choice"
        return f"tuned {wanted!r}: allowed are {allowed}"
    hint = "`python -m bench tune` with the same methods, rates and protocol chooses"
    if not lacking:
        return f"tuned: the store {uri} has no choice; {hint}"
    search, cells_ = min(lacking.items(), key=lambda pair: (pair[1] == ["any cell"], len(pair[1])))
    return f"tuned: the store has no choice for {', '.join(cells_)} by {search.text!r}; {hint}"
