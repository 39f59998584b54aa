"""The command line as a user meets it: errors of one line that write nothing, a sweep, its table, its second run."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import pwd
import shutil
import socket
import subprocess
import sys
import textwrap
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from command_line import bench, called, environment, stored
from small_store import empty

from bench.cli.cli import main
from bench.datasets import DATASETS
from bench.models import MODELS

SWEEP = ("run", "--rates", "0.9,0.99", "--seeds", "2", "--epochs", "2", "--executor", "local")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, no store or data named by the environment, and no word before all checks are passed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("bench.messages.SOON_SECONDS", 60.0)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("BENCH_DATA_ROOT", raising=False)
    return tmp_path


def complaint(capsys: pytest.CaptureFixture[str], folder: Path, *arguments: str) -> str:
    """The one line that a wrong command prints; nothing on stdout, nothing written, exit code 2."""
    before = sorted(folder.rglob("*"))
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("error: ") and err.count("\n") == 1
    assert sorted(folder.rglob("*")) == before
    return err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--rates", "1.5"], "rate 1.5: must be 0 <= rate < 1"),
        (["--rates", "-0.1"], "rate -0.1: must be 0 <= rate < 1"),
        (["--rates", "abc"], "'abc' is not a number"),
        (["--rates", "0.9:"], "rates '0.9:'"),
        (["--rates", "0.995:0.9"], "lo <= hi"),
        (["--methods", "frezee"], "did you mean freeze?"),
        (["--methods", "grasp:temprature=1"], "did you mean temperature?"),
        (["--methods", "grasp:temperature=x"], "temperature 'x': must be a number"),
        (["--methods", "grasp:scope=local"], "scope 'local': must be one of global, uniform, er, erk"),
        (["--model", "lenet-5-cafe"], "did you mean lenet-5-caffe?"),
        (["--dataset", "mnits"], "did you mean mnist?"),
        (["--initialiser", "xavier"], "did you mean xavier-normal?"),
        (["--seeds", "0"], "seeds '0'"),
        (["--seeds", "-3"], "seeds '-3'"),
        (["--epochs", "0"], "epochs 0: must be a whole number >= 1"),
        (["--epochs", "-1"], "epochs -1"),
        (["--batch-size", "0"], "batch_size 0"),
        (["--batch-size", "-5"], "batch_size -5"),
        (["--cpus-per-trial", "0"], "cpus-per-trial 0"),
        (["--cpus-per-trial", "9999"], "cpus-per-trial 9999: must be at most"),
        (["--address", "nowhere"], "must be HOST:PORT or ray://HOST:PORT"),
        (["--address", "127.0.0.1:1"], "no answer"),
        (["--criterion-per-class", "5000"], "5000"),
        (["--validation-fraction", "0.0001"], "0.0001"),
        (["--methods", "grasp:temperature=0"], "must be temperature > 0"),
        (["--optimizer", "adam"], "needs --lr"),
        (["--gamma", "0.5"], "the schedule must be step"),
        (["--tf32"], "tf32 on the cpu"),
        (["--name", 'a"b'], "must be 1 to 200 letters"),
        (["--name", "mine/"], "name 'mine/': must be a path in its shortest form, as mine\n"),
        (["--name", "a/."], "name 'a/.': must be a path in its shortest form, as a\n"),
        (["--name", "a/.."], "name 'a/..': must be a path in its shortest form\n"),
        (["--name", "a/../b"], "name 'a/../b': must be a path in its shortest form, as b\n"),
        (["--name", "//b"], "name '//b': must be a path in its shortest form\n"),
        (["--data-root", "~nobody-of-this-name/x"], "~nobody-of-this-name/x: no home folder is known for ~n"),
        (["--storage", "~nobody-of-this-name"], "no home folder is known for ~nobody-of-this-name"),
        (["--executor", "local", "--offline", "~nobody-of-this-name"], "no home folder is known for ~nobody-of-this-n"),
        (["--dataset", "folder:~nobody-of-this-name"], "no home folder is known for ~nobody-of-this-name"),
        (["--executor", "local", "--address", "x"], "the executor must be ray"),
        (["--gpus-per-trial", "0.5", "--device", "cpu"], "gpus-per-trial 0.5 on cpu"),
        (["--max-retries", "-1"], "max-retries -1"),
        (["--plugin", "nowhere.py"], "no such file"),
        (["--step", "sparse", "--precision", "bfloat16"], "in bfloat16: the precision must be float32 or float64"),
        (["--step", "spares"], "'--step': 'spares' is not one of"),
        (["--frobnicate"], "No such option"),
        (["extra"], "unexpected extra argument"),
    ],
)  # fmt: skip
def test_wrong_arguments(capsys: pytest.CaptureFixture[str], folder: Path, arguments: list[str], said: str) -> None:
    assert said in complaint(capsys, folder, "run", *arguments)


def test_a_user_without_a_home_folder(
    capsys: pytest.CaptureFixture[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither in the environment nor in the password file, as in a container that runs under a number."""
    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", lambda number: {}[number])
    assert "no home folder is known, which MLflow and the cache need: HOME must name one" in complaint(
        capsys, folder, "run", "--executor", "local", "--methods", "freeze"
    )
    assert main(["list", "methods"]) == 0


