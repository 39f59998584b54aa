"""The tables of a sweep: each trial once, whatever happened before."""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path

from bench import metrics, names
from bench.methods import Method
from bench.storage.entry import Entry
from bench.storage.tracking.csv_files import EPOCHS, TRIALS, CsvFiles
from bench.trial.result import TrialResult
from bench.trial.spec import TrialSpec


def entry(seed: int, outcome: str = names.DONE, reason: str = "") -> Entry:
    method = Method(criterion="random", background="freeze")
    spec = TrialSpec(dataset="digits", data_hash="0", model="m", method=method, rate=Decimal("0.99"), seed=seed)
    result = TrialResult(
        run_key=spec.run_key,
        outcome=outcome,
        reason=reason,
        metrics={names.TEST_ACCURACY: 0.1 + seed},
        epochs=[{names.VALIDATION_ACCURACY: 0.25}, {names.VALIDATION_ACCURACY: 0.5, names.TRAIN_LOSS: 1 / 3}],
        started=1000.0,
        ended=1002.5,
    )
    return Entry(sweep="s", command="c", method="random-freeze", spec=spec.record(), result=result)


def opened(folder: Path) -> CsvFiles:
    files = CsvFiles(folder)
    files.open()
    return files


def rows(folder: Path, file: str) -> list[dict[str, str]]:
    with (folder / file).open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_row_per_trial_and_per_epoch(tmp_path: Path) -> None:
    reason = 'loss "nan", epoch 1'
    opened(tmp_path).add([entry(0), entry(1, names.DIVERGED, reason), entry(2, names.FAILED, "no")])
    trials, epochs = rows(tmp_path, TRIALS), rows(tmp_path, EPOCHS)
    assert [(t["method"], t["rate"], t["seed"], t["outcome"], t["reason"]) for t in trials] == [
        ("random-freeze", "0.99", "0", "done", ""),
        ("random-freeze", "0.99", "1", "diverged", reason),
    ]
    assert [float(t[names.TEST_ACCURACY]) for t in trials] == [0.1, 1.1]
    assert [(e["seed"], e["epoch"], e[names.TRAIN_LOSS]) for e in epochs[:2]] == [
        ("0", "0", ""),
        ("0", "1", repr(1 / 3)),
    ]
    assert {*metrics.final()} <= trials[0].keys() and {*metrics.per_epoch()} <= epochs[0].keys()


def test_each_trial_once_by_however_many_writers(tmp_path: Path) -> None:
    one, other = opened(tmp_path), opened(tmp_path)
    one.add([entry(0)])
    other.add([entry(0), entry(1)])
    one.add([entry(1), entry(0)])
    assert [t["seed"] for t in rows(tmp_path, TRIALS)] == ["0", "1"]
    assert [e["seed"] for e in rows(tmp_path, EPOCHS)] == ["0", "0", "1", "1"]
    assert one.lacking([entry(0).run_key, entry(2).run_key]) == [entry(2).run_key]


def test_the_file_is_read_once_however_many_trials_are_added(tmp_path: Path) -> None:
    class Counting(CsvFiles):
        reads = 0

        def _rows(self, file: str) -> list[dict[str, str]]:
            self.reads += file == TRIALS
            return super()._rows(file)

    files, other = Counting(tmp_path), opened(tmp_path)
    files.open()
    for seed in range(4):
        files.add([entry(seed)])
    assert files.lacking([entry(3).run_key, entry(4).run_key]) == [entry(4).run_key]
    assert files.reads == 2  # to mend it, and for its keys
    other.add([entry(4)])
    assert files.lacking([entry(4).run_key]) == [] and files.reads == 3
    assert [t["seed"] for t in rows(tmp_path, TRIALS)] == ["0", "1", "2", "3", "4"]


def test_what_a_crash_left_is_mended(tmp_path: Path) -> None:
    opened(tmp_path).add([entry(0), entry(1)])
    whole = [(tmp_path / file).read_bytes() for file in (TRIALS, EPOCHS)]
    (tmp_path / TRIALS).write_bytes(whole[0][:-40])
    opened(tmp_path).add([entry(1)])
    assert [(tmp_path / file).read_bytes() for file in (TRIALS, EPOCHS)] == whole


def test_a_column_of_another_version_stays(tmp_path: Path) -> None:
    opened(tmp_path).add([entry(0)])
    lines = (tmp_path / TRIALS).read_text().splitlines()
    (tmp_path / TRIALS).write_text(f"former,{lines[0]}\n7,{lines[1]}\n")
    opened(tmp_path).add([entry(1)])
    assert [(t["former"], t["seed"], t["outcome"]) for t in rows(tmp_path, TRIALS)] == [
        ("7", "0", "done"),
        ("", "1", "done"),
    ]
