"""`bench doctor`: everything that is wrong is named in a line, and what loses nothing is put right."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from command_line import called
from stored_entries import entry, keys

from bench import names
from bench.canonical import canonical_json, key_of
from bench.storage import offline_folder
from bench.storage.delivery.folders import folder_of
from bench.storage.mlflow_store import Store
from bench.storage.offline_import import import_entries
from bench.storage.ownership.owner import Owner

RUN = (
    "run", "--methods", "freeze,snip", "--rates", "0.9", "--seeds", "1", "--epochs", "1", "--executor", "local",
    "--name", "small",
)  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store of three really trained trials."""
    folder = tmp_path_factory.mktemp("trained")
    assert called(folder, *RUN, "--offline", "offline").returncode == 0
    import_entries(folder / "offline", f"sqlite:///{folder}/mlflow.db", pytest.fail)
    return folder


@pytest.fixture
def folder(trained: Path, tmp_path: Path) -> Path:
    """The same store, to be damaged; its artefacts are those of the copy."""
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    for table, column in (("runs", "artifact_uri"), ("experiments", "artifact_location")):
        execute(tmp_path, f"UPDATE {table} SET {column} = replace({column}, ?, ?)", str(trained), str(tmp_path))
    return tmp_path


def execute(folder: Path, statement: str, *values: object) -> list[tuple[str, ...]]:
    with sqlite3.connect(folder / "mlflow.db") as connection:
        rows = connection.execute(statement, values).fetchall()
    connection.close()
    return rows


def run_of(folder: Path, method: str) -> str:
    statement = "SELECT run_uuid FROM tags WHERE key = ? AND value = ?"
    ((run,),) = execute(folder, statement, names.METHOD, method)
    return run


def store(folder: Path) -> Store:
    return Store(f"sqlite:///{folder}/mlflow.db")


def doctor(folder: Path, *options: str) -> tuple[int, list[str], str]:
    """The exit code, the lines of stdout, and the last of stderr."""
    ended = called(folder, "doctor", *options)
    return ended.returncode, ended.stdout.splitlines(), ended.stderr.splitlines()[-1]


