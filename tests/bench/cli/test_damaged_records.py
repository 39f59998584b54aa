"""One damaged trial costs its own row: every command shows the others, and names it on stderr."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from small_store import Store
from trial_frames import frame, key, spec_json, spec_of, trial

from bench import names
from bench.cli.cli import main
from bench.results.frame.collect import UNREADABLE, collect
from bench.results.frame.history import histories
from bench.results.page.report import report
from bench.results.statistics.view import View

MILESTONES = [round((number + 1) / 1701, 6) for number in range(1699)]
LONG = spec_of("grasp", "0.9", 0, schedule="step", milestones=MILESTONES)
CUT = "its spec was cut by an earlier version; `run` trains it again once the run is deleted in MLflow, and `export`"
# What is wrong with a record -> the tags that differ from a whole one, and what is said of it.
TAGS: dict[str, tuple[dict[str, str], str]] = {
    "empty": ({names.SPEC: ""}, "it has no spec"),
    "no JSON": ({names.SPEC: "{'lr': 0.1}"}, "its spec is no JSON"),
    "cut": ({names.SPEC: spec_json(LONG)[:8000]}, f"{CUT} writes its network"),
    "list": ({names.SPEC: "[1, 2]"}, "its spec is [1, 2]: must be a JSON object"),
    "null": ({names.SPEC: "null"}, "its spec is null: must be a JSON object"),
    "another trial's": ({names.SPEC: spec_json(spec_of("snip", "0.5", 7))}, "its spec is not the one of its run key"),
    "no run key": ({names.RUN_KEY: ""}, f"it has no tag {names.RUN_KEY}"),
    "outcome": ({names.OUTCOME: "well"}, "its outcome 'well': must be one of done, diverged, failed"),
}
# Fields of a spec that is JSON, and whose run key is right.
FIELDS: dict[str, Any] = {
    "rate": "high", "seed": "first", "method": "grasp", "lr": "0.1", "milestones": 0.5, "tuning": {"search": ["lr"]},
    "nesterov": "no", "epochs": None, "start": {"dataset": "mnist", "seed": "own"},
}  # fmt: skip


TAG = "tags SET value = ? WHERE run_uuid = ? AND key ="
START = "runs SET start_time = ? WHERE run_uuid = ?"
METRIC = f"latest_metrics SET value = ? WHERE run_uuid = ? AND key = '{names.TEST_ACCURACY}'"
# What an UPDATE of the database sets of a trial -> the value, and what is said of it.
COLUMNS: list[tuple[str, object, str]] = [
    (METRIC, "good", f"its {names.TEST_ACCURACY} 'good' is no number"),
    (f"{TAG} '{names.SPEC}'", None, "it has no spec"),
    (f"{TAG} '{names.METHOD}'", None, f"it has no tag {names.METHOD}"),
    (START, "soon", "its start_time 'soon' is no time in milliseconds"),
    (START, 9_999_999_999_999_999, "its start_time 9999999999999999 is no time in milliseconds"),
]
# Tags of whole trials, and values that change nothing.
HARMLESS = {
    names.GROUP_KEY: "0" * 64, names.OUTCOME: None, names.REASON: None, names.COMMAND: None, names.GIT_COMMIT: None,
}  # fmt: skip


def execute(store: Store, statement: str, *values: object) -> None:
    with sqlite3.connect(store.uri.removeprefix("sqlite:///")) as connection:
        assert connection.execute(statement, values).rowcount <= 1
    connection.close()


def damaged(file: Path) -> tuple[Store, dict[str, str]]:
    """A store of whole trials and damaged ones; run -> what is wrong with it."""
    store = Store(file)
    for seed, (tag, value) in enumerate(HARMLESS.items()):
        for method, rate, accuracy in (("snip", "0.9", 0.90), ("freeze", "0.9", 0.95)):
            run = store.add(spec_of(method, rate, seed), method, accuracy + seed / 1000)
        execute(store, "UPDATE tags SET value = ? WHERE run_uuid = ? AND key = ?", value, run, tag)
    reasons = {}
    for number, (tags, said) in enumerate(TAGS.values()):
        reasons[store.add(spec_of("grasp", "0.9", 100 + number), "grasp", 0.5, 2_000 + number, **tags)] = said
    for number, (field, changed) in enumerate(FIELDS.items()):
        spec = {**spec_of("grasp", "0.9", 200 + number), field: changed}
        identity = {names.SPEC: spec_json(spec), names.RUN_KEY: key(spec)}
        run = store.add(spec_of("grasp", "0.9", 200 + number), "grasp", 0.5, 3_000 + number, **identity)
        reasons[run] = f"its spec is damaged: {field} {json.dumps(changed)}"
    for number, (column, content, said) in enumerate(COLUMNS):
        run = store.add(spec_of("grasp", "0.9", 300 + number), "grasp", 0.5, 4_000 + number)
        execute(store, f"UPDATE {column}", content, run)
        reasons[run] = said
    return store, reasons


COMMANDS: tuple[tuple[list[str], Callable[[str], object]], ...] = (
    (["table"], str),
    (["table", "--format", "json"], json.loads),
    (["list", "trials", "--format", "csv"], lambda out: list(csv.DictReader(io.StringIO(out)))),
    (["power"], str),
)


ROW = ["|", "freeze", "|", "**95.20", "±", "0.16**", "|"]


def test_each_is_named_with_its_reason_and_the_others_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store, reasons = damaged(tmp_path / "mlflow.db")
    capsys.readouterr()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.uri)
    trials = collect(store.uri)
    assert dict(trials.attrs[UNREADABLE]) == reasons
    run, reason = trials.attrs[UNREADABLE][0]
    warning = f"{len(reasons)} trials of the store left out, the first run {run}: {reason}"
    assert capsys.readouterr().err == f"warning: {warning}\n"
    assert set(trials["method"]) == {"snip", "freeze"} and set(trials["outcome"]) == {names.DONE}
    for command, parsed in COMMANDS:
        assert main(command) == 0
        out, err = capsys.readouterr()
        assert parsed(out) is not None and "grasp" not in out
        assert err == f"warning: {warning}\n", command
        if command == ["table"]:  # the mean of all five seeds: none is silently lost
            assert next(line for line in out.splitlines() if line.startswith("| freeze ")).split() == ROW


def test_a_network_that_cannot_be_read_costs_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(tmp_path / "mlflow.db")
    run = store.add(spec_of("snip", "0.9", 0), "snip", 0.5)
    (tmp_path / run / "artifacts" / names.NETWORK_FILE).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.uri)
    why = f"run {run}: its stored network cannot be read: Is a directory"
    assert main(["export", run, "-o", "network.frz"]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == f"error: {why}"
    assert main(["narrow"]) == 1
    err = capsys.readouterr().err
    assert f"error: run {run}: {why}\n" in err and "\n0 networks measured with narrower values" in err


def test_a_store_of_damaged_trials_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(tmp_path / "mlflow.db")
    run = store.add(spec_of("snip", "0.9", 0), "snip", 0.5, **{names.SPEC: "?"})
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.uri)
    assert main(["list", "trials"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"warning: 1 trial of the store left out, run {run}: its spec is no JSON",
        f"error: no trial in the store {store.uri}: `python -m bench run` trains some",
    ]


def test_a_damaged_point_costs_its_own_curve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    metric = names.GRAD_NORM_LIVE
    store = Store(tmp_path / "mlflow.db")
    epochs = {metric: [1.0, 2.0, 4.0]}
    runs = [
        store.add(spec_of(m, "0.9", seed), m, 0.9, epochs=epochs, final={metric: 4.0})
        for m in ("snip", "freeze")
        for seed in range(4)
    ]
    damaged_run = store.add(spec_of("snip", "0.9", 4), "snip", 0.9, **{names.SPEC: ""})
    said = {}
    for run, column, value in zip(runs, ("value", "step", "timestamp"), ("good", "late", "now"), strict=False):
        which = f"run_uuid = '{run}' AND key = '{metric}' AND step = 1"
        execute(store, f"UPDATE metrics SET {column} = ? WHERE {which}", value)
        said[run] = f"its {metric} over the epochs: {value!r} is no number"
    points = histories(store.uri, runs, metric)
    assert dict(points.attrs[UNREADABLE]) == said
    assert set(points["run_id"]) == set(runs) - said.keys() and len(points) == 15
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.uri)
    capsys.readouterr()
    assert main(["report", "-o", "page.md"]) == 0
    trial_line = f"1 trial of the store left out, run {damaged_run}: it has no spec"
    line = f"3 curves of the store left out, the first run {runs[0]}: {said[runs[0]]}"
    assert capsys.readouterr().err == f"warning: {trial_line}\nwarning: {line}\n"
    assert f"\n- {trial_line}.\n- {line}.\n" in (tmp_path / "page.md").read_text()
    note = "Seeds without a curve in the store: snip 0.9 (3 of 4 seeds)."
    assert note in (tmp_path / "page-gradients.svg").read_text()


def test_a_mistake_of_a_figure_is_no_figure_left_out() -> None:
    """Only what the store lacks is left out of the page."""
    rows = [trial(m, "0.9", 0, 0.9) | {names.GRAD_NORM_LIVE: 1.0} for m in ("snip", "freeze")]
    with pytest.raises(ValueError, match="of the reading"):
        report(frame(rows), View(), failing, [], "page")


def failing(runs: object, metric: str) -> Any:
    raise ValueError("of the reading")


def test_a_run_without_a_start_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """MLflow itself reads no run of such a store."""
    store = Store(tmp_path / "mlflow.db")
    run = store.add(spec_of("snip", "0.9", 0), "snip", 0.5)
    execute(store, "UPDATE runs SET start_time = NULL WHERE run_uuid = ?", run)
    store.add(spec_of("snip", "0.9", 1), "snip", 0.75)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.uri)
    capsys.readouterr()
    said = f"warning: 1 trial of the store left out, run {run}: its start_time None is no time in milliseconds\n"
    for command in (["table"], ["list", "trials"]):
        assert main(command) == 0
        out, err = capsys.readouterr()
        assert "75" in out and err == said
    execute(store, "UPDATE runs SET start_time = NULL WHERE run_uuid = ?", store.sweep)
    execute(store, "UPDATE runs SET start_time = 1000 WHERE run_uuid = ?", run)
    assert main(["ui"]) == 2  # which reads the sweeps through MLflow
    assert capsys.readouterr().err == f"error: store {store.uri}: start_time cannot be None (run {store.sweep})\n"
