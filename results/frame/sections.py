"""Sections of the table: trials that differ in method, rate and seed only. Nothing else is ever merged.

The step kind follows from method and rate if it was not chosen, and so do hyper-parameters that were tuned for each:
they split a section only if a cell has two.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from bench.results.frame.method_record import PLAIN, method_record

TITLE = ("dataset", "model")


@dataclass(frozen=True, kw_only=True)
class Section:
    """The trials of one data set, model and protocol.

    `fields` is every field of the TrialSpec but method, rate and seed; `differs` those of them, title aside, that tell
    this section from others with the same title.
    """

    dataset: str
    model: str
    fields: Mapping[str, Any]
    differs: Mapping[str, Any]
    frame: pd.DataFrame  # of `collect`, with the further column `label`: the method's name, unique per record

    @property
    def title(self) -> str:
        """`dataset · model`, and the fields that differ with their values."""
        differs = (SHOWN[name](value) if name in SHOWN else f"{name} = {value}" for name, value in self.differs.items())
        return " · ".join([self.dataset, self.model, *differs])

    @property
    def seeds(self) -> list[int]:
        """Those of the methods and dense; of the sanity controls if there is nothing else."""
        plain = self.frame[is_plain(self.frame)]
        return sorted({int(seed) for seed in (self.frame if plain.empty else plain)["seed"]})


def is_plain(frame: pd.DataFrame) -> pd.Series[bool]:
    """Whether each row's method is under no sanity control."""
    return frame["spec.method"].map(lambda text: method_record(text).control == PLAIN).astype(bool)


def sections(frame: pd.DataFrame) -> list[Section]:
    """Split the frame of `collect` by protocol, ordered by data set, model and protocol."""
    protocols = _protocols(frame)
    groups = {text: (json.loads(str(text)), group) for text, group in frame.groupby(protocols, sort=True)}
    titles: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for fields, _ in groups.values():
        titles[tuple(fields[name] for name in TITLE)].append(fields)
    unsorted = [_section(fields, group, titles) for fields, group in groups.values()]
    return sorted(unsorted, key=lambda s: (s.dataset, s.model, json.dumps(dict(s.fields), sort_keys=True)))


def _protocols(frame: pd.DataFrame) -> pd.Series:
    """Each row's protocol without what follows from method and rate: the step, and the fields that were tuned for each.

    A field follows if no method and rate has two values of it. Step kinds are named together; if they split a
    section, the tuned fields are looked at in each part.
    """
    records = frame["protocol"].map(lambda text: json.loads(str(text)))
    joined = _joined(frame, _joined(frame, records, lambda fields: ["step"]), searched)
    return joined.map(lambda fields: json.dumps(fields, sort_keys=True))


def _joined(frame: pd.DataFrame, records: pd.Series, following: Callable[[Mapping[str, Any]], list[str]]) -> pd.Series:
    """The records, with each of these fields joined over the rows that differ in nothing but them and tuned ones."""
    rest = records.map(lambda fields: _text(fields, [*following(fields), *searched(fields)]))
    joined = records.copy()
    for _, rows in records.groupby(rest):
        cell = [frame.loc[rows.index, "spec.method"], frame.loc[rows.index, "rate"]]
        for name in following(rows.iloc[0]):
            values = rows.map(lambda fields, name=name: fields.get(name, ""))
            if values.groupby(cell).nunique().max() <= 1:
                step = " and ".join(sorted(set(values))) if name == "step" else ""
                joined[rows.index] = [_with(fields, name, step) for fields in joined[rows.index]]
    return joined


def _with(fields: Mapping[str, Any], name: str, value: str) -> dict[str, Any]:
    """The record with that value; without the field if it is empty."""
    rest = {n: v for n, v in fields.items() if n != name}
    return {**rest, name: value} if value else rest


def _text(fields: Mapping[str, Any], without: list[str]) -> str:
    return json.dumps({n: v for n, v in fields.items() if n not in without}, sort_keys=True)


def searched(fields: Mapping[str, Any]) -> list[str]:
    """The fields whose values were chosen for each method and rate; of a TrialSpec's record, or of a section."""
    return sorted((fields.get("tuning") or {}).get("search", ()))


def _tuning(value: Mapping[str, Any] | str) -> str:
    """lr tuned (0.01:1, budget 8, seeds 1000)"""
    if isinstance(value, str):
        return "not tuned"
    bounds = ", ".join(f"{low:g}:{high:g}" for _, (low, high) in sorted(value["search"].items()))
    seeds = ", ".join(map(str, value["seeds"]))
    return f"{', '.join(sorted(value['search']))} tuned ({bounds}, budget {value['budget']}, seeds {seeds})"


def _sources(value: Mapping[str, str] | str) -> str:
    """own model 1a2b3c4d5e6f, own schedule 0a1b2c3d4e5f; each with the beginning of the hash of its source"""
    if isinstance(value, str):
        return "nothing from outside"
    return ", ".join(f"own {field} {source[:12]}" for field, source in sorted(value.items()))


SHOWN: Mapping[str, Callable[[Any], str]] = {"tuning": _tuning, "sources": _sources}  # field that differs -> its words


def _section(
    fields: dict[str, Any], group: pd.DataFrame, titles: Mapping[tuple[Any, ...], list[dict[str, Any]]]
) -> Section:
    dataset, model = (fields[name] for name in TITLE)
    varying = differing(titles[dataset, model])
    ordered = group.assign(label=labels(group)).sort_values(["label", "rate_value", "seed"], ignore_index=True)
    joined = set(searched(fields)) - set(fields)
    differs = {name: fields.get(name, "absent") for name in varying if name not in joined}
    return Section(dataset=dataset, model=model, fields=fields, differs=differs, frame=ordered)


def differing(records: Iterable[Mapping[str, Any]]) -> list[str]:
    """The fields, sorted, whose values are not the same in all records; an absent field differs from any value."""
    records = list(records)
    values: dict[str, set[str]] = {name: set() for record in records for name in record}
    for name, seen in values.items():
        seen.update(json.dumps(record[name], sort_keys=True) if name in record else "" for record in records)
    return sorted(name for name, seen in values.items() if len(seen) > 1)


def labels(group: pd.DataFrame) -> pd.Series:
    """The display name of each row's method: its name, and the fields that differ if two records share it."""
    # One record can carry two names (an alias): the alphabetically first is shown.
    shown = group.groupby("spec.method")["method"].min()
    by_record: dict[str, str] = {}
    for name, records in shown.groupby(shown).groups.items():
        parsed = {text: method_record(text).fields for text in records}
        varying = differing(parsed.values())
        for text, record in parsed.items():
            values = ", ".join(f"{field}={record.get(field, 'absent')}" for field in varying)
            by_record[text] = f"{name} ({values})" if values else str(name)
    return group["spec.method"].map(by_record)