def gone() -> Owner:
    """A process of this machine that has ended."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return replace(Owner.here(), process=child.pid, began="1")


def test_a_store_as_run_leaves_it_has_nothing_wrong(folder: Path) -> None:
    for options in ((), ("--fix",), ("--quick",)):
        code, lines, said = doctor(folder, *options)
        assert (code, lines) == (0, []) and said.endswith(": nothing wrong")


def test_commands_that_only_read_import_neither_torch_nor_mlflow(folder: Path) -> None:
    commands = [["doctor", "--quick"], [*RUN, "--dry-run"], ["export", run_of(folder, "freeze"), "-o", "network.frz"]]
    code = f"from bench.cli.cli import main; assert not any(map(main, {commands}))"
    check = "import sys; assert not {'torch', 'mlflow', 'ray'} & {*sys.modules}"
    done = subprocess.run([sys.executable, "-c", f"{code}; {check}"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert ": nothing wrong" in done.stderr and "3 done before, 0 to train" in done.stderr
    assert (folder / "network.frz").read_bytes() == store(folder).read(run_of(folder, "freeze"), names.NETWORK_FILE)


def test_what_is_left_running_is_ended(folder: Path) -> None:
    opened = store(folder)
    experiment = opened.experiment("killed")
    kinds = {names.KIND: names.SWEEP, names.OWNER: gone().tag()}
    left = opened.create(experiment, "sweep", kinds, time.time()).id
    trial = opened.create(experiment, "t", {names.KIND: names.TRIAL, names.PARENT: left}, time.time()).id
    elsewhere = {names.KIND: names.SWEEP, names.OWNER: replace(Owner.here(), machine="elsewhere").tag()}
    alive = opened.create(experiment, "sweep", elsewhere, time.time()).id
    why = "is RUNNING, and its process is gone; --fix ends it as KILLED, as the next `run` would"
    expected = {f"run {left}, a sweep's, {why}", f"run {trial}, a trial's, {why}"}
    code, lines, said = doctor(folder)
    assert (code, {*lines}) == (1, expected) and said.endswith(": 2 things wrong")
    code, lines, said = doctor(folder, "--fix")
    assert (code, {*lines}) == (0, {f"fixed: {line}" for line in expected}) and said.endswith(
        "nothing wrong, 2 put right"
    )
    assert doctor(folder)[0] == 0
    assert opened.is_running(alive) and not opened.is_running(left) and not opened.is_running(trial)


def test_results_that_wait_are_delivered(folder: Path) -> None:
    uri = store(folder).uri
    (left := folder_of(uri) / "host-1-1").mkdir(parents=True)
    offline_folder.write(left / "1.jsonl", [entry(1)])
    line = f"{left}: 1 result of a command that is gone, not in the store; --fix delivers them, as the next `run` would"
    assert doctor(folder)[:2] == (1, [line])
    assert doctor(folder, "--fix")[1][0] == f"fixed: {line}"
    assert keys(uri) == {entry(1).run_key} and not left.exists()


def test_networks_that_are_missing_or_damaged(folder: Path) -> None:
    missing, damaged, another = (run_of(folder, method) for method in ("freeze", "snip", "dense"))
    files = {run: store(folder).run(run).folder / names.NETWORK_FILE for run in (missing, damaged, another)}  # type: ignore[operator]
    files[another].write_bytes(files[damaged].read_bytes())
    files[damaged].write_bytes(files[damaged].read_bytes()[:-100])
    files[missing].unlink()
    again = "delete the run in MLflow, and `run` trains it again"
    expected = {
        f"run {missing}: its network is missing: {files[missing]}; {again}",
        f"run {damaged}: its network is damaged: corrupted or cut off: its checksum does not match; {again}",
        f"run {another}: its network is another trial's: its checksums are not those that the store has; {again}",
    }
    code, lines, said = doctor(folder, "--fix")
    assert (code, {*lines}) == (1, expected) and said.endswith(": 3 things wrong")
    assert doctor(folder, "--quick")[1] == [f"run {missing}: its network is missing: {files[missing]}; {again}"]


def test_records_that_disagree_or_cannot_be_read(folder: Path) -> None:
    metric = "UPDATE latest_metrics SET value = 0.25 WHERE key = 'accuracy/test_accuracy' AND run_uuid = ?"
    execute(folder, metric, run_of(folder, "freeze"))
    execute(folder, "UPDATE tags SET value = '{' WHERE key = ? AND run_uuid = ?", names.SPEC, run_of(folder, "dense"))
    spec_of = "SELECT value FROM tags WHERE key = ? AND run_uuid = ?"
    ((text,),) = execute(folder, spec_of, names.SPEC, run_of(folder, "snip"))
    spec = {**json.loads(text), "engine": 1}
    for key, value in ((names.SPEC, canonical_json(spec)), (names.RUN_KEY, key_of(spec))):
        execute(folder, "UPDATE tags SET value = ? WHERE key = ? AND run_uuid = ?", value, key, run_of(folder, "snip"))
    code, (unreadable, conflict, engines), _ = doctor(folder, "--quick")
    assert code == 1
    assert unreadable.startswith(f"run {run_of(folder, 'dense')}: its spec is no JSON; no table shows it; ")
    assert (
        conflict.startswith("freeze 0.9 seed 0: the store disagrees on test_accuracy: ") and "0.25 in the" in conflict
    )
    assert "1 trial of engine 1, 1 trial of engine 2: their numbers are of other code" in engines


def test_artefacts_of_no_run(folder: Path) -> None:
    root = store(folder).run(run_of(folder, "snip")).folder.parent.parent  # type: ignore[union-attr]
    (root / ("1" * 32)).mkdir()  # perhaps of a run that is being written
    (root / ("0" * 32)).mkdir()
    os.utime(root / ("0" * 32), (1e9, 1e9))
    deleted = run_of(folder, "dense")
    execute(folder, "UPDATE runs SET lifecycle_stage = 'deleted' WHERE run_uuid = ?", deleted)  # it can be restored
    folders = f"{root}: 1 folder of artefacts of no run of the store: {'0' * 32}"
    line = f"{folders}; delete them if no other store has their runs"
    assert doctor(folder, "--fix")[:2] == (1, [line])


def test_without_a_store_nothing_is_made(tmp_path: Path) -> None:
    ended = called(tmp_path, "doctor")
    assert ended.returncode == 2 and ended.stderr.startswith("error: no store at ") and not list(tmp_path.iterdir())
