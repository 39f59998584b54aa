"""Gradients over the epochs, accuracy over the stored bytes, and all plots of a real store from the command line."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from rendered import plot
from small_store import Store
from trial_frames import frame, spec_of, trial

from bench import names
from bench.api import comparison
from bench.cli.cli import main
from bench.cli.requests.store import PlotKind
from bench.results.frame.history import histories
from bench.results.plots.plots import METRICS
from bench.results.plots.storage_plot import Point, front, points
from bench.results.statistics.shown_cells import excerpts
from bench.results.statistics.view import View

T1 = 12.706204736432095  # 0.975 quantile of Student's t with 1 degree of freedom
Curves = Mapping[tuple[str, str, int], Sequence[float]]  # method, rate, seed -> values from epoch 0


def gradients(curves: Curves, **more: Any) -> Figure:
    """The plot of trials with these gradient norms."""
    values = {}
    rows = []
    for (method, rate, seed), norms in curves.items():
        row = trial(method, rate, seed, 0.9) | {names.GRAD_NORM_LIVE: norms[-1]}
        rows.append(row)
        values[row["run_id"]] = norms

    def found(run_ids: Sequence[str], metric: str) -> pd.DataFrame:
        assert metric == names.GRAD_NORM_LIVE
        points = [(run, epoch, value) for run in run_ids for epoch, value in enumerate(values[run])]
        return pd.DataFrame(points, columns=["run_id", "epoch", "value"])

    return plot(frame(rows), "gradients", found, **more)


def test_the_command_and_the_call_offer_every_plot() -> None:
    assert set(get_args(comparison.PlotKind)) == set(get_args(PlotKind)) == set(METRICS)


def line(axes: Axes, label: str) -> Line2D:
    (found,) = [found for found in axes.lines if found.get_label() == label]
    return found


def notes(figure: Figure) -> str:
    return " ".join(text.get_text() for text in figure.texts).replace("\n", " ").replace("\u00a0", " ")


def test_gradients_are_geometric_means_with_intervals_of_the_logarithms() -> None:
    made = gradients({("snip", "0.9", 0): [1.0, math.e], ("snip", "0.9", 1): [math.e**2, math.e]})
    (axes,) = made.axes
    assert axes.get_yscale() == "log"
    assert list(line(axes, "snip").get_xdata()) == [0, 1]
    assert line(axes, "snip").get_ydata() == pytest.approx([math.e, math.e])
    # ln 1 and ln e² have mean 1 and sd √2, so half-width t·√2/√2; epoch 1 has no spread, so no interval.
    assert made.get_suptitle() == "" and made.subfigs[0].get_suptitle() == "digits · lenet-5-caffe"
    assert "Geometric mean, and 95 % t interval of the mean logarithm, over n = 2 seeds" in notes(made)
    three = {("snip", "0.9", s): [math.e ** (s - 1), math.e ** (2 * s - 2)] for s in (0, 2)}
    (axes,) = gradients(three).axes
    corners = {(x, round(math.log(y), 6)) for x, y in axes.collections[0].get_paths()[0].vertices}
    assert corners == {(0.0, round(s * T1, 6)) for s in (-1, 1)} | {(1.0, round(2 * s * T1, 6)) for s in (-1, 1)}


def test_a_panel_per_rate_with_the_dense_baseline_in_each() -> None:
    curves = {(m, r, 0): [1.0, 2.0] for m, r in (("snip", "0.99"), ("snip", "0.9"), ("freeze", "0.9"))}
    made = gradients({**curves, ("dense", "0", 0): [3.0, 4.0]})
    assert [axes.get_title() for axes in made.axes] == ["rate 0.9", "rate 0.99"]
    assert [[found.get_label() for found in axes.lines] for axes in made.axes] == [
        ["dense", "freeze", "snip"], ["dense", "snip"],
    ]  # fmt: skip
    assert line(made.axes[1], "dense").get_ydata() == pytest.approx([3.0, 4.0])


def test_a_wide_interval_does_not_set_the_axis() -> None:
    made = gradients({("snip", "0.9", 0): [1.0, 1e-3], ("snip", "0.9", 1): [1.0, 10.0]})
    low, high = made.axes[0].get_ylim()
    assert 0.01 < low < 0.1 and 1.0 < high < 10.0  # means 1 and 0.1; the interval has a factor of 10^25 to each side
    assert "; intervals beyond the axis are cut" in notes(made)


def test_vanished_gradients_are_left_out_and_named() -> None:
    nothing = gradients({("snip", "0.9", 0): [0.0, 0.0]})
    assert len(line(nothing.axes[0], "snip").get_xdata()) == 0 and "snip 0.9 (1 of 1 seeds)" in notes(nothing)
    made = gradients({("snip", "0.9", 0): [4.0, 0.0], ("snip", "0.9", 1): [9.0, 2.0]})
    assert line(made.axes[0], "snip").get_ydata() == pytest.approx([6.0, 2.0])
    assert "left out there: snip 0.9 (1 of 2 seeds)." in notes(made)


def storage(rows: list[dict[str, Any]], **more: Any) -> Figure:
    return plot(frame(rows), "storage", lambda *_: pytest.fail("no history is asked for"), **more)


def stored(method: str, rate: str, seed: int, accuracy: float, size: float, **narrow: float) -> dict[str, Any]:
    """A trial that takes `size` bytes, half of them with values in float16 where its accuracy is given."""
    row = trial(method, rate, seed, accuracy) | {names.STORED_BYTES: size}
    if "float16" in narrow:
        row |= {"stored_bytes_float16": size / 2, "test_accuracy_float16": narrow["float16"]}
    return row


def test_the_front_has_what_no_other_point_beats() -> None:
    (part,) = excerpts(frame([trial("snip", "0.9", 0, 0.9)]), View())
    cell = part.cells[0]
    places = [(10, 0.5), (20, 0.4), (20, 0.7), (30, 0.7), (40, 0.9), (50, 0.8), (10, 0.3)]
    shown = [Point(cell=replace(cell, values={0: value}), dtype="float32", kilobytes=size) for size, value in places]
    assert [(p.kilobytes, p.accuracy) for p in front(shown)] == [(10, 0.5), (20, 0.7), (40, 0.9)]
    assert front([]) == []


def test_storage_draws_means_intervals_and_the_front_as_steps() -> None:
    rows = [
        stored("dense", "0", 0, 0.99, 40_000), stored("snip", "0.9", 0, 0.90, 4_000),
        stored("snip", "0.9", 1, 0.94, 6_000), stored("freeze", "0.9", 0, 0.80, 5_500),
        stored("freeze", "0.99", 0, 0.70, 1_000),
    ]  # fmt: skip
    made = storage(rows)
    (axes,) = made.axes
    places = {(a.get_label(), a.get_marker()): (a.get_xdata()[0], round(a.get_ydata()[0], 6)) for a in axes.lines[1:]}
    assert places == {("snip", "s"): (5.0, 92.0), ("dense", "o"): (40.0, 99.0), ("freeze", "o"): (1.0, 70.0)}
    steps = line(axes, "Pareto front")
    assert (list(steps.get_xdata()), steps.get_drawstyle()) == ([1.0, 5.0, 40.0], "steps-post")
    assert steps.get_ydata() == pytest.approx([70, 92, 99])
    bars = [bar.get_segments()[0] for bar in axes.collections]
    assert bars == [pytest.approx(np.array([[5, 92 - 2 * T1], [5, 92 + 2 * T1]]))]  # sd √8 points, over √2
    assert "n = 1 of 2: dense; freeze 0.9, 0.99." in notes(made)


def test_narrower_values_are_points_of_their_own() -> None:
    rows = [stored("snip", "0.9", 0, 0.9, 4_000, float16=0.89), stored("freeze", "0.9", 0, 0.95, 5_000, float16=0.95)]
    made = storage(rows)
    markers = {(a.get_label(), a.get_marker()): a.get_xdata()[0] for a in made.axes[0].lines[1:]}
    assert markers == {("snip", "s"): 4.0, ("freeze", "o"): 5.0, ("snip", "v"): 2.0, ("freeze", "^"): 2.5}
    assert list(line(made.axes[0], "Pareto front").get_xdata()) == [2.0, 2.5]
    legend = [text.get_text() for text in made.legends[0].get_texts()]
    assert legend == ["freeze", "snip", "as trained (freeze, prune)", "float16 (freeze, prune)", "Pareto front"]
    (part,) = excerpts(
        frame([row | {names.VALIDATION_ACCURACY: 0.5} for row in rows]), View(metric="validation_accuracy")
    )
    assert {point.dtype for point in points(part)} == {"float32"}


def test_a_type_that_is_measured_in_fewer_seeds_than_the_same_networks_are_stored_is_told() -> None:
    rows = [stored("snip", "0.9", seed, 0.9, 4_000) for seed in range(2)]
    rows += [trial("snip", "0.9", s, 0.9, model="resnet20") | {names.STORED_BYTES: 4_000} for s in range(3)]
    assert "Not every seed" not in notes(storage(rows))  # two panels, of two and three seeds
    short = [stored("snip", "0.9", 0, 0.9, 4_000, float16=0.89), stored("snip", "0.9", 1, 0.9, 4_000)]
    assert "Not every seed is measured as float16; `bench narrow` goes on." in notes(storage(short))


def test_a_store_without_sizes_is_told() -> None:
    with pytest.raises(ValueError, match="plot storage: no trial shown has both stored_bytes and test_accuracy"):
        storage([{**trial("snip", "0.9", 0, 0.9), names.STORED_BYTES: float("nan")}])


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    made = Store(tmp_path_factory.mktemp("store") / "mlflow.db")
    for seed in range(2):
        for method, rate, level in (("dense", "0", 0.99), ("snip", "0.9", 0.9), ("freeze", "0.9", 0.95)):
            norms = [2.0 + seed, 1.0, 0.5]
            sizes = {names.STORED_BYTES: 4e4 * (1 - float(rate)), "stored_bytes_int8": 1e4 * (1 - float(rate))}
            final = {**sizes, "test_accuracy_int8": level - 0.01}
            made.add(spec_of(method, rate, seed), method, level, epochs={names.GRAD_NORM_LIVE: norms}, final=final)
    return made


def test_histories_are_in_the_order_of_the_epochs_and_finite(store: Store) -> None:
    run = store.add(spec_of("grasp", "0.9", 0), "grasp", 0.9, status="RUNNING", epochs={"train_loss": [3.0, 2.0]})
    store.client.log_metric(run, "train_loss", 9.0, timestamp=5_000, step=1)
    store.client.log_metric(run, "train_loss", float("nan"), timestamp=5_000, step=2)
    found = histories(store.uri, [run], "train_loss")
    assert found.to_dict("list") == {"run_id": [run, run], "epoch": [0, 1], "value": [3.0, 9.0]}
    empty = histories(store.uri, [run], "grad_norm_all")
    assert empty.empty and list(empty.columns) == ["run_id", "epoch", "value"]


@pytest.mark.parametrize("kind", ["gradients", "accuracy", "storage"])
def test_from_store_to_file(
    store: Store, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.uri)
    for file in ("one.svg", "two.svg", "filtered.svg"):
        filters = ["--methods", "snip", "--rates", "0.9", "--name", "main"] if file == "filtered.svg" else []
        assert main(["plot", kind, "-o", str(tmp_path / file), *filters]) == 0
    assert capsys.readouterr().out == ""
    one, two, filtered = ((tmp_path / name).read_bytes() for name in ("one.svg", "two.svg", "filtered.svg"))
    assert one == two != filtered and len(list(tmp_path.iterdir())) == 3
    assert (b"#0072b2" in one) and (b"#0072b2" in filtered)
    assert main(["plot", kind, "-o", str(tmp_path / "no.svg"), "--methods", "snap"]) == 2
    assert "did you mean snip?" in capsys.readouterr().err
    assert len(list(tmp_path.iterdir())) == 3


def test_from_store_to_the_seeds_needed(
    store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.uri)
    assert main(["power", "--difference", "1", "--methods", "freeze", "--rates", "0.9", "--name", "main"]) == 0
    made = capsys.readouterr().out
    assert (
        "a mean difference of 1.00 points to the pruned method" in made
        and "| freeze   | snip     | 0.9    | 2 " in made
    )
    assert main(["power", "--reference", "snap"]) == 2
    assert "did you mean snip?" in capsys.readouterr().err
    assert main(["power", "--methods", "snap"]) == 2
    assert "did you mean snip?" in capsys.readouterr().err
