"""Sections of the table: trials that differ in method, rate and seed only. Nothing else is ever merged.

The step kind follows from method and rate if it was not chosen, and so do hyper-parameters that were tuned for each:
they split a section only if a cell has two. Trials that are in the store only because others need them stand apart.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

import pandas as pd

from bench.results.frame.method_record import PLAIN, method_record
from bench.results.frame.starts import SCRATCH, families, only_needed, start_names

TITLE = ("dataset", "model")
BASE_ONLY = "base_only"  # column of a cut frame: whether a trial is there only as others start from it


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
    start: str  # in words, unique among the sections of its family
    family: str  # equal of sections that differ in their start only: they ask one question together
    needed: bool  # whether its trials are in the store only because others need them
    bases: pd.DataFrame = field(repr=False)  # the trials of the store that its trials start from, a row each

    @property
    def title(self) -> str:
        """`dataset · model`, the start if it is no scratch or differs, and the other fields that differ."""
        start = [self.start] if self.shows_start else []
        return " · ".join([self.dataset, self.model, *start, *self.differences.values()])

    @property
    def shows_start(self) -> bool:
        """Whether the title names the start: if it is no scratch, or differs from that of another section."""
        return "start" in self.differs or self.start != SCRATCH

    @property
    def title_of_family(self) -> str:
        """The same without the start."""
        return " · ".join([self.dataset, self.model, *self.differences.values()])

    @property
    def differences(self) -> dict[str, str]:
        """The fields that differ but the start, each in words."""
        shown = {name: value for name, value in self.differs.items() if name != "start"}
        return {n: SHOWN[n](value) if n in SHOWN else f"{n} = {value}" for n, value in shown.items()}

    @cached_property
    def seeds(self) -> list[int]:
        """Those of the methods and dense; of the sanity controls if there is nothing else."""
        plain = self.frame[is_plain(self.frame)]
        return sorted({int(seed) for seed in (self.frame if plain.empty else plain)["seed"]})


def is_plain(frame: pd.DataFrame) -> pd.Series[bool]:
    """Whether each row's method is under no sanity control."""
    return frame["spec.method"].map(lambda text: method_record(text).control == PLAIN).astype(bool)


def sections(frame: pd.DataFrame) -> list[Section]:
    """Split the frame of `collect` by protocol, ordered by data set, model and protocol.

    Sections that differ in their start only stand together, scratch first; what only others need stands at the end.
    """
    trials = frame[~frame[BASE_ONLY]] if BASE_ONLY in frame else frame
    needed = _needed(trials)
    parts = ((False, trials[~needed]), (True, trials[needed]))
    return [section for is_needed, part in parts for section in _sections(part, is_needed, frame)]


def _needed(frame: pd.DataFrame) -> pd.Series[bool]:
    """Which trials only others need; a dense one is the baseline of other trials of its protocol and seed."""
    needed = frame["sweeps"].map(only_needed).astype(bool)
    protocols = frame["protocol"].map(cache(lambda text: _text(json.loads(str(text)), ["step"])))
    shared = pd.MultiIndex.from_arrays([protocols, frame["seed"]])
    return needed & ~((frame["rate_value"] == 0) & shared.isin(shared[~needed]))


def _sections(frame: pd.DataFrame, needed: bool, store: pd.DataFrame) -> list[Section]:
    if frame.empty:
        return []
    groups = [(json.loads(str(text)), group) for text, group in frame.groupby(_protocols(frame), sort=True)]
    every = [fields for fields, _ in groups]
    titles: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for fields in every:
        titles[tuple(fields[name] for name in TITLE)].append(fields)
    unsorted = []
    for (fields, group), family, start in zip(groups, families(every), start_names(every), strict=True):
        bases = store[store["run_key"].isin(set(group["base_key"]) - {""})]
        unsorted.append(_section(fields, group, titles, start=start, family=family, needed=needed, bases=bases))
    first: dict[str, str] = {}
    for section in unsorted:
        protocol = _text(section.fields, ["start"])
        first[section.family] = min(protocol, first.get(section.family, protocol))
    return sorted(
        unsorted, key=lambda section: (section.dataset, section.model, first[section.family], _order(section))
    )


def _order(section: Section) -> tuple[bool, str, str]:
    """Of the sections of a family: scratch first."""
    return section.start != SCRATCH, section.start, _text(section.fields, [])


def _protocols(frame: pd.DataFrame) -> pd.Series:
    """Each row's protocol without what follows from method and rate: the step, and the fields that were tuned for each.

    A field follows if no method and rate has two values of it. Step kinds are named together; if they split a
    section, the tuned fields are looked at in each part.
    """
    cells = frame[["protocol", "spec.method", "rate"]].drop_duplicates()  # each once, whatever number of seeds it has
    records = cells["protocol"].map(lambda text: json.loads(str(text)))
    joined = _joined(cells, _joined(cells, records, lambda fields: ["step"]), searched)
    texts = joined.map(lambda fields: json.dumps(fields, sort_keys=True))
    return frame["protocol"].map(dict(zip(cells["protocol"], texts, strict=True)))


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
    fields: dict[str, Any], group: pd.DataFrame, titles: Mapping[tuple[Any, ...], list[dict[str, Any]]], **of_start: Any
) -> Section:
    dataset, model = (fields[name] for name in TITLE)
    varying = differing(titles[dataset, model])
    ordered = group.assign(label=labels(group)).sort_values(["label", "rate_value", "seed"], ignore_index=True)
    joined = set(searched(fields)) - set(fields)
    differs = {name: fields.get(name, "absent") for name in varying if name not in joined}
    return Section(dataset=dataset, model=model, fields=fields, differs=differs, frame=ordered, **of_start)


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
