"""`bench.compare`: the trials, keys and numbers of the command line; its result; what it refuses; an interrupt."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import small_store
import torch
from matplotlib.figure import Figure
from torch import nn

import bench
from bench import names
from bench.cli.cli import main
from bench.storage.store_uri import VARIABLE

METHODS = {"methods": "freeze,snip", "rates": [0.9, 0.99], "seeds": 2, "epochs": 1}
COMMAND = ["--methods", "freeze,snip", "--rates", "0.9,0.99", "--seeds", "2", "--epochs", "1", "--executor", "local"]
IMAGES = np.random.RandomState(0).randint(0, 256, (60, 8, 8), dtype=np.uint8)
LABELS = np.arange(60) % 3
ARRAYS = ((IMAGES[:45], LABELS[:45]), (IMAGES[45:], LABELS[45:]))
SMALL = {"rates": 0.5, "seeds": 1, "epochs": 1, "criterion_per_class": 2, "progress": False}


class Small(nn.Module):
    """A network for images of any size."""

    def __init__(self, classes: int, image_shape: tuple[int, int, int]) -> None:
        super().__init__()
        channels, height, width = image_shape
        self.conv = nn.Conv2d(channels, 4, 3, padding=1)
        self.head = nn.Linear(4 * height * width, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.conv(x)).flatten(1))


def largest_gradient(model: nn.Module, batches: Any, loss: Any, generator: Any) -> dict[str, torch.Tensor]:
    """A criterion."""
    (x, y), *_ = batches
    weights = {name: weight for name, weight in model.named_parameters() if weight.ndim > 1}
    gradients = torch.autograd.grad(loss(model(x), y), list(weights.values()))
    return {name: gradient.abs() for name, gradient in zip(weights, gradients, strict=True)}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return empty(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def comparison(store: Path) -> bench.Comparison:
    return bench.compare(**METHODS, store=store, progress=False)


def empty(folder: Path) -> Path:
    """The folder with a store in it, which takes MLflow seconds to create."""
    (folder / "mlflow.db").write_bytes(small_store.empty())
    return folder


def runs(folder: Path) -> set[str]:
    """The runs of trials in a store."""
    database = sqlite3.connect(folder / "mlflow.db")
    query = f"SELECT run_uuid FROM tags WHERE key = '{names.KIND}' AND value = '{names.TRIAL}'"
    return {run for (run,) in database.execute(query)}


def test_the_command_line_trains_the_same_trials(
    comparison: bench.Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(VARIABLE, f"sqlite:///{empty(tmp_path)}/mlflow.db")
    assert main(["run", *COMMAND]) == 0
    other = bench.frame()
    numbers = ["run_key", "method", "seed", "weights_sha256", "mask_sha256", "test_accuracy", "stored_parameters"]
    pd.testing.assert_frame_equal(comparison.frame[numbers], other[numbers])

    before = runs(tmp_path)
    again = bench.compare(**METHODS)  # in the store of the command line, by default
    assert runs(tmp_path) == before
    pd.testing.assert_frame_equal(again.frame, other)
    capsys.readouterr()
    assert main(["table"]) == 0
    printed = capsys.readouterr().out.rstrip("\n")
    shown = "Shown: methods freeze, snip; rates 0.9, 0.99. All statistics are those of the whole store.\n\n"
    assert again.table().rstrip("\n").replace(shown, "") == printed


def test_frame(comparison: bench.Comparison) -> None:
    frame = comparison.frame
    trials = list(zip(frame["method"], frame["rate"], frame["seed"], strict=True))
    methods = [("dense", ["0"]), ("freeze", ["0.9", "0.99"]), ("snip", ["0.9", "0.99"])]
    assert trials == [(method, rate, seed) for method, rates in methods for rate in rates for seed in (0, 1)]
    assert set(frame["outcome"]) == {"done"}
    assert frame["rate_value"].dtype == float and frame["seed"].dtype == int
    assert (frame["spec.epochs"] == 1).all() and (frame["dataset"] == "digits").all()


def test_curves(comparison: bench.Comparison) -> None:
    curves = comparison.curves
    assert len(curves) == 2 * len(comparison.frame)
    assert list(curves["epoch"]) == [0, 1] * len(comparison.frame)
    assert list(curves.columns[:8]) == [
        "run_key", "dataset", "model", "method", "background", "rate", "rate_value", "seed",
    ]  # fmt: skip
    last = curves[curves["epoch"] == 1].set_index("run_key")["validation_accuracy"]
    final = comparison.frame.set_index("run_key")["validation_accuracy"]
    assert dict(last) == dict(final)


def test_answer_and_tables(comparison: bench.Comparison) -> None:
    assert comparison.answer.count("\n") == 0 and "freezing and pruning SNIP's weights" in comparison.answer
    assert str(comparison) == comparison.answer
    assert comparison.table(format="csv").splitlines()[0].startswith("record,dataset,model,")
    assert comparison._repr_markdown_().startswith(f"- {comparison.answer}")
    assert comparison._repr_html_().startswith("<ul><li>At 0.9 and 0.99 ")
    assert f"10 trials: 10 done; store {comparison.store}" in comparison._repr_html_()
    assert repr(comparison) == (
        f"Comparison(store='{comparison.store}', name='digits-lenet-300-100', reference='snip')"
    )


def test_plots(comparison: bench.Comparison) -> None:
    start = comparison.plot("start", margin_points=2.5)
    assert start.axes[0].get_xlabel() == "largest rate within 2.5 points of dense"
    assert "Largest rate within 2.5 points of" in comparison.table(part="start", margin_points=2.5)
    for kind in ("difference", "accuracy", "gradients"):
        figure = comparison.plot(kind)
        assert isinstance(figure, Figure)
        assert figure._repr_png_().startswith(b"\x89PNG")


def test_a_choice_that_is_none(comparison: bench.Comparison) -> None:
    with pytest.raises(ValueError, match=r"^unknown plot 'acuracy': .*did you mean accuracy\?$"):
        comparison.plot("acuracy")
    with pytest.raises(ValueError, match=r"^unknown metric of plot accuracy 'loss'"):
        comparison.plot("accuracy", metric="loss")
    with pytest.raises(ValueError, match=r"^unknown method 'snp': .*did you mean snip\?$"):
        comparison.table(reference="snp")
    with pytest.raises(ValueError, match=r"^unknown format 'markdown'"):
        comparison.table(format="markdown")
    with pytest.raises(ValueError, match=r"^margin 0: must be above 0$"):
        comparison.table(margin=0)
    with pytest.raises(ValueError, match=r"^margin-points 2 of the table: must be left out; it is of part and plot st"):
        comparison.table(margin_points=2)
    with pytest.raises(ValueError, match=r"^margin-points 0: must be above 0 and below 100$"):
        comparison.plot("start", margin_points=0)


def test_fewer_seeds_are_shown_with_all_that_the_store_has(comparison: bench.Comparison, store: Path) -> None:
    before = runs(store)
    part = bench.compare(**{**METHODS, "methods": "snip", "rates": 0.9, "seeds": [1]}, store=store, progress=False)
    assert runs(store) == before
    assert list(part.frame["method"]) == ["dense", "snip"] and set(part.frame["seed"]) == {1}
    assert "(n = 2)" in part.table()
    assert "| freeze" not in part.table(part="accuracy")


def test_own_code_and_arrays(store: Path) -> None:
    own = {"data": {"noise": ARRAYS}, "model": Small, "methods": largest_gradient, **SMALL, "store": store}
    first = bench.compare(**own)
    assert list(first.frame["method"]) == ["dense", "largest-gradient-freeze", "largest-gradient-prune"]
    assert set(first.frame["dataset"]) == {"noise"} and set(first.frame["model"]) == {"Small"}
    assert (first.name, first.reference) == ("noise-Small", "largest-gradient-prune")
    before = runs(store)
    tensors = tuple((torch.from_numpy(x), torch.from_numpy(y)) for x, y in ARRAYS)
    again = bench.compare(**{**own, "data": {"noise": tensors}})
    assert runs(store) == before
    pd.testing.assert_frame_equal(again.frame, first.frame)
    assert first.frame.loc[1, "spec.sources"] is not None


def test_the_store_calls_a_method_otherwise(store: Path) -> None:
    """A method is its record: under another name it is the same trial, and shown by the name of this call."""
    own = {"data": ARRAYS, "model": Small, **SMALL, "store": store, "dense": False}
    first = bench.compare(**own, methods={"one": bench.methods.METHODS["magnitude-prune"]})
    before = runs(store)
    second = bench.compare(**own, methods={"two": bench.methods.METHODS["magnitude-prune"]})
    assert runs(store) == before
    assert list(first.frame["method"]) == ["one"] and list(second.frame["method"]) == ["two"]
    assert "| two " in second.table() and "| one " not in second.table()


def test_trials_that_fail_are_named(tmp_path: Path) -> None:
    own = {"data": ARRAYS, "model": Small, **SMALL, "store": empty(tmp_path), "dense": False}
    with pytest.warns(RuntimeWarning, match=r"^failed: .*: 2 of the sweep's trials: no-score-freeze 0\.5 seed 0, "):
        comparison = bench.compare(**own, methods=no_score)
    assert list(comparison.frame["outcome"]) == ["failed", "failed"]


def no_score(model: nn.Module, batches: Any, loss: Any, generator: Any) -> dict[str, torch.Tensor]:
    """A criterion that is none."""
    return {}


WRONG = [
    ({"methods": "frezee"}, "unknown method 'frezee'"),
    ({"model": "lenet"}, "unknown model 'lenet'"),
    ({"model": nn.Linear(3, 3)}, "model of type Linear: must be a name, or a function or class that has one$"),
    ({"model": lambda classes: nn.Linear(3, classes)}, "model <lambda>: must be a name, or a function or class"),
    ({"data": "digit"}, "unknown data set 'digit'"),
    ({"data": 3}, r"data of int: must be a name, \(\(x_train, y_train\), \(x_test, y_test\)\) of arrays"),
    ({"data": {"digits": ARRAYS}}, "data set 'digits': must be a name not yet taken$"),
    ({"data": ((IMAGES / 255, LABELS), ARRAYS[1])}, "data set data: train images are float64: must be uint8"),
    ({"data": {"mine": ((IMAGES, LABELS[:9]), ARRAYS[1])}}, "data set mine: train labels: 9 for 60 images"),
    ({"rates": 1.5}, "rate 1.5: must be 0 <= rate < 1"),
    ({"seeds": 0}, "seeds '0'"),
    ({"epochs": 0}, "epochs 0: must be"),
    ({"epoch": 1}, r"unknown argument 'epoch': .*did you mean epochs\?"),
    ({"device": "gpu"}, "device 'gpu': must be one of auto, cpu, cuda"),
    ({"executor": "rya"}, "executor 'rya': must be one of local, ray"),
    ({"max_retries": 2}, "max-retries 2 with executor local"),
    ({"cpus_per_trial": 0}, "threads 0: must be a whole number >= 1"),
    ({"name": "a\\nb"}, "name"),
    ({"store": "sqlite:///"}, "store sqlite:///: must name a file"),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG)
def test_what_is_wrong_is_one_line_and_nothing_is_written(
    arguments: dict[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=f"^{message}") as error:
        bench.compare(**{"seeds": 1, "epochs": 1, "rates": 0.9, **arguments})
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_no_store(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"^no store at sqlite:///{tmp_path}/mlflow.db"):
        bench.frame(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert bench.frame(empty(tmp_path)).empty


INTERRUPTED = """
import os, signal, sqlite3, sys, threading, time
import bench

def interrupt():
    done = 0
    while not done:
        time.sleep(0.1)
        with sqlite3.connect(sys.argv[1] + "/mlflow.db") as database:
            done = database.execute("SELECT count(*) FROM runs WHERE status = 'FINISHED'").fetchone()[0]
    os.kill(os.getpid(), signal.SIGINT)

threading.Thread(target=interrupt, daemon=True).start()
try:
    bench.compare(seeds=99, epochs=1, store=sys.argv[1], progress=False)
except KeyboardInterrupt:
    outcomes = set(bench.frame(sys.argv[1])["outcome"])
    print(outcomes)
"""


def test_an_interrupt_keeps_what_has_finished(tmp_path: Path) -> None:
    command = [sys.executable, "-c", INTERRUPTED, str(empty(tmp_path))]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env={**os.environ}, timeout=300)
    assert (done.stdout, done.returncode) == ("{'done'}\n", 0), done.stderr
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
