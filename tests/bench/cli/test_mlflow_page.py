"""MLflow's pages as a user sees them, in a real browser."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import time
from pathlib import Path

import mlflow_browser
import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (mlflow_browser.CHROMIUM and mlflow_browser.DRIVER and importlib.util.find_spec("selenium")),
        reason="needs chromium, chromedriver and selenium",
    ),
]
SWEEP = ["--methods", "freeze,snip", "--rates", "0.99", "--seeds", "2", "--epochs", "2", "--executor", "local"]


def test_runs_curves_and_artefacts(tmp_path: Path) -> None:
    store, downloads = tmp_path / "store", tmp_path / "downloads"
    store.mkdir()
    downloads.mkdir()
    subprocess.run([sys.executable, "-m", "bench", "run", *SWEEP], cwd=store, check=True)
    with mlflow_browser.served(store) as addresses, mlflow_browser.browser(downloads) as page:
        page.open(addresses["runs"])
        page.wait_for("6 matching runs", "freeze 0.99 seed 0", "snip 0.99 seed 1")
        columns = page.columns()
        accuracy = columns.index("metrics.`accuracy/test_accuracy`")
        before = {column for column in columns[:accuracy] if not column.isdigit()}  # but for that of the boxes
        assert before == {"attributes.`Run Name`", "runDateAndNestInfo"}
        page.open(f"{addresses['runs']}&compareRunsMode=CHART")
        page.wait_for("accuracy (3)", "curve (9)")
        page.search_charts("curve/validation")
        assert page.lines_of_a_chart() == 6
        page.open(addresses["answer"])
        assert "Evaluation runs" not in page.wait_for("SNIP's weights")  # of the GenAI view
        answer, _, view = addresses["answer"].partition("?")
        page.open(f"{answer}/artifacts/results.md?{view}")
        page.wait_for("Freeze or prune?")
        page.download()
        (file,) = _downloaded(downloads)
        assert file.read_bytes() == next(store.glob("mlruns/*/*/artifacts/results.md")).read_bytes()
    assert mlflow_browser.running(page.processes) == set()


def test_runs_in_weights_and_biases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    command = [sys.executable, "-m", "bench", "run", *SWEEP, "--offline", "kept", "--tracking", "csv,wandb"]
    subprocess.run(command, cwd=tmp_path, check=True)
    trained = {json.loads(file.read_text())["result"]["run_key"][:32] for file in tmp_path.glob("kept/*.jsonl")}
    sent = {folder.name.rpartition("-")[2] for folder in tmp_path.glob("wandb/offline-run-*")}
    assert sent == trained and len(sent) == 6


def _downloaded(folder: Path) -> list[Path]:
    end = time.monotonic() + mlflow_browser.SECONDS
    while not (files := [f for f in folder.iterdir() if f.suffix == ".md"]) and time.monotonic() < end:
        time.sleep(0.2)
    return files
