"""From a real sqlite store to the frame and the table."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rendered import render
from small_store import Store
from trial_frames import key, spec_of

from bench import metrics, names
from bench.results.frame.collect import IDENTITY, collect, spec_columns


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    made = Store(tmp_path_factory.mktemp("store") / "mlflow.db")
    for seed in range(3):
        made.add(spec_of("dense", "0", seed), "dense", 0.99)
        for method, level in (("snip", 0.90), ("freeze", 0.95)):
            for rate in ("0.9", "0.95"):
                made.add(spec_of(method, rate, seed), method, level + seed / 100)
    return made


def test_one_row_per_trial_with_every_column(store: Store) -> None:
    frame = collect(store.uri)
    own = frame[frame["method"].isin(["dense", "snip", "freeze"])]
    assert len(own) == 15
    assert {*IDENTITY, *names.ENVIRONMENT, *metrics.METRICS} <= set(frame.columns)
    row = own[(own["method"] == "freeze") & (own["rate"] == "0.95") & (own["seed"] == 2)].iloc[0]
    assert (row["rate_value"], row["background"], row["sweeps"]) == (0.95, "freeze", ("main",))
    assert (row["spec.lr"], row["spec.epochs"], row["git_commit"]) == (0.1, 30, "c0ffee")
    assert (row["bench.python"], row["bench.gpu"]) == ("3.11.7", "")
    assert row[names.TEST_ACCURACY] == pytest.approx(0.97)
    assert row[names.TRAIN_LOSS] == pytest.approx(1 / 3)  # the last epoch's
    assert set(own.loc[own["method"] == "dense", "background"]) == {"dense"}
    assert frame[names.PEAK_MEMORY].isna().all()


def test_from_store_to_table(store: Store) -> None:
    made = render(collect(store.uri), rates=["0.9", "0.95"], methods=["freeze", "snip"])
    assert "**96.00 ± 1.00**" in made
    assert "Trained with Python 3.11.7 from commit c0ffee with uncommitted changes." in made
    assert "Dense baseline (rate 0): 99.00 ± 0.00 %, n = 3." in made


@pytest.mark.parametrize(
    ("seed", "runs", "expected"),
    [
        # (started, status, outcome, accuracy), in the order of writing
        (10, [(2_000, "FINISHED", "done", 0.2), (1_000, "FINISHED", "done", 0.1)], ("done", 0.1)),
        (11, [(1_000, "FAILED", "failed", None), (2_000, "FINISHED", "done", 0.2)], ("done", 0.2)),
        (12, [(1_000, "FINISHED", "diverged", None), (2_000, "FAILED", "failed", None)], ("diverged", None)),
        (13, [(2_000, "FAILED", "failed", 0.2), (1_000, "FAILED", "failed", 0.1)], ("failed", 0.2)),
    ],
)
def test_a_key_stands_once(store: Store, seed: int, runs: list[Any], expected: tuple[str, float | None]) -> None:
    spec = spec_of("grasp", "0.9", seed=seed)
    for number, (started, status, outcome, accuracy) in enumerate(runs):
        tags = {names.OUTCOME: outcome, f"{names.IN_SWEEP}s{number}": "parent"}
        store.add(spec, "grasp", accuracy, started, status, **tags)
    rows = collect(store.uri).query("run_key == @key", local_dict={"key": key(spec)})
    assert len(rows) == 1
    assert rows.iloc[0]["outcome"] == expected[0]
    assert rows.iloc[0][names.TEST_ACCURACY] == pytest.approx(expected[1] or float("nan"), nan_ok=True)
    assert rows.iloc[0]["sweeps"] == ("main", "s0", "s1")


@pytest.mark.parametrize("status", ["RUNNING", "KILLED"])
def test_a_run_that_did_not_end_is_no_result(store: Store, status: str) -> None:
    spec = spec_of("grasp", "0.99", seed=len(status))
    store.add(spec, "grasp", 0.5, status=status)
    assert key(spec) not in set(collect(store.uri)["run_key"])


def test_a_deleted_run_is_no_result(store: Store) -> None:
    spec = spec_of("grasp", "0.98", seed=1)
    run = store.add(spec, "grasp", 0.5)
    assert key(spec) in set(collect(store.uri)["run_key"])
    store.client.delete_run(run)
    assert key(spec) not in set(collect(store.uri)["run_key"])


def test_importing_results_imports_neither_mlflow_nor_torch_nor_ray() -> None:
    code = "import sys; from bench.results.frame import collect; print({'mlflow', 'torch', 'ray'} & {*sys.modules})"
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert made.stdout.strip() == "set()"


def test_an_empty_store(tmp_path: Path) -> None:
    store = Store(tmp_path / "mlflow.db")
    frame = collect(store.uri)
    assert frame.empty
    assert "No trial to show." in render(frame)


@pytest.mark.parametrize(
    ("method", "rate", "background"), [("snip", "0.2", "prune"), ("freeze", "0", "dense"), ("freeze", "1", "biases")]
)
def test_the_background_follows_from_the_rate_whatever_the_method_is_called(
    method: str, rate: str, background: str
) -> None:
    assert spec_columns(spec_of(method, rate, 0), "dense")["background"] == background
