"""The offline folder and its way into the store: real folders, real stores, processes without Ray and MLflow."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from command_line import bench, called, environment, stored
from mlflow import MlflowClient

from bench import names
from bench.canonical import key_of
from bench.cli.cli import main
from bench.methods import METHODS
from bench.mlflow_metrics import STORED
from bench.storage import offline_folder, stored_trials
from bench.storage.entry import Entry, decode, encode
from bench.test_right import decoded
from bench.trial.result import TrialResult
from bench.trial.spec import TrialSpec

# --rates 0.9 with the default methods: dense, freeze, snip.
SWEEP = ("run", "--rates", "0.9", "--seeds", "1", "--epochs", "2", "--executor", "local")
BARE = """
import sys
sys.modules["ray"] = sys.modules["mlflow"] = None  # importing them raises
from bench.cli.cli import main
sys.exit(main(sys.argv[1:]))
"""
CLOCKS = (names.SCORING_SECONDS, names.TRAINING_SECONDS, names.PEAK_MEMORY)
ACCURACY = STORED[names.TEST_ACCURACY]
IDS = ("mlflow.parentRunId", names.IN_SWEEP)


def bare(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`bench` where neither Ray nor MLflow is installed."""
    command = [sys.executable, "-c", BARE, *arguments]
    return subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=300)


def entry(seed: int = 0, outcome: str = names.DONE, sweep: str = "one", **fields: Any) -> Entry:
    spec = TrialSpec(
        dataset="digits", data_hash="0", model="m", method=METHODS["freeze"], rate=Decimal("0.9"), seed=seed
    )
    result = TrialResult(
        run_key=spec.run_key,
        outcome=outcome,
        reason="" if outcome == names.DONE else f"why {outcome}",
        metrics={names.TEST_ACCURACY: 0.1 + 0.2},
        epochs=[{names.VALIDATION_ACCURACY: 1 / 3}, {names.VALIDATION_ACCURACY: 2 / 3, names.TRAIN_LOSS: 1e-300}],
        layers=[{"name": "fc1.weight", "weights": 8, "live": 2}],
        tags={names.INIT_SHA256: "0" * 64, "bench.cpu": "ein „Prozessor“"},
        started=1000.25 + seed,
        ended=1002.5 + seed,
    )
    entry = Entry(sweep=sweep, command="bench run", method="freeze", spec=spec.record(), result=result)
    return replace(entry, **fields)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, and no store named by the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], code: int, *arguments: str) -> str:
    """What a command says on stderr, in one line; nothing on stdout."""
    assert main(arguments) == code
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1, err
    return err


def runs(folder: Path, run_kind: str = names.TRIAL) -> list[Any]:
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    experiments = [e.experiment_id for e in client.search_experiments()]
    return list(client.search_runs(experiments, f"tags.`{names.KIND}` = '{run_kind}'"))


def portrait(folder: Path, run: Any) -> dict[str, Any]:
    """Everything a store has of a run but times and ids."""
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    histories = {
        name: [(point.step, point.value) for point in client.get_metric_history(run.info.run_id, name)]
        for name in run.data.metrics
        if name not in {STORED[clock] for clock in CLOCKS}
    }
    artefacts = Path(run.info.artifact_uri.removeprefix("file://")).iterdir()
    return {
        "name": run.info.run_name,
        "status": run.info.status,
        "params": run.data.params,
        "tags": {k: v for k, v in run.data.tags.items() if not k.startswith(IDS)},
        "sweeps": sorted(k for k in run.data.tags if k.startswith(IDS)),
        "metrics": sorted(run.data.metrics),
        "histories": histories,
        "artefacts": {path.name: path.read_bytes() for path in artefacts},
    }


