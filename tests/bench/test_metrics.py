"""A metric is one row and its function: it is computed, stored, listed and shown without any other change."""

from __future__ import annotations

from pathlib import Path
from pkgutil import resolve_name
from typing import get_args

import pytest
from rendered import render
from small_store import Store
from small_trials import images, spec, weight_norm
from trial_frames import frame, spec_of, trial

from bench import metrics, names
from bench.cli.cli import main
from bench.engine.measures.moment import Moment
from bench.engine.setup.prepare import prepare
from bench.engine.train import train
from bench.metrics import METRICS, Metric, When

ROW = Metric(
    name="weight_norm", words="norm of the weights", when="epoch", function="small_trials:weight_norm", form=".3f"
)


@pytest.fixture
def one_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METRICS, ROW.name, ROW)


def test_every_function_is_there() -> None:
    assert all(callable(resolve_name(row.function)) for row in METRICS.values() if row.function)
    assert len(METRICS) == len(metrics.ROWS)  # no name twice


@pytest.mark.parametrize("pack", ["single", "vmap"])
def test_one_more_row_is_measured_after_every_epoch(pack: str, one_more: None) -> None:
    trials = [spec(seed=seed, pack=pack) for seed in range(2)]
    for trial_spec, result in zip(trials, train(trials, images(), "cpu"), strict=True):
        before, after = (epoch["weight_norm"] for epoch in result.epochs)
        untrained = Moment(spec=trial_spec, trial=prepare(trial_spec, images(), "cpu"))
        assert before == weight_norm(untrained)["weight_norm"] != after
        assert set(result.epochs[1]) == set(metrics.per_epoch())


def test_a_row_of_another_moment_is_measured_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METRICS, ROW.name, Metric(name=ROW.name, words="Norm", when="trained", function=ROW.function))
    (result,) = train([spec()], images(), "cpu")
    assert result.metrics["weight_norm"] > 0 and "weight_norm" not in result.epochs[1]


@pytest.mark.parametrize("pack", ["single", "vmap"])
@pytest.mark.parametrize("when", get_args(When)[:-1])
def test_a_row_that_raises_fails_its_own_trial(when: When, pack: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that ends, and is told: never left out, and no matter of the others in its pack."""
    row = Metric(name=ROW.name, words="Norm", when=when, function="small_trials:norm_of_seed_1")
    monkeypatch.setitem(METRICS, ROW.name, row)
    bad, good = train([spec(seed=0, pack=pack), spec(seed=1, pack=pack)], images(), "cpu")
    assert (bad.outcome, good.outcome) == (names.FAILED, names.DONE)
    assert bad.reason.startswith("RuntimeError: no norm of seed 0 (small_trials.py:") and not bad.artefact


def test_the_first_error_of_a_trial_is_the_one_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    row = Metric(name=ROW.name, words="Norm", when="ended", function="small_trials:norm_of_seed_1")
    monkeypatch.setitem(METRICS, ROW.name, row)
    (result,) = train([spec(method="dense", lr=1e9)], images(), "cpu")
    assert result.outcome == names.DIVERGED and "nan" in result.reason


def test_one_more_row_is_in_the_table_with_its_words(one_more: None) -> None:
    rows = [trial(method, "0.9", s, 0.9) | {"weight_norm": 2.0 + s} for method in ("freeze", "snip") for s in (0, 1)]
    made = render(frame(rows), metric="weight_norm", margin=None)
    assert "Last epoch: norm of the weights: mean ± standard deviation" in made and "2.500 ± 0.707" in made


def test_one_more_row_is_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], one_more: None
) -> None:
    store = Store(tmp_path / "mlflow.db")
    store.add(spec_of("snip", "0.9", 0), "snip", 0.9, epochs={"weight_norm": [3.0, 2.5]})
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.uri)
    assert main(["list", "trials", "--columns", "method,weight_norm", "--format", "csv"]) == 0
    assert capsys.readouterr().out.splitlines() == ["method,weight_norm", "snip,2.5"]
    assert main(["table", "--metric", "weight_norm"]) == 0
    assert "Last epoch: norm of the weights" in capsys.readouterr().out
