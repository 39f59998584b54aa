"""The tune command and run --tuned: one budget everywhere, by validation accuracy, whatever the test images are."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import COMMAND, bench, environment, stored
from PIL import Image
from requests_of import asked, asked_of_run

from bench import names
from bench.cli.arguments import read_sweep
from bench.cli.cli import main
from bench.cli.presets import PRESETS
from bench.cli.requests.sweep import TuneRequest
from bench.cli.tune import Chooser
from bench.storage.choices import cells
from bench.trial.loading import module_name
from bench.trial.outside.rows import add
from bench.trial.result import Tried
from bench.trial.search import Search, read_search

SEARCH = Search(bounds=(("lr", 0.01, 1.0),), protocol_values=(0.1,), budget=2, seeds=(1000, 1001), grace=1)


def draw(folder: Path, split: str, each: int, seed: int) -> None:
    """Image files of two classes, of dark and bright noise."""
    random = np.random.RandomState(seed)
    for label, name in enumerate(("a", "b")):
        (folder_of_class := folder / split / name).mkdir(parents=True)
        for i in range(each):
            pixels = random.randint(60 * label, 160 + 60 * label, (32, 32, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(folder_of_class / f"{i}.png")


PARTS = Path(__file__).parents[2] / "support" / "own_parts.py"
FROM_OUTSIDE = [f"--plugin={PARTS}", "--model=own-small", "--schedule=falling"]
WHAT = [*FROM_OUTSIDE, "--rates=0.9", "--epochs=1", "--batch-size=10", "--criterion-per-class=5"]
HOW = ("--search", "lr=0.005:0.2", "--budget", "3", "--name", "t")
BROKEN = """
from bench.methods import METHODS as KNOWN
from dataclasses import replace

def broken(*arguments):
    raise RuntimeError("no score today")

METHODS = {"broken": replace(KNOWN["freeze"], criterion=broken)}
"""


@pytest.fixture(autouse=True)
def tables() -> Iterator[None]:
    """The tables without what is from outside again, after commands in this process."""
    yield
    add([], module_name(PARTS))


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two folders with a store each: the same command, on data sets that differ only in the test images.

    Network and schedule are from outside, and so in every worker.
    """
    folders = []
    for seed in (1, 2):
        folders.append(folder := tmp_path_factory.mktemp("tuned"))
        draw(folder / "data", "train", 12, 0)
        draw(folder / "data", "test", 10, seed)
        (folder / "broken.py").write_text(BROKEN)
        methods = ("--methods", "freeze,snip,broken", "--plugin", "broken.py") if seed == 1 else ()
        done = bench(folder, "tune", "--dataset", "folder:data", *WHAT, *HOW, *methods)
        assert done.returncode == (1 if methods else 0), done.stderr
        assert ("broken 0.9: nothing chosen: 3 of 3 candidates failed" in done.stderr) is bool(methods)
    return folders


def choices(folder: Path) -> dict[str, tuple[dict[str, float], list[Any]]]:
    """ "method rate" -> the values chosen, and all that was tried."""
    with sqlite3.connect(f"file:{folder}/mlflow.db?mode=ro", uri=True) as database:
        query = """SELECT r.name, r.artifact_uri, t.value FROM runs r JOIN tags t ON t.run_uuid = r.run_uuid
                   WHERE t.key = ? AND r.status = 'FINISHED'"""
        rows = database.execute(query, [names.CHOSEN]).fetchall()
    read = {name: (uri.removeprefix("file://"), json.loads(record)) for name, uri, record in rows}
    return {
        name: (chosen["values"], json.loads((Path(uri) / names.CANDIDATES_FILE).read_text()))
        for name, (uri, chosen) in read.items()
    }


def test_test_data_cannot_influence_a_choice(tuned: list[Path]) -> None:
    first, second = map(choices, tuned)
    assert sorted(first) == ["tuned dense 0", "tuned freeze 0.9", "tuned snip 0.9"]
    assert first == second


def test_every_cell_has_the_same_budget_and_the_protocols_value_first(tuned: list[Path]) -> None:
    tried = [[candidate["values"]["lr"] for candidate in candidates] for _, candidates in choices(tuned[0]).values()]
    assert len({tuple(values) for values in tried}) == 1 and len(set(tried[0])) == 3
    assert tried[0][0] == 0.1 and all(0.005 <= value <= 0.2 for value in tried[0])
    for values, candidates in choices(tuned[0]).values():
        top = max(candidate["validation_accuracy"][-1] for candidate in candidates)
        assert values == next(
            candidate["values"] for candidate in candidates if candidate["validation_accuracy"][-1] == top
        )