def test_without_ray_and_mlflow_then_imported_equals_direct(tmp_path: Path) -> None:
    offline, direct = tmp_path / "offline", tmp_path / "direct"
    offline.mkdir()
    direct.mkdir()
    first = bare(offline, *SWEEP, "--offline", "kept/here")
    assert first.returncode == 0 and first.stdout == "", first.stderr
    assert "3 trials: 0 done before, 3 to train; offline folder" in first.stderr
    files = sorted(path for path in (offline / "kept" / "here").iterdir() if path.is_file())
    assert [p.suffix for p in files].count(".jsonl") == [p.suffix for p in files].count(".frz") == 3 == len(files) / 2
    assert [p.name for p in offline.iterdir()] == ["kept"]
    (trials,) = offline.glob("kept/here/csv/*/trials.csv")
    assert len(trials.read_text().splitlines()) == 1 + 3

    second = bare(offline, *SWEEP, "--offline", "kept/here", "--name", "again")
    assert "3 trials: 3 done before, 0 to train" in second.stderr, second.stderr

    imported = called(offline, "import", "kept/here")
    assert imported.returncode == 0 and "6 trials of" in imported.stderr, imported.stderr
    assert "3 stored, 3 linked, 0 there before" in imported.stderr
    done = bench(direct, *SWEEP)  # a new process, which looks at the commit anew as the offline ones do
    assert done.returncode == 0, done.stderr
    pairs = [{run.data.tags[names.RUN_KEY]: portrait(f, run) for run in runs(f)} for f in (offline, direct)]
    for imported_run in pairs[0].values():
        assert imported_run["artefacts"].keys() == {names.LAYERS_FILE, names.NETWORK_FILE}
        assert imported_run["sweeps"].count("bench.sweep.again") == 1
        imported_run["sweeps"].remove("bench.sweep.again")
        right, ((_, accuracy),) = decoded(imported_run["tags"][names.TEST_RIGHT]), imported_run["histories"][ACCURACY]
        assert len(right) == 360 and right.mean() == accuracy
    assert pairs[0] == pairs[1]
    sweeps = {run.info.run_name: run for run in runs(offline, names.SWEEP)}
    assert sorted(sweeps) == ["again", "digits-lenet-300-100"]
    assert sweeps["digits-lenet-300-100"].data.tags["bench.command"].endswith("--offline kept/here")
    assert sweeps["again"].data.tags["bench.command"].endswith("--name again")
    assert {run.info.status for run in sweeps.values()} == {"FINISHED"}
    parents = {run.data.tags["mlflow.parentRunId"] for run in runs(offline)}
    assert parents == {sweeps["digits-lenet-300-100"].info.run_id}  # which trained them

    again = called(offline, "import", "kept/here")
    assert "nothing to import" in again.stderr and len(runs(offline, names.SWEEP)) == 2
    table = called(offline, *SWEEP)
    assert "3 done before, 0 to train" in table.stderr


def test_a_killed_run_goes_on_from_whole_files(tmp_path: Path) -> None:
    command = (*SWEEP[:-4], "--epochs", "20", "--executor", "local", "--offline", "kept")
    process = subprocess.Popen(
        [sys.executable, "-c", BARE, *command], cwd=tmp_path, env=environment(), stderr=subprocess.DEVNULL
    )
    while not (kept := sorted((tmp_path / "kept").glob("[!.]*.jsonl"))):
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    (tmp_path / "kept" / ".x.part").write_text('{"half a li')
    before = {path: path.stat().st_mtime_ns for path in sorted((tmp_path / "kept").glob("[!.]*.jsonl"))}
    assert before.keys() >= set(kept) and len(before) < 3 and len(offline_folder.read(tmp_path / "kept")) == len(before)
    resumed = bare(tmp_path, *command)
    assert f"3 trials: {len(before)} done before" in resumed.stderr and resumed.returncode == 0, resumed.stderr
    after = {path: path.stat().st_mtime_ns for path in sorted((tmp_path / "kept").glob("[!.]*.jsonl"))}
    assert len(after) == 3 and before.items() <= after.items()


def test_failed_trials_are_trained_again_and_diverged_ones_are_not(tmp_path: Path) -> None:
    entries = [entry(seed, outcome) for seed, outcome in enumerate(names.OUTCOMES)]
    tmp_path.joinpath("kept").mkdir()
    for path in ("kept", "elsewhere/kept"):
        recorder = offline_folder.OfflineRecorder(offline_folder.OfflineFolder(tmp_path / path), "one", [], "", str)
        with recorder:
            for one in entries:
                recorder.put(one)
    now = offline_folder.OfflineFolder(tmp_path / "kept")
    assert now.ended([e.run_key for e in entries]) == {e.run_key: e for e in entries[:2]}
    with recorder:
        recorder.put(entry(2))  # the failed one, at its second try
        recorder.put(entry(2, names.FAILED))  # a slower process's try hides nothing
    ended = offline_folder.OfflineFolder(tmp_path / "elsewhere/kept").ended([entry(2).run_key])
    assert ended == {entry(2).run_key: entry(2)}


def test_diverged_again(tmp_path: Path) -> None:
    for trained in (1, 0):
        process = bare(tmp_path, *SWEEP, "--methods", "dense", "--lr", "1e9", "--offline", "kept")
        assert process.returncode == 1 and f"{trained} to train" in process.stderr, process.stderr
        assert "diverged: training loss nan in epoch 1: 1 of the sweep's trials: dense 0 seed 0" in process.stderr