@pytest.mark.parametrize("arguments", [["list", "methods"], ["list", "datasets", "--format", "csv"], ["--version"]])
@pytest.mark.parametrize("buffering", [1, -1])
def test_a_full_disk_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str], buffering: int
) -> None:
    """Whether it shows while a result is written or at the end; Python does not try again."""
    with monkeypatch.context() as patch, Path("/dev/full").open("w", buffering) as full:
        patch.setattr(sys, "stdout", full)
        assert main(arguments) == 2
        assert full.closed
    assert capsys.readouterr().err == "error: output: cannot be written: No space left on device\n"


def test_a_result_is_written_in_any_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Latin-1 has the ×, and not the −, of what commands print."""
    stream = io.TextIOWrapper(written := io.BytesIO(), encoding="latin-1")
    monkeypatch.setattr(sys, "stdout", stream)
    assert main(["--version"]) == 0
    print("3 × −1", flush=True)
    assert written.getvalue().endswith(b"\n3 \xd7 \\u22121\n")


def test_a_model_must_fit_the_data(
    capsys: pytest.CaptureFixture[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(MODELS, "wide", replace(MODELS["lenet-5-caffe"], image_shape=(3, 32, 32)))
    said = complaint(capsys, folder, "run", "--model", "wide")
    assert "model 'wide' takes images (3, 32, 32); data set 'digits' has (1, 28, 28)" in said


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("def broken(:", "SyntaxError"),
        ("import not_there", "ModuleNotFoundError: No module named 'not_there'"),
        ("METHODS = {'mine': 3}", "dict of name -> bench.methods.Method"),
        ("", "must have METHODS, MODELS, DATASETS, OPTIMIZERS or SCHEDULES, a module-level dict each"),
        ("MODELS = [3]", "MODELS is list: must be a dict of name -> row"),
    ],
)
def test_a_broken_plugin(
    capsys: pytest.CaptureFixture[str], folder: Path, monkeypatch: pytest.MonkeyPatch, source: str, said: str
) -> None:
    (folder / "mine.py").write_text(source)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert said in complaint(capsys, folder, "run", "--plugin", str(folder / "mine.py"))


@pytest.mark.parametrize("port", ["99999", "{taken}"])
def test_the_pages_need_a_free_port(capsys: pytest.CaptureFixture[str], folder: Path, port: str) -> None:
    (folder / "mlflow.db").write_bytes(empty())
    capsys.readouterr()  # what MLflow says of the first store that a process makes
    with socket.create_server(("127.0.0.1", 0)) as server:
        number = port.format(taken=server.getsockname()[1])
        assert "the server cannot listen" in complaint(capsys, folder, "ui", "--port", number)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["pareto", "-o", "a.png"], "'pareto' is not one of 'difference', 'accuracy', 'gradients', 'storage', 'ranks'"),
        (["accuracy"], "Missing option '-o' / '--output'"),
        (["accuracy", "-o", "a.gif"], "output a.gif: its suffix must be one of .png, .svg, .pdf"),
        (["accuracy", "-o", "a"], "output a: its suffix must be one of .png, .svg, .pdf"),
        (["accuracy", "-o", "nowhere/a.png"], "output nowhere/a.png: no such folder"),
        (["accuracy", "-o", "a.png", "--metric", "test_acuracy"], "did you mean test_accuracy?"),
        (["accuracy", "-o", "a.png", "--metric", "train_loss"], "unknown metric of plot accuracy 'train_loss'"),
        (["gradients", "-o", "a.png", "--metric", "grad_norm_liv"], "did you mean grad_norm_live?"),
        (["storage", "-o", "a.png", "--metric", "grad_norm_live"], "unknown metric of plot storage 'grad_norm_live'"),
        (["ranks", "-o", "a.png", "--metric", "stored_bytes"], "unknown metric of plot ranks 'stored_bytes'"),
        (["accuracy", "-o", "a.png", "--rates", "1.5"], "rate 1.5: must be 0 <= rate < 1"),
        (["accuracy", "-o", "a.png", "--margin-points", "2"], "margin-points 2 of plot accuracy: must be left out"),
        (["start", "-o", "a.png", "--margin-points", "0"], "margin-points 0: must be above 0 and below 100"),
    ],
)
def test_wrong_plots(capsys: pytest.CaptureFixture[str], folder: Path, arguments: list[str], said: str) -> None:
    assert said in complaint(capsys, folder, "plot", *arguments)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--difference", "-2"], "difference -2: must be above 0 and finite"),
        (["--power", "1.5"], "power 1.5: must be above alpha, 0.05, and below 1"),
        (["--alpha", "0.9"], "power 0.8: must be above alpha, 0.9, and below 1"),
        (["--alpha", "0"], "alpha 0.0: must be above 0 and below 1"),
        (["--metric", "test_acuracy"], "did you mean test_accuracy?"),
        (["--metric", "train_loss"], "metric train_loss: needs --difference, in its own unit"),
        (["--rates", "1.5"], "rate 1.5: must be 0 <= rate < 1"),
        (["--format", "pdf"], "'pdf' is not one of"),
    ],
)
def test_wrong_power(capsys: pytest.CaptureFixture[str], folder: Path, arguments: list[str], said: str) -> None:
    assert said in complaint(capsys, folder, "power", *arguments)


@pytest.mark.parametrize(
    "command",
    [["table"], ["power"], ["list", "trials"], ["list", "candidates"], ["ui"], ["plot", "storage", "-o", "a.svg"]],
)
def test_without_a_store(capsys: pytest.CaptureFixture[str], folder: Path, command: list[str]) -> None:
    assert "no store at sqlite:///" in (said := complaint(capsys, folder, *command))
    assert "`python -m bench run` makes one" in said


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("sqlite:////proc/nowhere/mlflow.db", "cannot be written"),
        ("sqlite:///{folder}/file/mlflow.db", "is no folder"),
        ("sqlite:///{folder}/file", "is no SQLite database"),
        ("http://127.0.0.1:9", "no answer"),
        ("ftp://somewhere", "unknown scheme 'ftp': must be one of sqlite, http, https,"),
    ],
)
def test_an_unwritable_store(
    capsys: pytest.CaptureFixture[str], folder: Path, monkeypatch: pytest.MonkeyPatch, uri: str, said: str
) -> None:
    (folder / "file").write_text("something else")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri.format(folder=folder))
    assert said in complaint(capsys, folder, "run")


def test_a_flipped_byte_is_named(
    capsys: pytest.CaptureFixture[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {}
    for path in DATASETS["mnist"].files:
        content = gzip.compress(path.encode() * 50, mtime=0)
        files[path] = hashlib.md5(content).hexdigest()
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    monkeypatch.setitem(DATASETS, "mnist", replace(DATASETS["mnist"], files=files))
    last = list(files)[-1]
    flipped = bytearray((folder / last).read_bytes())
    flipped[len(flipped) // 2] ^= 1
    (folder / last).write_bytes(flipped)
    said = complaint(capsys, folder, "run", "--dataset", "mnist", "--data-root", str(folder))
    assert str(folder / last) in said and f"expected md5 {files[last]}" in said


def test_data_that_cannot_be_downloaded_are_named(
    capsys: pytest.CaptureFixture[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torchvision.datasets.MNIST.mirrors", ["http://127.0.0.1:9/"])
    said = complaint(capsys, folder, "run", "--dataset", "mnist", "--data-root", str(folder / "data"))
    for path, md5 in DATASETS["mnist"].files.items():
        assert f"{folder / 'data' / path} (md5 {md5})" in said


def test_run_table_and_second_run(folder: Path) -> None:
    first = bench(folder, *SWEEP)
    assert first.returncode == 0, first.stderr
    assert first.stdout == "" and "10 trials: 0 done before, 10 to train" in first.stderr
    assert first.stderr.startswith("grid: 2 methods × 2 rates × 2 seeds + dense × 2 seeds = 10 trials\n")
    before = stored(folder)
    assert len(before) == 10 and {t["status"] for t in before.values()} == {"FINISHED"}

    table = called(folder, "table")
    assert table.returncode == 0, table.stderr
    assert "| freeze" in table.stdout and "| snip" in table.stdout and table.stderr == ""

    second = called(folder, *SWEEP, "--name", "again")
    assert second.returncode == 0, second.stderr
    assert "10 trials: 10 done before, 0 to train" in second.stderr
    after = stored(folder)
    assert {k: t["run"] for k, t in after.items()} == {k: t["run"] for k, t in before.items()}
    assert all("bench.sweep.again" in t for t in after.values())  # linked, not trained again

    shown = called(folder, "table", "--format", "json", "--name", "again")
    assert {c["method"] for c in json.loads(shown.stdout)["sections"][0]["cells"]} == {"dense", "freeze", "snip"}
    rows = called(folder, "list", "trials", "--format", "csv").stdout.splitlines()
    assert len(rows) == 11 and rows[0].startswith("run_id,run_key,")
    some = ("--columns", "method,rate,seed", "--format", "csv")
    assert called(folder, "list", "trials", "--name", "again", *some).stdout.splitlines() == [
        "method,rate,seed",
        *(f"{r['method']},{r['rate']},{r['seed']}" for r in csv.DictReader(rows)),
    ]
    for wrong, said in (
        (("trials", "--columns", "methd"), "did you mean method?"),
        (("trials", "--name", "agan"), "did you mean again?"),
        (("models", "--columns", "name"), "--columns with list models: must be with list trials"),
    ):
        done = called(folder, "list", *wrong)
        assert done.returncode == 2 and said in done.stderr


WITHOUT_RAY = "import sys; sys.modules['ray'] = None; from bench.cli.cli import main; sys.exit(main(sys.argv[1:]))"


def test_where_nothing_is_to_train_ray_is_not_started(folder: Path) -> None:
    command = ("run", "--methods", "dense", "--seeds", "1", "--epochs", "1")
    assert called(folder, *command, "--executor", "local").returncode == 0
    again = subprocess.run(
        [sys.executable, "-c", WITHOUT_RAY, *command], cwd=folder, env=environment(), capture_output=True, text=True
    )
    assert again.returncode == 0 and "1 trials: 1 done before, 0 to train" in again.stderr, again.stderr


PLUGIN = """
    from bench.methods import Method
    from bench.methods.maskable import maskable


    def smallest(model, batches, loss, generator):
        return {name: -w.detach().abs() for name, w in maskable(model).items()}


    def broken(model, batches, loss, generator):
        raise RuntimeError("today not")


    METHODS = {
        "smallest": Method(criterion=smallest, background="freeze"),
        "broken": Method(criterion=broken, background="prune"),
    }
