"""Entry: a finished trial on its way to a store, and the line of JSON that keeps it until then. Imports no MLflow."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import isfinite
from typing import Any

from bench import names
from bench.canonical import key_of
from bench.methods import Method
from bench.trial.result import TrialResult
from bench.trial.spec import TrialSpec

FORMAT = 2  # raise it whenever an older version could no longer read a line
NAME = re.compile(r"[\w\-. /:]{1,200}")  # what MLflow takes in the key of a tag, where a sweep's name stands
NETWORK = ".frz"  # suffix of a network's file
READ = (1, FORMAT)  # format 1 had no networks
SPEC_NEEDS = ("dataset", "model", "method", "rate", "seed")


def check_name(name: str) -> None:
    """Raise ValueError where a sweep cannot be called that."""
    if not NAME.fullmatch(name):
        raise ValueError(f"name {name!r}: allowed are 1 to 200 letters, digits and - _ . / : and space")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A finished trial in a sweep. The spec is a record, so that the code of a plug-in's method need not be at hand."""

    sweep: str
    command: str  # the sweep's command line
    method: str  # the method's name in the tables
    spec: Mapping[str, Any]  # TrialSpec.record()
    result: TrialResult
    linked: bool = False  # another sweep trained it
    network_sha256: str = ""  # of the trained network's file; "" where there is none

    @property
    def run_key(self) -> str:
        """The trial's identity."""
        return self.result.run_key

    @property
    def is_final(self) -> bool:
        """Whether the trial needs no training any more: it is done, or diverged."""
        return self.result.outcome != names.FAILED


Kept = Callable[[Collection[str]], object]  # called with the run keys of trials that need no training any more


def unheard(run_keys: Collection[str]) -> None:
    """Where nobody asks what was kept."""


class EntryListener:
    """A listener that makes an entry of every finished trial of one sweep and puts it where it is kept."""

    kept: Kept  # called once an entry is written
    sweep: str
    command: str
    name_of: Callable[[Method], str]

    def started(self, spec: TrialSpec) -> None:
        """Nothing to keep yet."""

    def epoch(self, spec: TrialSpec, epoch: int, figures: Mapping[str, float]) -> None:
        """Nothing to keep yet."""

    def finished(self, spec: TrialSpec, result: TrialResult) -> None:
        """Keep the result."""
        method = self.name_of(spec.method)
        self.put(Entry(sweep=self.sweep, command=self.command, method=method, spec=spec.record(), result=result))

    def put(self, entry: Entry) -> None:
        """Keep an entry."""
        raise NotImplementedError


def network_name(entry: Entry) -> str:
    """The name of the file that holds the trained network, beside the one with the entry's line; "" where none is.

    Named by content as well, so that a trial trained twice leaves two files, and each line has its own.
    """
    return f"{entry.run_key[:32]}-{entry.network_sha256[:16]}{NETWORK}" if entry.network_sha256 else ""


def encode(entry: Entry) -> str:
    """The entry as one line of JSON, with a checksum of all else in it; of the trained network only its checksum."""
    record = {"format": FORMAT, **asdict(replace(entry, result=replace(entry.result, artefact=b"")))}
    del record["result"]["artefact"]
    return json.dumps({**record, "sha256": key_of(record)}, sort_keys=True, allow_nan=False)


def decode(line: str | bytes) -> Entry:
    """The entry of a line; its network is not in it, see `network_name`.

    Raises: ValueError, in one line, where it is not one that `encode` wrote.
    """
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"no trial: not JSON: {error}") from error
    if not isinstance(record, dict) or "format" not in record:
        raise ValueError("no trial: not a JSON object with a format")
    if record["format"] not in READ:
        raise ValueError(f"format {record['format']!r}: allowed are {', '.join(map(str, READ))}")
    found = record.pop("sha256", None)
    if found != key_of(record):
        raise ValueError(f"corrupted: expected SHA-256 {found}, found {key_of(record)}")
    try:
        return _entry({name: value for name, value in record.items() if name != "format"})
    except (TypeError, KeyError, AttributeError, OverflowError) as error:
        raise ValueError(f"no trial: {type(error).__name__}: {error}") from error


def _entry(record: Mapping[str, Any]) -> Entry:
    """A checksum says that a line is as it was written; this, that what was written is a trial."""
    entry = Entry(**{**record, "result": TrialResult(**record["result"])})
    check_name(entry.sweep)
    if not re.fullmatch("([0-9a-f]{64})?", entry.network_sha256):
        raise ValueError(f"network_sha256 {entry.network_sha256!r}: allowed is a SHA-256 in hexadecimal, or none")
    if not isinstance(entry.linked, bool):
        raise ValueError(f"no trial: linked {entry.linked!r}: allowed are true and false")
    lacking = [name for name in SPEC_NEEDS if name not in entry.spec]
    if lacking:
        raise ValueError(f"no trial: its spec has no {', '.join(lacking)}")
    if key_of(dict(entry.spec)) != entry.run_key:
        raise ValueError(f"no trial: run key {entry.run_key} is not that of its spec")
    _check_result(entry.result)
    return entry


def _check_result(result: TrialResult) -> None:
    if result.outcome not in names.OUTCOMES:
        raise ValueError(f"outcome {result.outcome!r}: allowed are {', '.join(names.OUTCOMES)}")
    times = {"started": result.started, "ended": result.ended}
    for figures in (result.metrics, *result.epochs, times):
        for name, value in figures.items():
            if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
                raise ValueError(f"{name} {value!r}: allowed is a finite number")
    for name, text in result.tags.items():
        if not isinstance(text, str):
            raise ValueError(f"tag {name} {text!r}: allowed is text")
    if not isinstance(result.reason, str) or not isinstance(result.layers, Sequence):
        raise ValueError("no trial: its reason is no text, or its layers are no list")
