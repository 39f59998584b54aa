"""Choosing hyper-parameters: the same budget everywhere, by validation accuracy, without a look at the test images."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from command_line import COMMAND, bench, environment, stored
from PIL import Image
from small_trials import images, spec

from bench import asha, names, schedule
from bench.arguments import read_sweep
from bench.candidates import Candidate, Tried, best, specs_of, without_test
from bench.chosen import cells
from bench.cli import cli, main
from bench.presets import PRESETS
from bench.search import Search, check_disjoint, read_search, search_of
from bench.train import train
from bench.tune import Chooser
from datasets.images import ImageData

PROTOCOL = {"lr": 0.1, "weight_decay": 0.0, "epochs": 30}
SEARCH = Search(bounds=(("lr", 0.01, 1.0),), own=(0.1,), budget=2, seeds=(1000, 1001), grace=1)


def read(text: str, budget: int = 8) -> Search:
    return read_search(text, budget, [1000], PROTOCOL)


def test_a_search_in_words() -> None:
    assert read("lr") == Search(bounds=(("lr", 0.01, 1.0),), own=(0.1,), budget=8, seeds=(1000,), grace=3)
    both = read("weight_decay=1e-5:1e-3,lr=0.05:0.5")
    assert both.bounds == (("lr", 0.05, 0.5), ("weight_decay", 1e-5, 1e-3))
    assert both.text == "lr=0.05:0.5,weight_decay=1e-05:0.001 budget=8 seeds=1000"
    assert both.first == {"lr": 0.1, "weight_decay": 0.0}
    assert search_of(json.loads(json.dumps(both.record()))) == both
    assert read("lr=0.012345678:1").text == "lr=0.012345678:1 budget=8 seeds=1000"  # no two searches have one text


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("lrr", "did you mean lr"), ("lr=1:0.1", "0 < lo < hi"), ("lr=0:1", "0 < lo < hi"), ("lr=1", "lr=lo:hi"),
        ("lr=a:b", "lr=lo:hi"), ("lr,lr", "each field once"), ("", "unknown"),
        ("weight_decay", "weight_decay is 0, so it needs bounds"),
    ],
)  # fmt: skip
def test_what_is_no_search(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        read(text)


def test_a_budget_is_positive_and_seeds_are_disjoint() -> None:
    with pytest.raises(ValueError, match="budget 0"):
        read("lr", budget=0)
    with pytest.raises(ValueError, match="101 for every candidate: allowed are at most 100"):
        read_search("lr", 8, range(101), PROTOCOL)
    check_disjoint(SEARCH, [0, 1, 999])
    with pytest.raises(ValueError, match="seeds 1001: the hyper-parameters were chosen on them"):
        check_disjoint(SEARCH, [0, 1001])


def test_the_key_of_a_cell_knows_neither_seed_nor_what_is_searched() -> None:
    cell = spec("freeze", "0.9", tuning=SEARCH)
    assert replace(cell, seed=7, lr=0.03).cell_key == cell.cell_key
    others = [
        replace(cell, rate=Decimal("0.95")), replace(cell, epochs=2), spec("snip", "0.9", tuning=SEARCH),
        replace(cell, tuning=replace(SEARCH, budget=3)), replace(cell, weight_decay=0.0), spec("freeze", "0.9"),
    ]  # fmt: skip
    assert cell.cell_key not in {other.cell_key for other in others}
    assert spec("freeze", "0.9").cell_key == spec("freeze", "0.9").group_key
    assert "tuning" not in spec("freeze", "0.9").record()


def test_the_best_candidate() -> None:
    tried = [
        Tried({"lr": 0.1}, [0.5, 0.7]), Tried({"lr": 0.2}, [0.6, 0.8]), Tried({"lr": 0.3}, [0.6, 0.8]),
        Tried({"lr": 0.4}, [0.99]), Tried({"lr": 0.5}, [0.9, 0.9], names.DIVERGED, "loss nan"),
    ]  # fmt: skip
    assert best(tried, 2) is tried[1]  # the first of equals; the last two did not train to the end
    assert best(tried[3:], 2) is None


def advanced(candidate: Candidate, epochs: int) -> list[float]:
    return [candidate.advance() for _ in range(epochs)]


def test_a_candidate_is_its_trials_side_by_side() -> None:
    """Mean over the seeds of what each trial's own training measures; the process's settings are put back."""
    cell = spec("freeze", "0.9", epochs=3, tuning=SEARCH)
    specs = specs_of(cell, SEARCH, {"lr": 0.02})
    assert [(s.seed, s.lr) for s in specs] == [(1000, 0.02), (1001, 0.02)]
    before = torch.get_num_threads(), torch.backends.cudnn.deterministic, torch.backends.cudnn.allow_tf32
    found = advanced(candidate := Candidate(specs, images(), "cpu"), 3)
    candidate.close()
    assert (torch.get_num_threads(), torch.backends.cudnn.deterministic, torch.backends.cudnn.allow_tf32) == before
    alone = [train([one], images(), "cpu")[0].epochs for one in specs]
    assert found == [sum(epochs[n]["validation_accuracy"] for epochs in alone) / 2 for n in (1, 2, 3)]
    assert candidate.epoch == 3 and not candidate.reason


def test_a_candidate_that_diverges_says_so() -> None:
    candidate = Candidate(specs_of(spec(epochs=3, tuning=SEARCH), SEARCH, {"lr": 1e30}), images(), "cpu")
    assert candidate.advance() == 0.0
    assert candidate.outcome == names.DIVERGED and candidate.reason
    candidate.close()


@pytest.mark.parametrize("pack", ["single", "vmap", "unfold"])
def test_the_test_images_are_withheld(pack: str) -> None:
    """Whatever they are, a candidate's figures are the same: they are not there."""
    data = images()
    other = replace(data, test_images=255 - data.test_images, test_labels=(data.test_labels + 1) % 10)
    assert len(without_test(data).test_images) == len(without_test(data).test_labels) == 0
    specs = specs_of(spec("freeze", "0.9", epochs=2, pack=pack, tuning=SEARCH), SEARCH, {"lr": 0.05})
    assert advanced(Candidate(specs, data, "cpu"), 2) == advanced(Candidate(specs, other, "cpu"), 2)