"""


def test_a_plugin_and_a_failing_and_a_diverging_trial(folder: Path) -> None:
    (folder / "mine.py").write_text(textwrap.dedent(PLUGIN))
    common = ("run", "--plugin", "mine.py", "--rates", "0.9", "--seeds", "1", "--epochs", "1", "--executor", "local")
    first = bench(folder, *common, "--methods", "smallest,broken")
    assert first.returncode == 1, first.stderr
    assert "failed: RuntimeError: today not (mine.py:" in first.stderr
    assert ": 1 of the sweep's trials: broken 0.9 seed 0" in first.stderr
    statuses = {t["bench.method"]: t["status"] for t in stored(folder).values()}
    assert statuses == {"dense": "FINISHED", "smallest": "FINISHED", "broken": "FAILED"}

    mended_text = PLUGIN.replace('raise RuntimeError("today not")', "return smallest(model, 0, 0, 0)")
    (folder / "mine.py").write_text(textwrap.dedent(mended_text))
    mended = called(folder, *common, "--methods", "broken")
    assert mended.returncode == 0 and "1 to train" in mended.stderr, mended.stderr

    diverging = ("run", "--rates", "0.9", "--seeds", "1", "--epochs", "1", "--executor", "local", "--lr", "1e9")
    for trained in (3, 0):  # terminal: not trained again, but the exit code says so again
        result = called(folder, *diverging)
        assert result.returncode == 1 and f"{trained} to train" in result.stderr, result.stderr
        named = "".join(line for line in result.stderr.splitlines() if "of the sweep's trials: " in line)
        assert all(f"{name} seed 0" in named for name in ("dense 0", "freeze 0.9", "snip 0.9"))
    table = called(folder, "table").stdout
    assert "diverged" in table and "failed" in table and "RuntimeError: today not" in table


def test_a_failed_trial_is_tried_again(folder: Path) -> None:
    (folder / "mine.py").write_text(textwrap.dedent(PLUGIN))
    command = ("run", "--plugin", "mine.py", "--methods", "broken", "--rates", "0.9", "--seeds", "1", "--epochs", "1",
               "--executor", "local", "--no-dense")  # fmt: skip
    for _ in range(2):
        again = called(folder, *command)
        assert again.returncode == 1 and "1 to train" in again.stderr, again.stderr


def test_an_installed_plugin_is_found_by_its_entry_point(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = folder / "site" / "third_party"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(textwrap.dedent(PLUGIN) + "\nsmallest_method = METHODS['smallest']\n")
    info = folder / "site" / "third_party-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: third-party\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[bench.methods]\nsmallest = third_party:smallest_method\n")
    monkeypatch.syspath_prepend(str(folder / "site"))
    assert [p.name for p in entry_points(group="bench.methods")] == ["smallest"]
    from bench.trial.plugins import Catalogue

    name, method = Catalogue().parse("smallest")
    assert name == "smallest" and method.source and method.record()["criterion"] == "smallest"


def test_the_store_can_be_named_by_the_environment(folder: Path) -> None:
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    run = called(folder, *SWEEP[:3], "--seeds", "1", "--epochs", "1", "--executor", "local", "--no-dense",
                MLFLOW_TRACKING_URI=f"sqlite:///{elsewhere}/mlflow.db")  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert (elsewhere / "mlflow.db").exists() and not (folder / "mlflow.db").exists()
    shutil.rmtree(elsewhere)