def test_several_processes_write_one_folder(tmp_path: Path) -> None:
    code = """
import sys
from test_offline_folder import Path, entry, offline_folder
with offline_folder.OfflineRecorder(offline_folder.OfflineFolder(Path("kept")), "one", [], "", str) as recorder:
    for seed in range(int(sys.argv[1]), int(sys.argv[1]) + 40):
        recorder.put(entry(seed))
        offline_folder.OfflineFolder(Path("kept"))
"""
    path = {
        "PYTHONPATH": f"{Path(__file__).parent}:{Path(__file__).parents[2] / 'support'}:{Path(__file__).parents[3]}"
    }
    processes = [
        subprocess.Popen([sys.executable, "-c", code, str(first)], cwd=tmp_path, env=environment() | path)
        for first in (0, 20)
    ]
    assert [process.wait(300) for process in processes] == [0, 0]
    assert len(offline_folder.read(tmp_path / "kept")) == 60 and len(list((tmp_path / "kept").iterdir())) == 60


def test_what_the_folder_does_not_take_is_kept_elsewhere(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = offline_folder.write

    def full(file: Path, entries: list[Entry]) -> None:
        if file.parent.name == "kept":
            raise OSError(28, "No space left on device")
        real(file, entries)

    monkeypatch.setattr(offline_folder, "write", full)
    assert main([*SWEEP, "--methods", "dense", "--offline", "kept"]) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    (path,) = folder.glob("bench-rescue-*")
    assert last.startswith(f"error: offline folder {folder}/kept: No space left on device; 1 result is in {path};")
    assert [entry.method for entry in offline_folder.read(path)] == ["dense"]


def with_network(seed: int, network: bytes, sweep: str = "one") -> Entry:
    one = entry(seed, sweep=sweep)
    return replace(one, result=replace(one.result, artefact=network))


def test_each_line_has_its_own_network(tmp_path: Path) -> None:
    """Two machines train one trial with other last bits: each line stays with the network that it tells of."""
    for sweep, network in (("a", b"one"), ("b", b"other")):
        offline_folder.write(tmp_path / f"{sweep}.jsonl", [with_network(0, network, sweep=sweep)])
    networks = {e.sweep: offline_folder.contents(e.result) for e in offline_folder.read(tmp_path)}
    assert networks == {"a": b"one", "b": b"other"}


@pytest.mark.parametrize("damage", ["change", "swap", "remove"])
def test_a_damaged_network_is_named(tmp_path: Path, damage: str) -> None:
    offline_folder.write(tmp_path / "a.jsonl", [with_network(0, b"one")])
    offline_folder.write(tmp_path / "b.jsonl", [with_network(1, b"other")])
    first, second = sorted(tmp_path.glob("*.frz"))
    if damage == "remove":
        first.unlink()
    else:
        first.write_bytes(second.read_bytes() if damage == "swap" else b"onf")
    with pytest.raises(ValueError, match=f"line 1: its network {first} (is corrupted|cannot be read)"):
        offline_folder.read(tmp_path)


def test_what_is_rescued_loses_no_entry_for_anothers_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    gone = entry(1)
    gone = replace(gone, result=replace(gone.result, artefact=tmp_path / "gone.frz"))
    rescued = offline_folder.read(offline_folder.rescue([with_network(0, b"one"), gone]))
    assert {e.run_key: offline_folder.contents(e.result) for e in rescued} == {
        entry(0).run_key: b"one",
        gone.run_key: b"",
    }


def test_a_line_holds_the_whole_entry() -> None:
    for outcome in names.OUTCOMES:
        line = encode(entry(3, outcome))
        assert "\n" not in line
        read = decode(line)
        assert encode(read) == line and read.result.metrics == {names.TEST_ACCURACY: 0.1 + 0.2}


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--executor", "ray", "--offline", "kept"], "offline with executor ray: the executor must be local"),
        (["--offline", "kept"], "offline with executor ray"),
        (["--executor", "local", "--offline", "file"], "is no folder"),
        (["--executor", "local", "--offline", "/proc/kept"], "cannot be written"),
        (["--executor", "local", "--offline", "."], "file, line 1: no trial: not JSON"),
        (["--executor", "local", "--offline", "kept", "--rates", "2"], "rate 2: must be"),
        (["--executor", "local", "--offline", "kept", "--name", "a;b"], "name 'a;b'"),
    ],
)
def test_usage_errors_write_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str], options: list[str], why: str
) -> None:
    (folder / "file").write_text("something else")
    assert why in said(capsys, 2, "run", *options)
    assert [path.name for path in folder.iterdir()] == ["file"]


