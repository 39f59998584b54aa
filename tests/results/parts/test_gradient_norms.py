"""The norms of the gradient by method and rate, and what stands there if a trial has none."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from rendered import view
from trial_frames import frame, trial

from bench import names
from bench.results.frame.errors import NothingToShowError
from bench.results.parts.part_page import render

LIVE, ALL = names.GRAD_NORM_LIVE, names.GRAD_NORM_ALL


def figures(live: float, every: float) -> dict[str, float]:
    """Before training; in training half of it."""
    of = ((LIVE, live), (ALL, every))
    return {names.initial(n): v for n, v in of} | {names.mean(n): v / 2 for n, v in of}


def store() -> list[dict[str, Any]]:
    rows = [trial("dense", "0", seed, 0.99) | figures(4.0 + seed, 4.0 + seed) for seed in range(2)]
    for seed in range(2):
        rows.append(trial("freeze", "0.9", seed, 0.97) | figures(2.0 + seed, 8.0))
        rows.append(trial("snip", "0.9", seed, 0.95) | figures(1.0 + seed, 3.0))
    return [*rows[:-1], trial("snip", "0.9", 1, None, outcome=names.DIVERGED, reason="loss is nan at epoch 2")]


def test_a_row_for_each_method_and_rate_and_dense_first() -> None:
    lines = [line for line in render(frame(store()), view(), "gradients").splitlines() if line.startswith("|")]
    rows = [[entry.strip() for entry in line.strip("|").split("|")] for line in lines]
    columns = ["live, before training", "live, over the epochs", "all, before training", "all, over the epochs"]
    assert rows[0] == ["method", "rate", *columns]
    assert rows[2:] == [
        ["dense", "0", "4.5 ± 0.7071", "2.25 ± 0.3536", "4.5 ± 0.7071", "2.25 ± 0.3536"],
        ["freeze", "0.9", "2.5 ± 0.7071", "1.25 ± 0.3536", "8 ± 0", "4 ± 0"],
        ["snip", "0.9", *(f"{value} (n = 1, 1 diverged)" for value in ("1", "0.5", "3", "1.5"))],
    ]


def test_filters_and_the_names_of_a_paper() -> None:
    made = render(frame(store()), view(methods=["freeze"]), "gradients", format="latex")
    assert "Gradient norms: LeNet-5-Caffe on Digits." in made and "FreezeNet & 0.9 & 2.5 +- 0.7071 &" in made
    assert "SNIP" not in made and "$\\|$m$\\cdot$g$\\|$$_2$" in made


def test_every_figure_of_the_gradient_is_a_record() -> None:
    rows = list(csv.DictReader(io.StringIO(render(frame(store()), view(), "gradients", format="csv"))))
    (row,) = [r for r in rows if (r["label"], r["metric"]) == ("freeze", names.mean(LIVE))]
    assert (row["mean"], float(row["sd"]), row["n"]) == ("1.25", pytest.approx(0.125**0.5), "2")
    assert len(rows) == 3 * 14


def test_a_store_without_them_has_no_such_part() -> None:
    with pytest.raises(NothingToShowError, match="part gradients: nothing that is shown of the store has it"):
        render(frame([trial("snip", "0.9", 0, 0.9)]), view(), "gradients")
