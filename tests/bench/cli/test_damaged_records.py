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
from trial_frames import key, spec_json, spec_of

from bench import names
from bench.cli.cli import main
from bench.results.frame.collect import UNREADABLE, collect

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
    "nesterov": "no", "epochs": None,
}  # fmt: skip


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, dict[str, str]]:
    """A store of whole trials and damaged ones; run -> what is wrong with it."""
    store = Store(tmp_path_factory.mktemp("damaged") / "mlflow.db")
    for seed in range(3):
        for method, rate, accuracy in (("dense", "0", 0.99), ("snip", "0.9", 0.90), ("freeze", "0.9", 0.95)):
            store.add(spec_of(method, rate, seed), method, accuracy + seed / 1000)
    reasons = {}
    for number, (tags, said) in enumerate(TAGS.values()):
        reasons[store.add(spec_of("grasp", "0.9", 100 + number), "grasp", 0.5, 2_000 + number, **tags)] = said
    for number, (field, value) in enumerate(FIELDS.items()):
        spec = {**spec_of("grasp", "0.9", 200 + number), field: value}
        identity = {names.SPEC: spec_json(spec), names.RUN_KEY: key(spec)}
        run = store.add(spec_of("grasp", "0.9", 200 + number), "grasp", 0.5, 3_000 + number, **identity)
        reasons[run] = f"its spec is damaged: {field} {json.dumps(value)}"
    run = store.add(spec_of("grasp", "0.9", 300), "grasp", 0.5, 4_000)
    with sqlite3.connect(store.uri.removeprefix("sqlite:///")) as connection:
        values = "UPDATE latest_metrics SET value = 'good' WHERE run_uuid = ? AND key = ?"
        connection.execute(values, (run, names.TEST_ACCURACY))
    connection.close()
    reasons[run] = f"its {names.TEST_ACCURACY} 'good' is no number"
    run = store.add(spec_of("grasp", "0.9", 301), "grasp", 0.5, 5_000)
    store.client.delete_tag(run, names.SPEC)
    reasons[run] = "it has no spec"
    return store, reasons


@pytest.fixture
def here(damaged: tuple[Store, dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", damaged[0].uri)
    return tmp_path


def test_each_is_named_with_its_reason(
    damaged: tuple[Store, dict[str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    store, reasons = damaged
    frame = collect(store.uri)
    assert dict(frame.attrs[UNREADABLE]) == reasons
    assert set(frame["method"]) == {"dense", "snip", "freeze"} and len(frame) == 9
    (line,) = capsys.readouterr().err.splitlines()
    run, reason = frame.attrs[UNREADABLE][0]
    assert line == f"warning: {len(reasons)} trials of the store left out, the first run {run}: {reason}"


@pytest.mark.parametrize(
    ("command", "parsed"),
    [
        (["table"], str),
        (["table", "--format", "json"], json.loads),
        (["table", "--format", "csv"], lambda out: list(csv.DictReader(io.StringIO(out)))),
        (["list", "trials"], str),
        (["list", "trials", "--format", "csv"], lambda out: list(csv.DictReader(io.StringIO(out)))),
        (["power"], str),
        (["plot", "accuracy", "-o", "plot.svg"], str),
        (["report", "-o", "page.md"], str),
    ],
)
def test_the_others_are_shown(
    command: list[str],
    parsed: Callable[[str], object],
    damaged: tuple[Store, dict[str, str]],
    here: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(command) == 0
    out, err = capsys.readouterr()
    assert parsed(out) is not None and "grasp" not in out
    assert err.startswith(f"warning: {len(damaged[1])} trials of the store left out, the first run ")
    assert err.count("\n") == 1
    if command[0] == "report":
        page = (here / "page.md").read_text()
        assert f"- {len(damaged[1])} trials of the store left out, the first run " in page


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
