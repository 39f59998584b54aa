"""Sections of the table: trials that differ in method, rate and seed only. Nothing else is ever merged.

The step kind follows from method and rate where it was not chosen, and so do hyper-parameters that were tuned for each:
they split a section only where a cell has two.
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
    protocols = _protocols(frame)
    groups = {text: (json.loads(str(text)), group) for text, group in frame.groupby(protocols, sort=True)}
    titles: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for fields, _ in groups.values():
        titles[tuple(fields[name] for name in TITLE)].append(fields)
    made = [_section(fields, group, titles) for fields, group in groups.values()]
    return sorted(made, key=lambda s: (s.dataset, s.model, json.dumps(dict(s.fields), sort_keys=True)))


def _protocols(frame: pd.DataFrame) -> pd.Series:
    """Each row's protocol without what follows from method and rate: the fields that were tuned for each, and the step.

    A field follows where no method and rate has two values of it; step kinds are named together.
    """
    records = frame["protocol"].map(lambda text: json.loads(str(text)))
    rest = records.map(lambda fields: json.dumps({k: v for k, v in fields.items() if k not in _following(fields)}))
    protocols = frame["protocol"].copy()
    for _, rows in records.groupby(rest):
        cell = [frame.loc[rows.index, "spec.method"], frame.loc[rows.index, "rate"]]
        columns = {name: rows.map(lambda fields, name=name: fields.get(name)) for name in _following(rows.iloc[0])}
        free = {name: column for name, column in columns.items() if column.groupby(cell).nunique().max() <= 1}
        steps = {"step": _together(free.pop("step"))} if "step" in free else {}
        own = rows.map(lambda fields, free=free: {k: v for k, v in fields.items() if k not in free})
        protocols[rows.index] = own.map(lambda fields, more=steps: json.dumps({**fields, **more}, sort_keys=True))
    return protocols


def _following(fields: Mapping[str, Any]) -> list[str]:
    """The fields that may follow from method and rate."""
    return [name for name in (*searched(fields), "step") if name in fields]


def searched(fields: Mapping[str, Any]) -> list[str]:
    """The fields whose values were chosen for each method and rate; of a TrialSpec's record, or of a section."""
    return sorted((fields.get("tuning") or {}).get("search", ()))


def _together(steps: pd.Series) -> str:
    return " and ".join(sorted(set(steps)))


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
