"""Starts in words, and the trials that are in a store only because others need them: rules on records and sweeps."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from bench import names
from bench.trial.start import start_words

Record = Mapping[str, Any]
SCRATCH = start_words(None)


def start_names(records: Sequence[Record]) -> list[str]:
    """The words of each protocol's start; of several of a family that would be told alike, with what tells them apart.

    >>> base = {"dataset": "mnist", "seed": "own", "epochs": 30, "lr": 0.1, "head": "redrawn", "norm": "kept"}
    >>> start_names([{}, {"start": base}, {"start": {**base, "epochs": 5}}])
    ['scratch', 'pretrained on mnist (epochs = 30)', 'pretrained on mnist (epochs = 5)']
    """
    starts = [record.get("start") for record in records]
    words = [*zip(families(records), map(start_words, starts), strict=True)]
    return [
        f"{name}{_differences(start or {}, [s or {} for s, w in zip(starts, words, strict=True) if w == (key, name)])}"
        for (key, name), start in zip(words, starts, strict=True)
    ]


def _differences(start: Record, alike: Sequence[Record]) -> str:
    """What tells the start from those that have its words, in brackets."""
    every = dict.fromkeys(name for other in alike for name in other)
    varying = [name for name in every if len({_text(other.get(name)) for other in alike}) > 1]
    said = ", ".join(f"{name} = {_text(start.get(name))[:12]}" for name in varying)
    return f" ({said})" if said else ""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def families(records: Sequence[Record]) -> list[str]:
    """A key for each protocol: equal of those that differ in their start only, which ask one question together.

    Step kinds that follow from the rates may differ between two starts; protocols of one start are never joined.
    """
    loose, strict = ([_without(record, *left_out) for record in records] for left_out in (("start", "step"), ["start"]))
    starts = Counter((key, _text(record.get("start"))) for key, record in zip(loose, records, strict=True))
    ambiguous = {key for (key, _), number in starts.items() if number > 1}
    return [exact if key in ambiguous else key for key, exact in zip(loose, strict, strict=True)]


def _without(record: Record, *left_out: str) -> str:
    return json.dumps({name: value for name, value in record.items() if name not in left_out}, sort_keys=True)


def needing(sweeps: Collection[str]) -> list[str]:
    """Of these sweeps, those of what others need: the ones whose trials need it.

    >>> needing(["study-needs", "mnist"])
    ['study']
    """
    return sorted(sweep.removesuffix(names.NEEDS) for sweep in sweeps if sweep.endswith(names.NEEDS))


def only_needed(sweeps: Collection[str]) -> bool:
    """Whether a trial of these sweeps is in the store only because others need its network."""
    return bool(sweeps) and all(sweep.endswith(names.NEEDS) for sweep in sweeps)