def test_neither_candidate_nor_worker_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[ImageData] = []
    monkeypatch.setattr("bench.candidates.train_epochs", lambda pack, data, device: given.append(data) or iter(()))
    Candidate(specs_of(spec(tuning=SEARCH), SEARCH, {"lr": 0.05}), images(), "cpu")
    worker = asha._Trainable.__new__(asha._Trainable)
    worker.setup({}, job=schedule.dumps(([], SEARCH, images)))
    assert [len(data.test_images) for data in (*given, worker._data)] == [0, 0, 0]
    assert len(given[0].train_images) == len(images().train_images)


def test_the_rungs_are_those_of_the_search() -> None:
    """At 3 and 9 of 30 epochs, and none near the end; the first at a rung goes on, and so do the best third."""
    search = read("lr")
    scheduler = asha._Halvings([spec(epochs=30)], search)
    (bracket,) = scheduler._each[0]._brackets
    assert [epochs for epochs, _ in bracket._rungs] == [9, 3]
    trials = [SimpleNamespace(trial_id=str(n), config={asha.CELL: 0}) for n in range(4)]
    for trial in trials:
        scheduler.on_trial_add(None, trial)

    def told(trial: SimpleNamespace, epoch: int, accuracy: float) -> str:
        return scheduler.on_trial_result(None, trial, {asha.TIME: epoch, asha.METRIC: accuracy})

    assert [told(trials[0], epoch, 0.5) for epoch in range(1, 30)] == ["CONTINUE"] * 29
    assert told(trials[1], 3, 0.6) == "CONTINUE" and told(trials[2], 2, 0.1) == "CONTINUE"
    assert told(trials[2], 3, 0.55) == "STOP"  # 2/3 of the way between 0.5 and 0.6 is 0.5667
    assert told(trials[3], 3, 0.7) == "CONTINUE" and told(trials[3], 9, 0.4) == "STOP"


def test_each_cell_has_a_search_of_its_own() -> None:
    """The cells in turn, the same first candidates in each, the protocol's own value at the head where it is within."""
    for bounds, head in (((0.01, 1.0), [0.1]), ((0.2, 1.0), [])):
        search = replace(read("lr"), bounds=(("lr", *bounds),), budget=4)
        searches = asha._Searches([spec(), spec("snip")], search)
        asked = [searches.suggest(str(n)) for n in range(9)]
        assert [(one[asha.CELL], one[asha.NUMBER]) for one in asked[:8]] == [(c, n) for c in range(2) for n in range(4)]
        values = [one["lr"] for one in asked[:8]]
        assert values[:4] == values[4:] and values[: len(head)] == head and len(set(values)) == 4
        assert asked[8] == "FINISHED"


