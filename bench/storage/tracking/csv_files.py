"""The finished trials of a sweep as two CSV files, for whatever reads tables: `trials.csv`, a row a trial, and
`epochs.csv`, a row an epoch. Each trial is in them once; they decide nothing: what is done is in the store.

Several processes may write to one folder. Imports no MLflow.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from bench import metrics
from bench.canonical import canonical_json
from bench.disk import locked, write_whole
from bench.messages import say
from bench.storage.entry import Entry

FOLDER = "csv"  # beside the store, or in the offline folder: a folder per sweep in it
TRIALS, EPOCHS = "trials.csv", "epochs.csv"
KEY = "run_key"
MUST = "must be a table that `run` wrote, or be moved away"
TRIAL = (KEY, "method", "rate", "seed")  # what both files say of a trial
COLUMNS = {
    TRIALS: (*TRIAL, "dataset", "model", "outcome", "reason", "started", "ended", *metrics.final(), "spec"),
    EPOCHS: (*TRIAL, "epoch", *metrics.per_epoch()),
}


class CsvFiles:
    """The two files of a sweep, in a folder that `open` makes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._size = -1  # of the trials' file when its keys were read
        self._keys: set[str] = set()

    def open(self) -> None:
        """Make the files, or mend them after a crash: each row whole, the columns of this version, whole trials."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._locked():
            trials = self._rows(TRIALS)
            keys = {row[KEY] for row in trials}
            self._mend(TRIALS, trials)
            self._mend(EPOCHS, [row for row in self._rows(EPOCHS) if row[KEY] in keys])

    def lacking(self, run_keys: Iterable[str]) -> list[str]:
        """Those of these trials that have no row."""
        known = self._known()
        return [key for key in run_keys if key not in known]

    def add(self, entries: Iterable[Entry]) -> None:
        """Add the trials that are not in the files, in this order; their epochs first."""
        with self._locked():
            for entry in entries:
                if entry.is_final and entry.run_key not in self._known():
                    self._append(EPOCHS, _epochs(entry))
                    self._append(TRIALS, [_trial(entry)])
                    self._keys.add(entry.run_key)
                    self._size = self._trials_size()  # of this row more: nobody else writes meanwhile

    def _known(self) -> Collection[str]:
        """The run keys in the file, read again if another process has written to it."""
        if (size := self._trials_size()) != self._size:
            self._keys = {row[KEY] for row in self._rows(TRIALS)}
            self._size = size
        return self._keys

    def _trials_size(self) -> int:
        return (self.folder / TRIALS).stat().st_size

    def _rows(self, file: str) -> list[dict[str, str]]:
        """The whole rows of a file: a crash may have left half of the last one.

        Raises: ValueError if it is another table than ours, which is left as it is.
        """
        path = self.folder / file
        try:
            text = path.read_text(encoding="utf-8") if path.exists() else ""
            rows = list(csv.DictReader(io.StringIO(text[: text.rfind("\n") + 1]), restval=""))
        except (UnicodeDecodeError, csv.Error) as error:
            raise ValueError(f"{path}: {MUST}: {error}") from error
        if rows and KEY not in rows[0]:
            raise ValueError(f"{path}: {MUST}: its first line has no {KEY}")
        return rows

    def _mend(self, file: str, rows: Sequence[Mapping[str, str]]) -> None:
        """Write the file if it is not what these rows make; a column of another version stays."""
        columns = dict.fromkeys([*COLUMNS[file], *(name for row in rows[:1] for name in row)])
        text = _text(rows, list(columns), header=True).encode()
        path = self.folder / file
        if not path.exists() or path.read_bytes() != text:
            write_whole(path, text)

    def _append(self, file: str, rows: Sequence[Mapping[str, Any]]) -> None:
        path = self.folder / file
        with path.open(newline="", encoding="utf-8") as stream:
            columns = next(csv.reader(stream))
        with path.open("ab") as appended:
            appended.write(_text(rows, columns).encode())

    def _locked(self) -> Any:
        return locked(self.folder, partial(say, f"{self.folder}: locked by another process; waiting for its end"))


def _text(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], *, header: bool = False) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, restval="", extrasaction="ignore", lineterminator="\n")
    if header:
        writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def _named(entry: Entry) -> dict[str, Any]:
    return {KEY: entry.run_key, "method": entry.method, "rate": entry.spec["rate"], "seed": entry.spec["seed"]}


def _trial(entry: Entry) -> dict[str, Any]:
    result = entry.result
    words = {
        "outcome": result.outcome,
        "reason": result.reason,
        "started": _whole_ms(result.started),
        "ended": _whole_ms(result.ended),
    }
    of_spec = {name: entry.spec[name] for name in ("dataset", "model")}
    return {**_named(entry), **of_spec, **words, **result.metrics, "spec": canonical_json(entry.spec)}


def _epochs(entry: Entry) -> list[dict[str, Any]]:
    return [{**_named(entry), "epoch": epoch, **figures} for epoch, figures in enumerate(entry.result.epochs)]


def _whole_ms(seconds: float) -> float:
    """As a store keeps a time, so that a row is the same whether it is written now or from the store."""
    return int(seconds * 1000) / 1000
