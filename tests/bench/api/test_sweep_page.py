"""What `run` leaves beside the trials, and what `ui` says of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from mlflow import MlflowClient
from small_store import Store
from started_trials import BASE
from trial_frames import key, spec_of

from bench import names
from bench.api.sweep_page import describe
from bench.cli.cli import main
from bench.cli.store_commands import _addresses


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "mlflow.db")
    for seed in range(3):
        store.add(
            spec_of("freeze", "0.9", seed), "freeze", 0.9 + seed / 50, **{f"{names.IN_SWEEP}freeze-or-prune": "x"}
        )
        store.add(spec_of("snip", "0.9", seed), "snip", 0.7 + seed / 99, **{f"{names.IN_SWEEP}freeze-or-prune": "x"})
    return store


def test_the_answer_is_on_the_page_of_the_sweep(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    describe(store.uri, "freeze-or-prune", changed=True)
    assert capsys.readouterr().err == ""
    client = MlflowClient(store.uri)
    note = client.get_run(store.sweep).data.tags["mlflow.note.content"]
    assert note.startswith("- ") and "SNIP's weights" in note and "report.html" in note
    files = {artefact.path for artefact in client.list_artifacts(store.sweep)}
    assert {"results.md", "report.html", "report-difference.svg", "report-accuracy.svg"} <= files


def test_the_page_says_what_the_networks_start_from(store: Store) -> None:
    (main, other) = ({f"{names.IN_SWEEP}{sweep}": "x"} for sweep in ("freeze-or-prune", "mnist"))
    for seed in range(2):
        base = spec_of("dense", "0", seed, dataset="mnist")
        store.add(base, "dense", 0.97 + seed / 100, **other)
        store.add(spec_of("freeze", "0.9", seed, start=BASE), "freeze", 0.9, **{names.BASE_KEY: key(base)}, **main)
    describe(store.uri, "freeze-or-prune", changed=True)
    page = Path(MlflowClient(store.uri).download_artifacts(store.sweep, "results.md")).read_text()
    assert "each seed has a base of its own, trained dense on mnist, 97.50 ± 0.71 %." in page
    assert "share one base" not in page and "not known" not in page and "## mnist" not in page


def test_a_page_is_written_again_only_if_something_changed(store: Store) -> None:
    client = MlflowClient(store.uri)
    client.set_tag(store.sweep, "mlflow.note.content", "mine")
    describe(store.uri, "freeze-or-prune", changed=False)
    assert client.get_run(store.sweep).data.tags["mlflow.note.content"] == "mine"
    assert client.list_artifacts(store.sweep) == []


def test_what_goes_wrong_is_a_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    describe(f"sqlite:///{tmp_path}/no/mlflow.db", "gone", changed=True)
    assert capsys.readouterr().err.startswith("warning: the answer of gone is not on its page in MLflow: ")


def test_addresses_of_the_runs_and_of_the_answer(store: Store) -> None:
    runs = f"http://h:1/#/experiments/{store.experiment}/runs"
    assert _addresses(store.uri, "http://h:1", None) == [
        f"runs of freeze-or-prune: {runs}?workflowType=machine_learning"
    ]
    store.client.set_tag(store.sweep, "mlflow.note.content", "so")
    assert _addresses(store.uri, "http://h:1", "freeze-or-prune")[1:] == [
        f"answer of freeze-or-prune: {runs}/{store.sweep}?workflowType=machine_learning"
    ]
    with pytest.raises(ValueError, match="unknown sweep 'freeze': must be one of freeze-or-prune; did you mean"):
        _addresses(store.uri, "http://h:1", "freeze")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--tracking", "mlflow,cvs"], "unknown tracking 'cvs': must be one of mlflow, csv, wandb; did you mean csv?"),
        (["--tracking", "csv"], "tracking csv: must name mlflow, which decides what is done"),
        (
            ["--tracking", "mlflow", "--offline", "kept", "--executor", "local"],
            "tracking mlflow with --offline: must be without mlflow",
        ),
    ],
)
def test_trackers_that_cannot_be(
    arguments: list[str], complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert main(["run", *arguments]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == f"error: {complaint}"
    assert list(tmp_path.iterdir()) == []