@pytest.mark.parametrize(
    ("tried", "said"),
    [
        ([Tried({}, [0.9]), Tried({}, [], names.FAILED, "OSError: disk")],
         "1 of 2 candidates failed (OSError: disk); the same command tries again"),
        ([Tried({}, []), Tried({}, [], names.DIVERGED, "loss nan")],
         "no candidate trained to the end, 1 diverged (loss nan), 1 were stopped early"),
    ],
)  # fmt: skip
def test_a_cell_without_its_whole_budget_has_no_choice(
    tried: list[Tried], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A failure may be the machine's: what was tried is then less than other cells had. To diverge is a result."""
    arguments = ["--rates", "0.9", "--methods", "freeze", "--device", "cpu"]
    sweep = read_sweep(cli.commands["run"].make_context("run", arguments).params)
    chooser = Chooser(sweep, "nowhere://", "t", "")
    chooser.chosen(spec("freeze", "0.9", epochs=1, tuning=SEARCH), tried)
    assert chooser.without == ["freeze 0.9"] and said in capsys.readouterr().err


def draw(folder: Path, split: str, each: int, seed: int) -> None:
    """Image files of two classes, of dark and bright noise."""
    random = np.random.RandomState(seed)
    for label, name in enumerate(("a", "b")):
        (place := folder / split / name).mkdir(parents=True)
        for i in range(each):
            pixels = random.randint(60 * label, 160 + 60 * label, (32, 32, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(place / f"{i}.png")


WHAT = ["--model=resnet20", "--rates=0.9", "--epochs=1", "--batch-size=10", "--criterion-per-class=5"]
HOW = ("--search", "lr=0.005:0.2", "--budget", "3", "--name", "t")
BROKEN = """
from methods import METHODS as KNOWN
from dataclasses import replace

def broken(*arguments):
    raise RuntimeError("no score today")

METHODS = {"broken": replace(KNOWN["freeze"], criterion=broken)}
"""


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two folders with a store each: the same command, on data sets that differ in the test images alone."""
    places = []
    for seed in (1, 2):
        places.append(place := tmp_path_factory.mktemp("tuned"))
        draw(place / "data", "train", 20, 0)
        draw(place / "data", "test", 10, seed)
        (place / "broken.py").write_text(BROKEN)
        methods = ("--methods", "freeze,snip,broken", "--plugin", "broken.py") if seed == 1 else ()
        done = bench(place, "tune", "--dataset", "folder:data", *WHAT, *HOW, *methods)
        assert done.returncode == (1 if methods else 0), done.stderr
        assert ("broken 0.9: nothing chosen: 3 of 3 candidates failed" in done.stderr) is bool(methods)
    return places


def choices(place: Path) -> dict[str, tuple[dict[str, float], list[Any]]]:
    """ "method rate" -> the values chosen, and all that was tried."""
    with sqlite3.connect(f"file:{place}/mlflow.db?mode=ro", uri=True) as database:
        query = """SELECT r.name, r.artifact_uri, t.value FROM runs r JOIN tags t ON t.run_uuid = r.run_uuid
                   WHERE t.key = ? AND r.status = 'FINISHED'"""
        rows = database.execute(query, [names.CHOSEN]).fetchall()
    read = {name: (uri.removeprefix("file://"), json.loads(text)) for name, uri, text in rows}
    return {
        name: (chosen["values"], json.loads((Path(uri) / names.CANDIDATES_FILE).read_text()))
        for name, (uri, chosen) in read.items()
    }


def test_test_data_cannot_influence_a_choice(tuned: list[Path]) -> None:
    first, second = map(choices, tuned)
    assert sorted(first) == ["tuned dense 0", "tuned freeze 0.9", "tuned snip 0.9"]
    assert first == second


def test_every_cell_has_the_same_budget_and_the_protocols_value_first(tuned: list[Path]) -> None:
    tried = [[one["values"]["lr"] for one in candidates] for _, candidates in choices(tuned[0]).values()]
    assert len({tuple(values) for values in tried}) == 1 and len(set(tried[0])) == 3
    assert tried[0][0] == 0.1 and all(0.005 <= value <= 0.2 for value in tried[0])
    for values, candidates in choices(tuned[0]).values():
        top = max(one["validation_accuracy"][-1] for one in candidates)
        assert values == next(one["values"] for one in candidates if one["validation_accuracy"][-1] == top)


Said = Callable[..., tuple[int, str, str]]


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Said:
    """A command in a folder, in this process: its exit code, stdout, stderr."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)

    def say(place: Path, *arguments: str) -> tuple[int, str, str]:
        monkeypatch.chdir(place)
        monkeypatch.setattr(sys, "argv", ["bench", *arguments])
        return (main(arguments), *capfd.readouterr())

    return say


def test_run_trains_with_what_was_chosen(tuned: list[Path], said: Said) -> None:
    """Each method and rate with its own value; again, nothing is left to do; on a seed of the search, an error."""
    place, run = tuned[1], ("run", "--dataset", "folder:data", *WHAT, "--executor", "local", "--tuned")
    code, _, error = said(place, *run, "--seeds", "1000:1001")
    assert code == 2 and "seeds 1000: the hyper-parameters were chosen on them" in error
    assert said(place, *run, "--seeds", "1,2")[0] == 0
    values = {name.removeprefix("tuned "): chosen for name, (chosen, _) in choices(place).items()}
    found = [(trial[names.METHOD], json.loads(trial[names.SPEC])) for trial in stored(place).values()]
    assert len(found) == 6
    for method, record in found:
        assert {"lr": record["lr"]} == values[f"{method} {record['rate']}"]
        assert record["tuning"]["budget"] == 3 and record["tuning"]["seeds"] == [1000]
    assert "6 done before, 0 to train" in said(place, *run, "--seeds", "1,2")[2]
    code, _, error = said(place, "tune", "--dataset", "folder:data", *WHAT, *HOW)
    assert code == 0 and "3 cells: 3 chosen before, 0 to tune" in error
    table = said(place, "table")[1]
    assert "Tuned: learning rate from 0.005 to 0.2." in table and "3 candidates" in table
    assert said(place, "report", "-o", "report.md")[0] == 0
    page = (place / "report.md").read_text()
    assert "python -m bench tune --dataset folder:data" in page and "Tuned is learning rate alone" in page


def test_what_run_refuses(tuned: list[Path], tmp_path: Path, said: Said) -> None:
    run = ("run", "--dataset", f"folder:{tuned[1] / 'data'}", *WHAT, "--seeds", "2", "--executor", "local")
    for place, more, complaint in (
        (tmp_path, ("--tuned",), "has no choice; `python -m bench tune`"),
        (tuned[1], ("--tuned", "--rates", "0.9,0.95"), "no choice for freeze 0.95, snip 0.95 by 'lr=0.005:0.2"),
        (tuned[1], ("--tuned", "--epochs", "2"), "(epochs 1 there, 2 here)"),
        (tuned[1], ("--tuned", "--lr", "0.05"), "(lr 0.1 there, 0.05 here)"),
        (tuned[1], ("--tuned", "lr=1:2 budget=3 seeds=1000"), "allowed are 'lr=0.005:0.2 budget=3 seeds=1000'"),
        (tuned[1], ("--tuned", "--offline", "there"), "--tuned with --offline"),
    ):
        code, _, error = said(place, *run, *more)
        assert code == 2 and complaint in error and "Traceback" not in error, error
    assert not list(tmp_path.iterdir())


def test_an_unusable_store_is_told_before_anything(tmp_path: Path, said: Said) -> None:
    (tmp_path / "mlflow.db").write_text("no database")
    assert said(tmp_path, "run", "--tuned", "--executor", "local")[2].endswith("is no SQLite database\n")
    code, _, error = main_said(tmp_path)
    assert code == 2 and "http://127.0.0.1:9" in error and len(error.splitlines()) <= 2


def main_said(place: Path) -> tuple[int, str, str]:
    done = subprocess.run(
        [*COMMAND, "run", "--tuned", "--executor", "local"], cwd=place, capture_output=True, text=True, timeout=60,
        env=environment() | {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9"},
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def test_what_another_command_chose_meanwhile_stays(tuned: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    uri = f"sqlite:///{tuned[0]}/mlflow.db"
    before = choices(tuned[0])
    arguments = ["--dataset", f"folder:{tuned[0] / 'data'}", *WHAT, "--methods", "freeze", "--device", "cpu"]
    sweep = read_sweep(cli.commands["run"].make_context("run", arguments).params)
    search = read_search("lr=0.005:0.2", 3, [1000], sweep.protocol)
    cell = next(cell for cell in cells(sweep, search) if cell.rate)
    Chooser(sweep, uri, "t", "").chosen(cell, [Tried({"lr": 0.123}, [1.0])])
    assert "freeze 0.9: another command has chosen meanwhile" in capsys.readouterr().err
    assert choices(tuned[0]) == before


def test_a_presets_seeds_are_not_those_of_the_search() -> None:
    for name, preset in PRESETS.items():
        params = cli.commands["tune"].make_context("tune", ["--preset", name]).params
        assert params["seeds"] == "1000:1000"
        assert params["epochs"] == preset.options().get("epochs", params["epochs"])


def test_a_count_is_no_seed_of_a_search(tmp_path: Path, said: Said) -> None:
    assert said(tmp_path, "tune", "--seeds", "3") == (2, "", "error: seeds 3: allowed is first:last, or a comma list\n")


def test_a_tuned_sweep_resolves_each_cell() -> None:
    arguments = ["--rates", "0.9", "--seeds", "2", "--methods", "freeze", "--device", "cpu"]
    sweep = read_sweep(cli.commands["run"].make_context("run", arguments).params)
    plain = replace(sweep, protocol={**sweep.protocol, "tuning": SEARCH})
    chosen = {s.cell_key: {"lr": 0.5 if s.rate else 0.25} for s in plain.trials()}
    assert {(str(s.rate), s.seed, s.lr) for s in replace(plain, chosen=chosen).trials()} == {
        ("0", 0, 0.25), ("0", 1, 0.25), ("0.9", 0, 0.5), ("0.9", 1, 0.5),
    }  # fmt: skip
