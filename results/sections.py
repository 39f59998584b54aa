"""Sections of the table: trials that differ in method, rate and seed only. Nothing else is ever merged.

The step kind follows from method and rate where it was not chosen: it splits a section only where a cell has two.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

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
        return " · ".join([self.dataset, self.model, *(f"{name} = {value}" for name, value in self.differs.items())])


def sections(frame: pd.DataFrame) -> list[Section]:
    """Split the frame of `collect` by protocol, ordered by data set, model and protocol."""
    protocols = _any_step(frame)
    groups = {text: (json.loads(str(text)), group) for text, group in frame.groupby(protocols, sort=True)}
    titles: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for fields, _ in groups.values():
        titles[tuple(fields[name] for name in TITLE)].append(fields)
    made = [_section(fields, group, titles) for fields, group in groups.values()]
    return sorted(made, key=lambda s: (s.dataset, s.model, json.dumps(dict(s.fields), sort_keys=True)))


def _any_step(frame: pd.DataFrame) -> pd.Series:
    """Each row's protocol; its step kinds named together where no method and rate was trained with more than one."""
    records = frame["protocol"].map(lambda text: json.loads(str(text)))
    steps = records.map(lambda fields: fields.get("step", ""))
    bare = records.map(lambda fields: json.dumps({k: v for k, v in fields.items() if k != "step"}, sort_keys=True))
    protocols = frame["protocol"].copy()
    for _, rows in steps.groupby(bare):
        cells = rows.groupby([frame.loc[rows.index, "spec.method"], frame.loc[rows.index, "rate"]])
        if rows.nunique() > 1 and cells.nunique().max() == 1:
            fields = {**records[rows.index[0]], "step": " and ".join(sorted(set(rows)))}
            protocols[rows.index] = json.dumps(fields, sort_keys=True)
    return protocols


def _section(
    fields: dict[str, Any], group: pd.DataFrame, titles: Mapping[tuple[Any, ...], list[dict[str, Any]]]
) -> Section:
    dataset, model = (fields[name] for name in TITLE)
    varying = differing(titles[dataset, model])
    ordered = group.assign(label=labels(group)).sort_values(["label", "rate_value", "seed"], ignore_index=True)
    differs = {name: fields.get(name, "absent") for name in varying}
    return Section(dataset=dataset, model=model, fields=fields, differs=differs, frame=ordered)


def differing(records: Iterable[Mapping[str, Any]]) -> list[str]:
    """The fields, sorted, whose values are not the same in all records; an absent field differs from any value."""
    records = list(records)
    values: dict[str, set[str]] = {name: set() for record in records for name in record}
    for name, seen in values.items():
        seen.update(json.dumps(record[name], sort_keys=True) if name in record else "" for record in records)
    return sorted(name for name, seen in values.items() if len(seen) > 1)


def labels(group: pd.DataFrame) -> pd.Series:
    """The display name of each row's method: its name, and the fields that differ where two records share it."""
    # One record can carry two names (an alias): the alphabetically first is shown.
    shown = group.groupby("spec.method")["method"].min()
    made: dict[str, str] = {}
    for name, records in shown.groupby(shown).groups.items():
        parsed = {text: json.loads(text) for text in records}
        own = differing(parsed.values())
        for text, record in parsed.items():
            parts = ", ".join(f"{field}={record.get(field, 'absent')}" for field in own)
            made[text] = f"{name} ({parts})" if parts else str(name)
    return group["spec.method"].map(made)
