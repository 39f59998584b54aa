"""Entry: a finished trial on its way to a store, and the line of JSON that keeps it until then. Imports no MLflow."""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from math import isfinite
from typing import Any

from bench import names
from bench.canonical import canonical_json, key_of
from bench.methods import Method
from bench.trial.result import TrialResult
from bench.trial.spec import TrialSpec

FORMAT = 2  # raise it whenever an older version could no longer read a line
SWEEP_NAME = re.compile(f"[{names.SWEEP_NAME_CHARACTERS}]{{1,{names.SWEEP_NAME_LONGEST}}}")
NETWORK_SUFFIX = ".frz"  # of a network's file
READABLE = (1, FORMAT)  # formats; format 1 had no networks
SPEC_FIELDS = ("dataset", "model", "method", "rate", "seed")


def check_name(name: str) -> None:
    """Raise ValueError if a sweep cannot have this name."""
    if not SWEEP_NAME.fullmatch(name):
        raise ValueError(f"name {name!r}: must be 1 to {names.SWEEP_NAME_LONGEST} letters, digits, spaces or - _ . / :")


def check_new_name(name: str) -> None:
    """Raise ValueError if a new sweep cannot have this name: MLflow refuses what is no path in its shortest form."""
    check_name(name)
    if name.endswith(names.NEEDS):  # its trials would be taken for what those of another sweep need
        raise ValueError(f"name {name!r}: must not end in {names.NEEDS}, as the sweeps of what other trials need do")
    if not _is_shortest(name):
        shortest = posixpath.normpath(name)
        near = f", as {shortest}" if _is_shortest(shortest) and shortest[0] != "." else ""
        raise ValueError(f"name {name!r}: must be a path in its shortest form{near}")


def _is_shortest(name: str) -> bool:
    key = names.IN_SWEEP + name
    return posixpath.normpath(key) == key


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A finished trial in a sweep. The spec is a record, so that a plug-in's method need not be installed."""

    sweep: str
    command: str  # the sweep's command line
    method: str  # the method's name in the tables
    spec: Mapping[str, Any]  # TrialSpec.record()
    result: TrialResult
    linked: bool = False  # another sweep trained it
    network_sha256: str = ""  # of the trained network's file; "" if there is none

    @property
    def run_key(self) -> str:
        """The trial's identity."""
        return self.result.run_key

    @property
    def is_final(self) -> bool:
        """Whether the trial needs no more training: it is done, or diverged."""
        return self.result.outcome != names.FAILED


OnStored = Callable[[Collection[str]], object]  # called with the run keys of stored trials that need no more training


def ignore_stored(run_keys: Collection[str]) -> None:
    """An OnStored that does nothing."""


class EntryListener:
    """A listener that stores an entry for every finished trial of one sweep."""

    on_stored: OnStored
    sweep: str
    command: str
    name_of: Callable[[Method], str]

    def started(self, spec: TrialSpec) -> None:
        """Nothing to store yet."""

    def epoch(self, spec: TrialSpec, epoch: int, figures: Mapping[str, float]) -> None:
        """Nothing to store yet."""

    def finished(self, spec: TrialSpec, result: TrialResult) -> None:
        """Store the result."""
        method = self.name_of(spec.method)
        self.put(Entry(sweep=self.sweep, command=self.command, method=method, spec=spec.record(), result=result))

    def put(self, entry: Entry) -> None:
        """Store an entry."""
        raise NotImplementedError


def network_name(entry: Entry) -> str:
    """The name of the trained network's file, beside the file of the entry's line; "" if there is no network.

    Its content is part of the name, so that a trial trained twice leaves two files, and each line has its own.
    """
    return f"{entry.run_key[:32]}-{entry.network_sha256[:16]}{NETWORK_SUFFIX}" if entry.network_sha256 else ""


def encode(entry: Entry) -> str:
    """The entry as one line of JSON with its own checksum; of the trained network it has only the checksum."""
    result = {field.name: getattr(entry.result, field.name) for field in fields(entry.result)}
    del result["artefact"]
    values = {field.name: getattr(entry, field.name) for field in fields(entry)}
    text = canonical_json({"format": FORMAT, **values, "result": result})
    return f'{text[:-1]},"sha256":"{hashlib.sha256(text.encode()).hexdigest()}"}}'


def decode(line: str | bytes) -> Entry:
    """The entry of a line, without its network (`network_name`).

    Raises: ValueError, in one line, if `encode` did not write it.
    """
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"no trial: not JSON: {error}") from error
    if not isinstance(record, dict) or "format" not in record:
        raise ValueError("no trial: not a JSON object with a format")
    if record["format"] not in READABLE:
        raise ValueError(f"format {record['format']!r}: must be {' or '.join(map(str, READABLE))}")
    expected, actual = record.pop("sha256", None), key_of(record)
    if actual != expected:
        raise ValueError(f"corrupted: expected SHA-256 {expected}, found {actual}")
    try:
        return _checked_entry({name: value for name, value in record.items() if name != "format"})
    except (TypeError, KeyError, AttributeError, OverflowError) as error:
        raise ValueError(f"no trial: {type(error).__name__}: {error}") from error


def _checked_entry(record: Mapping[str, Any]) -> Entry:
    """The checksum shows that the line is as it was written; this checks that it holds a trial."""
    entry = Entry(**{**record, "result": TrialResult(**record["result"])})
    check_name(entry.sweep)
    if not re.fullmatch("([0-9a-f]{64})?", entry.network_sha256):
        raise ValueError(f"network_sha256 {entry.network_sha256!r}: must be a SHA-256 in hexadecimal, or empty")
    if not isinstance(entry.linked, bool):
        raise ValueError(f"no trial: linked {entry.linked!r}: must be true or false")
    lacking = [name for name in SPEC_FIELDS if name not in entry.spec]
    if lacking:
        raise ValueError(f"no trial: its spec has no {', '.join(lacking)}")
    if key_of(dict(entry.spec)) != entry.run_key:
        raise ValueError(f"no trial: run key {entry.run_key} is not that of its spec")
    _check_result(entry.result)
    return entry


def _check_result(result: TrialResult) -> None:
    if result.outcome not in names.OUTCOMES:
        raise ValueError(f"outcome {result.outcome!r}: must be one of {', '.join(names.OUTCOMES)}")
    times = {"started": result.started, "ended": result.ended}
    for figures in (result.metrics, *result.epochs, times):
        for name, value in figures.items():
            if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
                raise ValueError(f"{name} {value!r}: must be a finite number")
    for tag, content in result.tags.items():
        if not isinstance(content, str):
            raise ValueError(f"tag {tag} {content!r}: must be a string")
    if not isinstance(result.reason, str) or not isinstance(result.layers, Sequence):
        raise ValueError("no trial: reason must be a string, and layers a list")