def changed(**fields: Any) -> str:
    """A line whose checksum is right, but whose trial is not."""
    record = json.loads(encode(entry())) | fields
    del record["sha256"]
    return json.dumps(record | {"sha256": key_of(record)})


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda line: line[:50], "no trial: not JSON"),
        (lambda line: line.replace("0.30000000000000004", "0.35"), "corrupted: expected SHA-256"),
        (lambda line: line.replace('"format":2', '"format":3'), "format 3: must be 1 or 2"),
        (lambda line: "", "no trial: not JSON"),
        (lambda line: "[1, 2]", "no trial: not a JSON object"),
        (lambda line: '{"a": 1}', "no trial: not a JSON object with a format"),
        (lambda line: "\udcff\udcfe", "no trial: not JSON"),
        (lambda line: changed(sweep="a;b"), "name 'a;b': must be 1 to 200 letters"),
        (lambda line: changed(sweep=3), "no trial: TypeError"),
        (lambda line: changed(linked=3), "no trial: linked 3"),
        (lambda line: changed(spec={"rate": "0.9"}), "no trial: its spec has no dataset, model, method, seed"),
        (lambda line: changed(spec=entry(5).spec), f"no trial: run key {entry().run_key} is not"),
        (lambda line: changed(result={"run_key": entry().run_key, "outcome": "good"}), "outcome 'good'"),
        (lambda line: changed(result={"outcome": "done"}), "no trial: TypeError"),
        (lambda line: changed(extra=1), "no trial: TypeError"),
    ],
)
def test_a_bad_line_is_named_and_the_good_ones_are_stored(
    folder: Path, capsys: pytest.CaptureFixture[str], spoil: Callable[[str], str], why: str
) -> None:
    kept = folder / "kept"
    kept.mkdir()
    offline_folder.write(kept / "a.jsonl", [entry(0)])
    lines = [encode(entry(1)), spoil(encode(entry(2)))]
    (kept / "b.jsonl").write_text("".join(f"{line}\n" for line in lines), errors="surrogateescape")
    assert main(["import", "kept"]) == 1
    message = capsys.readouterr().err
    assert f"2 trials of {kept}: 2 stored, 0 linked, 0 there before" in message
    assert f"left out: {kept / 'b.jsonl'}, line 2: {why}" in message
    keys = {entry(0).run_key, entry(1).run_key}
    assert stored_trials.finished(f"sqlite:///{folder}/mlflow.db", [*keys]).keys() == keys
    (kept / "a.jsonl").unlink()
    (kept / "b.jsonl").write_text(f"{lines[1]}\n", errors="surrogateescape")
    assert f"{kept / 'b.jsonl'}, line 1: {why}" in said(capsys, 2, "import", "kept")


def test_foreign_files_and_folders(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "nowhere" in said(capsys, 2, "import", "nowhere")
    (folder / "kept" / "inner").mkdir(parents=True)
    assert "inner: a folder in a folder; must be given itself" in said(capsys, 2, "import", "kept")
    (folder / "kept" / "inner").rmdir()
    assert "kept: no trial in it" in said(capsys, 2, "import", "kept")
    assert [path.name for path in folder.iterdir()] == ["kept"]


def test_each_run_key_once_however_it_is_kept(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = folder / "kept"
    kept.mkdir()
    offline_folder.write(
        kept / "a.jsonl", [entry(0, names.FAILED), entry(1), entry(2, names.FAILED), entry(3, names.DIVERGED)]
    )
    offline_folder.write(kept / "b.jsonl", [entry(0), entry(1), entry(2, names.FAILED)])
    offline_folder.write(kept / "c.jsonl", [entry(1, sweep="two", linked=True), entry(0, names.FAILED, sweep="three")])
    assert "6 trials of" in (message := said(capsys, 0, "import", "kept")) and "4 stored, 2 linked, 0 there" in message
    ends = {seed: t["status"] for t in stored(folder).values() for seed in [json.loads(t[names.SPEC])["seed"]]}
    assert ends == {0: "FINISHED", 1: "FINISHED", 2: "FAILED", 3: "FINISHED"} and len(runs(folder)) == 4
    assert "nothing to import: the store" in said(capsys, 0, "import", "kept")
    assert len(runs(folder)) == 4 and len(runs(folder, names.SWEEP)) == 3

    offline_folder.write(folder / "more.jsonl", [entry(2), entry(0)])  # trained again, and done
    assert "1 stored, 0 linked, 1 there before" in said(capsys, 0, "import", "more.jsonl")
    assert sorted(run.info.status for run in runs(folder)) == ["FAILED", *["FINISHED"] * 4]