Said = Callable[..., tuple[int, str, str]]
LISTED = ["dataset", "model", "method", "rate", "search", "lr", "outcome", "epochs", "validation_accuracy", "chosen"]


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Said:
    """A command in a folder, in this process: its exit code, stdout, stderr."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)

    def say(folder: Path, *arguments: str) -> tuple[int, str, str]:
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "argv", ["bench", *arguments])
        return (main(arguments), *capfd.readouterr())

    return say


def test_run_trains_with_what_was_chosen(tuned: list[Path], said: Said) -> None:
    """Each method and rate with its own value; again, nothing is left to do; on a seed of the search, an error."""
    folder, run = tuned[1], ("run", "--dataset", "folder:data", *WHAT, "--executor", "local", "--tuned")
    code, _, error = said(folder, *run, "--seeds", "1000:1001")
    assert code == 2 and "seeds 1000: the hyper-parameters were chosen on them" in error
    assert said(folder, *run, "--seeds", "1,2")[0] == 0
    values = {name.removeprefix("tuned "): chosen for name, (chosen, _) in choices(folder).items()}
    trained = [(trial[names.METHOD], json.loads(trial[names.SPEC])) for trial in stored(folder).values()]
    assert len(trained) == 6
    for method, record in trained:
        assert {"lr": record["lr"]} == values[f"{method} {record['rate']}"]
        assert record["tuning"]["budget"] == 3 and record["tuning"]["seeds"] == [1000]
    assert "6 done before, 0 to train" in said(folder, *run, "--seeds", "1,2")[2]
    code, _, error = said(folder, "tune", "--dataset", "folder:data", *WHAT, *HOW)
    assert code == 0 and "3 cells: 3 chosen before, 0 to tune" in error
    table = said(folder, "table")[1]
    assert "Tuned: learning rate from 0.005 to 0.2." in table and "3 candidates" in table
    assert said(folder, "report", "-o", "report.md")[0] == 0
    page = (folder / "report.md").read_text()
    assert "python -m bench tune --dataset folder:data" in page and "Tuned is learning rate only" in page


def test_what_was_tried_is_listed(tuned: list[Path], said: Said) -> None:
    code, listed, _ = said(tuned[1], "list", "candidates", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(listed)))
    assert code == 0 and list(rows[0]) == LISTED and len(rows) == 9
    assert {row["search"] for row in rows} == {"lr=0.005:0.2 budget=3 seeds=1000"}
    best = {f"tuned {row['method']} {row['rate']}": {"lr": float(row["lr"])} for row in rows if row["chosen"]}
    assert best == {name: chosen for name, (chosen, _) in choices(tuned[1]).items()}
    for name, (_, tried) in choices(tuned[1]).items():
        rows_of_cell = [row for row in rows if f"tuned {row['method']} {row['rate']}" == name]
        assert [float(row["validation_accuracy"]) for row in rows_of_cell] == [
            candidate["validation_accuracy"][-1] for candidate in tried
        ]
        assert [int(row["epochs"]) for row in rows_of_cell] == [1, 1, 1]


def test_what_run_refuses(tuned: list[Path], tmp_path: Path, said: Said) -> None:
    run = ("run", "--dataset", f"folder:{tuned[1] / 'data'}", *WHAT, "--seeds", "2", "--executor", "local")
    for folder, options, complaint in (
        (tmp_path, ("--tuned",), "has no choice; `python -m bench tune`"),
        (tuned[1], ("--tuned", "--rates", "0.9,0.95"), "no choice for freeze 0.95, snip 0.95 by 'lr=0.005:0.2"),
        (tuned[1], ("--tuned", "--epochs", "2"), "(epochs 1 there, 2 here, warmup_epochs 0.1 there, 0.2 here)"),
        (tuned[1], ("--tuned", "--lr", "0.05"), "(lr 0.1 there, 0.05 here)"),
        (tuned[1], ("--tuned", "lr=1:2 budget=3 seeds=1000"), "must be 'lr=0.005:0.2 budget=3 seeds=1000'"),
        (tuned[1], ("--tuned", "--offline", "there"), "--tuned with --offline"),
    ):
        code, _, error = said(folder, *run, *options)
        assert code == 2 and complaint in error and "Traceback" not in error, error
    assert not list(tmp_path.iterdir())


def test_an_unusable_store_is_told_before_anything(tmp_path: Path, said: Said) -> None:
    (tmp_path / "mlflow.db").write_text("no database")
    assert said(tmp_path, "run", "--tuned", "--executor", "local")[2].endswith(
        "is no SQLite database; name one, or a new file\n"
    )
    code, _, error = main_said(tmp_path)
    assert code == 2 and "http://127.0.0.1:9" in error and len(error.splitlines()) <= 2


def main_said(folder: Path) -> tuple[int, str, str]:
    done = subprocess.run(
        [*COMMAND, "run", "--tuned", "--executor", "local"], cwd=folder, capture_output=True, text=True, timeout=300,
        env=environment() | {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9"},
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def test_what_another_command_chose_meanwhile_stays(tuned: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    uri = f"sqlite:///{tuned[0]}/mlflow.db"
    before = choices(tuned[0])
    arguments = ["--dataset", f"folder:{tuned[0] / 'data'}", *WHAT, "--methods", "freeze", "--device", "cpu"]
    sweep = read_sweep(asked_of_run(*arguments))
    search = read_search("lr=0.005:0.2", 3, [1000], sweep.protocol)
    cell = next(cell for cell in cells(sweep, search) if cell.rate)
    Chooser(sweep, uri, "t", "").chosen(cell, [Tried({"lr": 0.123}, [1.0])])
    assert "freeze 0.9: another command has chosen meanwhile" in capsys.readouterr().err
    assert choices(tuned[0]) == before


def test_a_candidate_that_is_stopped_early_is_no_match_for_whole_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """Optuna is told of it as pruned; of one that diverged as the worst."""
    import optuna

    from bench.execution import asha

    studies, create = [], optuna.study.create_study
    monkeypatch.setattr(optuna.study, "create_study", lambda **how: studies.append(create(**how)) or studies[-1])

    arguments = ["--rates", "0.9", "--methods", "freeze", "--device", "cpu", "--epochs", "9", "--no-dense"]
    sweep = read_sweep(asked_of_run(*arguments))
    search = read_search("lr", 3, [1000], sweep.protocol)
    searches = asha._Searches(cells(sweep, search), search)
    for trial, epoch, outcome in (("a", 9, names.DONE), ("b", 1, names.DONE), ("c", 2, names.DIVERGED)):
        lr = searches.suggest(trial)["lr"]
        assert lr == pytest.approx({"a": 0.1, "b": 0.01 * 100**0.25, "c": 0.01 * 100**0.75}[trial])
        result = {asha.METRIC: 0.5, asha.TIME: epoch, asha.OUTCOME: outcome, "training_iteration": epoch}
        searches.on_trial_result(trial, result)
        searches.on_trial_complete(trial, result)
    (study,) = studies
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "PRUNED", "COMPLETE"]


def test_a_presets_seeds_are_not_those_of_the_search() -> None:
    for name in ("freezenet-mnist", "snip-mnist", "grasp-cifar10", "synflow-cifar100"):
        request = asked(TuneRequest, "tune", "--preset", name)
        assert request.seeds == "1000:1000"
        assert request.protocol["epochs"] == PRESETS[name].options()["epochs"]


@pytest.mark.parametrize("name", [name for name, preset in PRESETS.items() if "start" in preset.fields])
def test_a_preset_with_a_start_is_refused(name: str, tmp_path: Path, said: Said) -> None:
    line = f"preset {name!r} with tune: gives start, start-head, start-norm, when; must give its options only"
    assert said(tmp_path, "tune", "--preset", name) == (2, "", f"error: {line}\n")
    (tmp_path / "a.toml").write_text(f'preset = "{name}"\n')
    assert said(tmp_path, "tune", "--config", "a.toml") == (2, "", f"error: {line}\n")


def test_a_count_is_no_seed_of_a_search(tmp_path: Path, said: Said) -> None:
    assert said(tmp_path, "tune", "--seeds", "3") == (2, "", "error: seeds 3: must be first:last, or a comma list\n")


def test_a_tuned_sweep_resolves_each_cell() -> None:
    arguments = ["--rates", "0.9", "--seeds", "2", "--methods", "freeze", "--device", "cpu"]
    sweep = read_sweep(asked_of_run(*arguments))
    plain = replace(sweep, protocol={**sweep.protocol, "tuning": SEARCH})
    chosen = {s.cell_key: {"lr": 0.5 if s.rate else 0.25} for s in plain.trials()}
    assert {(str(s.rate), s.seed, s.lr) for s in replace(plain, chosen=chosen).trials()} == {
        ("0", 0, 0.25), ("0", 1, 0.25), ("0.9", 0, 0.5), ("0.9", 1, 0.5),
    }  # fmt: skip
