"""Trials that the store has more than once: equal results count once, different ones are named and marked."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from small_store import Store
from trial_frames import spec_of

from bench import names
from bench.cli.cli import main
from bench.results.frame.collect import collect
from bench.results.frame.conflicts import CLOSE, NAMED
from bench.test_right import encoded

EARLIEST = "of several runs the earliest counts"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    store = Store(tmp_path / "mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.uri)
    for seed in range(2):
        store.add(spec_of("dense", "0", seed), "dense", 0.99)
        store.add(spec_of("snip", "0.9", seed), "snip", 0.97, 1_000)
    return store


def conflict_of(store: Store, seed: int = 0) -> str:
    frame = collect(store.uri).query("method == 'snip' and seed == @seed", local_dict={"seed": seed})
    return str(frame["conflict"].item())


@pytest.mark.parametrize("accuracy", [0.97, 0.97 * (1 + CLOSE / 2)])
def test_equal_results_are_no_conflict(store: Store, accuracy: float, capsys: pytest.CaptureFixture[str]) -> None:
    store.add(spec_of("snip", "0.9", 0), "snip", accuracy, 2_000)
    assert conflict_of(store) == ""
    assert capsys.readouterr().err == ""
    assert main(["table"]) == 0


def test_different_results_are_named_marked_and_said_by_the_exit_code(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = collect(store.uri)
    other = store.add(spec_of("snip", "0.9", 0), "snip", 0.01, 2_000)
    frame = collect(store.uri)
    assert frame[names.TEST_ACCURACY].equals(before[names.TEST_ACCURACY])  # the earliest counts
    first = frame.query("method == 'snip' and seed == 0")["run_id"].item()
    conflict = f"{names.TEST_ACCURACY}: run {first} has 0.97, run {other} has 0.01"
    assert (conflict_of(store), conflict_of(store, seed=1)) == (conflict, "")
    said = f"the results of 1 trial disagree in the store; {EARLIEST}: snip 0.9 seed 0: {conflict}"
    capsys.readouterr()
    assert main(["table"]) == 1
    out, err = capsys.readouterr()
    assert f"warning: {said}\n" in err
    assert "97.00 ± 0.00 ¶1" in out.replace("**", "")
    assert "¶k: of k seeds the results in the store disagree; of several runs the earliest counts." in out
    assert main(["table", "--format", "latex"]) == 1
    assert r"\P{}1" in capsys.readouterr().out
    assert main(["report", "--output", str(tmp_path / "report.md")]) == 1
    assert f"{said[0].upper()}{said[1:]}." in (tmp_path / "report.md").read_text().replace("\\_", "_")
    assert main(["plot", "accuracy", "--output", str(tmp_path / "accuracy.svg")]) == 1
    assert main(["power"]) == 1


def test_a_figure_that_one_lacks_is_no_conflict(store: Store) -> None:
    store.add(spec_of("snip", "0.9", 0), "snip", None, 2_000)
    assert conflict_of(store) == ""


def test_another_outcome_is_a_conflict(store: Store) -> None:
    store.add(spec_of("snip", "0.9", 0), "snip", None, 2_000, **{names.OUTCOME: names.DIVERGED})
    assert conflict_of(store).startswith("outcome: run ")


def test_a_clock_is_no_result(store: Store) -> None:
    for seconds, started in ((1.0, 3_000), (9.0, 4_000)):
        run = store.add(spec_of("snip", "0.9", 5), "snip", 0.97, started)
        store.client.log_metric(run, names.TRAINING_SECONDS, seconds)
    assert conflict_of(store, seed=5) == ""


def test_every_one_is_named_and_of_many_the_first(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in range(NAMED + 2):
        for accuracy, started in ((0.9, 3_000), (0.8, 4_000)):
            store.add(spec_of("grasp", "0.9", seed), "grasp", accuracy, started)
    collect(store.uri)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"warning: the results of {NAMED + 2} trials disagree in the store; ")
    assert [f"seed {seed}:" in line for seed in range(NAMED + 2)] == [True] * NAMED + [False] * 2
    assert line.endswith("; and 2 more")


@pytest.mark.parametrize(("norm", "conflict"), [(1.0, False), (1e-3, True)])
def test_a_difference_is_as_sure_as_what_it_is_a_difference_of(store: Store, norm: float, conflict: bool) -> None:
    """3e-6 and 4e-6 are one change of a flow of 1, and two of one of a millionth."""
    for change, started in ((3e-6, 3_000), (4e-6, 4_000)):
        final = {names.FLOW_CHANGE: change, names.initial(names.GRAD_NORM_ALL): norm}
        store.add(spec_of("snip", "0.9", 5), "snip", 0.97, started, final=final)
    assert conflict_of(store, seed=5).startswith(f"{names.FLOW_CHANGE}: run ") is conflict


def test_the_size_of_a_file_is_no_result(store: Store) -> None:
    for size, started in ((1000.0, 3_000), (1010.0, 4_000)):
        store.add(spec_of("snip", "0.9", 5), "snip", 0.97, started, final={names.STORED_BYTES: size})
    assert conflict_of(store, seed=5) == ""


def test_a_figure_that_is_not_what_the_trial_recorded(store: Store) -> None:
    record = json.dumps({names.TEST_ACCURACY: 0.97, names.TRAIN_LOSS: 1 / 3, "of_another_version": 1.0})
    store.add(spec_of("snip", "0.9", 5), "snip", 0.97, 3_000, **{names.FIGURES: record})
    changed = store.add(spec_of("snip", "0.9", 6), "snip", 0.97, 3_000, **{names.FIGURES: record})
    store.client.log_metric(changed, names.TEST_ACCURACY, 0.01)
    lost = json.dumps({names.TEST_ACCURACY_BEST: 0.9})
    store.add(spec_of("snip", "0.9", 7), "snip", 0.97, 3_000, **{names.FIGURES: lost})
    assert [conflict_of(store, seed) for seed in (5, 6, 7)] == [
        "",
        f"{names.TEST_ACCURACY}: 0.97 when it was trained, 0.01 in the store",
        f"{names.TEST_ACCURACY_BEST}: 0.9 when it was trained, none in the store",
    ]
    assert main(["table"]) == 1


def test_an_accuracy_that_is_not_the_share_of_the_images_that_are_right(store: Store) -> None:
    right = np.arange(100) < 97
    for seed, text in enumerate((encoded(right), encoded(right[:99]), "97:nothing", ""), 5):
        store.add(spec_of("snip", "0.9", seed), "snip", 0.97, 3_000, **{names.TEST_RIGHT: text})
    assert [conflict_of(store, seed) for seed in range(5, 9)] == [
        "",
        f"{names.TEST_ACCURACY}: 0.97 in the store, 97 of 99 test images right",
        f"{names.TEST_RIGHT} '97:nothing': must be the number of test images and a bit for each",
        "",
    ]
    assert main(["table"]) == 1
    assert main(["doctor", "--quick"]) == 1
