"""The plans of a store: what was to be compared and how, written before it was trained; and the looks at it since."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

from bench import names
from bench.canonical import key_of
from bench.masking import masked
from bench.messages import one_line, say_left_out
from bench.results.frame.margin import Margin, OfErrors
from bench.results.frame.sections import searched
from bench.stored_runs.query import RunQuery, StoredRun
from bench.stored_runs.reading import read_runs
from bench.tags import is_piece, whole

PLANS = RunQuery(
    tag=names.PLANNED, statuses=("FINISHED",), oldest_first=True, tags=(names.PLANNED, names.PLAN_SHA256),
    beginning=names.LOOK,
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A comparison that is planned: the cells of a frozen and a pruned method at a rate, by their group keys."""

    frozen: str  # label
    pruned: str
    rate: str
    frozen_key: str
    pruned_key: str

    @property
    def keys(self) -> tuple[str, str]:
        return self.frozen_key, self.pruned_key

    @property
    def words(self) -> str:
        return f"{self.frozen} − {self.pruned} at {self.rate}"


@dataclass(frozen=True, kw_only=True)
class Look:
    """A look at the results of a plan before its end."""

    time: float  # Unix
    seeds: int  # that every comparison had
    trials: int  # that had ended
    command: str
    at: tuple[int, ...] = ()  # the seeds themselves; of looks that earlier versions kept only their number is known

    def is_within(self, seeds: Collection[int]) -> bool:
        """Whether its seeds are among these; without them, whether there are as many."""
        return set(self.at) <= set(seeds) if self.at else self.seeds <= len(seeds)


@dataclass(frozen=True, kw_only=True)
class Record:
    """What is planned: what the hash is of."""

    name: str
    shared: Mapping[str, Any]  # the fields of a trial that all have alike, without method, rate and seed
    cells: Mapping[str, tuple[str, str]]  # group key -> label and rate, of every cell that is to be trained
    comparisons: tuple[Planned, ...]  # the primary family
    seeds: tuple[int, ...]
    looks: tuple[int, ...]  # numbers of seeds at which the results may be looked at; the last is all
    spending: str
    alpha: float
    test: str
    margin: float  # of equivalence, as a share: of the images, or of the reference's errors
    of_errors: bool = False

    def as_json(self) -> dict[str, Any]:
        """As JSON has it."""
        values = {each.name: getattr(self, each.name) for each in fields(self)}
        values |= {"shared": dict(self.shared), "cells": {key: list(cell) for key, cell in self.cells.items()}}
        values |= {name: list(values[name]) for name in ("seeds", "looks")}
        if not self.of_errors:  # earlier versions have no such plans: theirs keep their hash
            del values["of_errors"]
        return values | {"comparisons": [vars(planned) for planned in self.comparisons]}

    @property
    def decided(self) -> Mapping[str, Any]:
        """How it judges, by the names that views have for it."""
        margin: Margin = OfErrors(self.margin) if self.of_errors else self.margin
        return {"test": self.test, "alpha": self.alpha, "margin": margin}

    @property
    def question(self) -> Mapping[str, Any]:
        """What tells it from plans of other data sets, networks and protocols: all starts have one family, and so have
        all values of what is tuned for each method and rate.
        """
        loose = {"start", "step", *searched(self.shared)}
        return {name: value for name, value in self.shared.items() if name not in loose}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A plan of the store."""

    run: str
    time: float  # Unix; when it was stored
    sha256: str  # of the record's canonical JSON
    record: Record
    looks: Mapping[str, Look]  # beginning of the SHA-256 of the run keys seen -> look; oldest first

    @cached_property
    def pairs(self) -> frozenset[tuple[str, str]]:
        """The group keys of the two cells of every comparison."""
        return frozenset(planned.keys for planned in self.record.comparisons)

    @cached_property
    def keys(self) -> frozenset[str]:
        """The group keys of all that is compared."""
        return frozenset(key for pair in self.pairs for key in pair)


def plans(tracking_uri: str) -> list[Plan]:
    """Those of a store that exists, oldest first, the first of each name. A damaged one is left out, and named."""
    stored: dict[str, Plan] = {}
    unreadable = []
    for run in read_runs(tracking_uri, PLANS):
        try:
            plan = _plan(run)
            stored.setdefault(plan.record.name, plan)
        except ValueError as error:
            unreadable.append((run.id, str(error)))
    say_left_out("plan", unreadable)
    return list(stored.values())


def _plan(run: StoredRun) -> Plan:
    """Raises ValueError if the record is not what its hash is of, or no plan."""
    # A database takes anything: a value that is no text is none.
    tags = {name: value for name, value in run.tags.items() if isinstance(value, str)}
    try:
        values = json.loads(whole(tags, names.PLANNED))
        record = record_of(values)
        looks = {name.removeprefix(names.LOOK): _look(tags, name) for name in tags if _is_look(tags, name)}
        time = float(run.started) / 1000
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(f"its plan is damaged ({one_line(error)})") from error
    if key_of(values) != (sha256 := tags.get(names.PLAN_SHA256, "")):
        raise ValueError("its plan is not the one that was stored: the SHA-256 is another")
    oldest_first = sorted(looks.items(), key=lambda look: look[1].time)
    return Plan(run=run.id, time=time, sha256=sha256, record=record, looks=dict(oldest_first))


def record_of(values: Mapping[str, Any]) -> Record:
    """From JSON. Raises ValueError, TypeError or KeyError if it is no record."""
    if values.get("of_errors") and not 0 < values["margin"] < 1:
        raise ValueError(f"margin {values['margin']} of the errors: must be above 0 and below 1")
    return Record(
        **{
            **values,
            "cells": {key: (label, rate) for key, (label, rate) in values["cells"].items()},
            "comparisons": tuple(Planned(**planned) for planned in values["comparisons"]),
            "seeds": tuple(values["seeds"]),
            "looks": tuple(values["looks"]),
        }
    )


def _is_look(tags: Mapping[str, str], name: str) -> bool:
    return name.startswith(names.LOOK) and not is_piece(tags, name)


def _look(tags: Mapping[str, str], name: str) -> Look:
    look = Look(**json.loads(whole(tags, name)))
    return Look(
        time=float(look.time),
        seeds=int(look.seeds),
        trials=int(look.trials),
        command=masked(look.command),
        at=tuple(map(int, look.at)),
    )
