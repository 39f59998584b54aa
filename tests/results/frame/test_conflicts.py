"""Trials that the store has more than once: equal results count once, different ones are named and marked."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_store import Store
from trial_frames import spec_of

from bench import names
from bench.cli.cli import main
from bench.results.frame.collect import collect
from bench.results.frame.conflicts import CLOSE


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
    said = (
        "1 trial of the store has runs with different results, of which the earliest counts: "
        f"snip 0.9 seed 0: {conflict}"
    )
    capsys.readouterr()
    assert main(["table"]) == 1
    out, err = capsys.readouterr()
    assert f"warning: {said}\n" in err
    assert "97.00 ± 0.00 ¶1" in out.replace("**", "")
    assert "¶k: of k seeds the store has runs with different results; the earliest counts." in out
    assert main(["table", "--format", "latex"]) == 1
    assert r"\P{}1" in capsys.readouterr().out
    assert main(["report", "--output", str(tmp_path / "report.md")]) == 1
    assert f"{said}." in (tmp_path / "report.md").read_text().replace("\\_", "_")


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
