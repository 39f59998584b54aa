"""docs/img/answer.png: freeze − prune on MNIST, from the committed figures of results/reports/mnist-study.md.

Drawn by what `plot difference` draws with, on all trials of that study's first part: the marks are those of its whole
family of 80 comparisons, of which four criteria are shown.
"""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd

from bench import names
from bench.datasets import DATASETS
from bench.results.frame.collect import DENSE, spec_columns, tidy
from bench.results.plots.plot_page import write
from bench.results.plots.plots import plot
from bench.results.statistics.view import View
from bench.trial.plugins import Catalogue
from bench.trial.spec import TrialSpec

ROOT = Path(__file__).parents[2]
STUDY = ROOT / "results" / "reports" / "mnist-study-lenet-300-100.csv"
SHOWN = ("force", "snip", "grasp", "random")
PLAIN = dict.fromkeys(("experiment", "reason", "init_sha256", "mask_sha256", "weights_sha256", "git_commit"), "")


def trial(line: dict[str, str], catalogue: Catalogue) -> dict[str, Any]:
    """A trial of the study, as the store gives it."""
    name, method = catalogue.parse(line["method"])
    data = {"dataset": "mnist", "data_hash": DATASETS["mnist"].content_hash, "model": "lenet-300-100", "epochs": 10}
    spec = TrialSpec(**data, method=method, rate=Decimal(line["rate"]), seed=int(line["seed"]))
    identity = {
        "run_id": spec.run_key,
        "run_key": spec.run_key,
        "group_key": spec.group_key,
        "outcome": line["outcome"],
        "sweeps": ("mnist-lenet-300-100",),
        "started": 0,
        "git_dirty": False,
    }
    figures = {column: float(line[column]) for column in (names.TEST_ACCURACY, names.DISCONNECTED) if line[column]}
    return {**PLAIN, **identity, **spec_columns(spec.record(), name), **figures}


def study() -> pd.DataFrame:
    """All its trials."""
    catalogue = Catalogue()
    with STUDY.open(encoding="utf-8", newline="") as file:
        return tidy([trial(line, catalogue) for line in csv.DictReader(file)])


def shown(frame: pd.DataFrame) -> list[str]:
    """The methods of the criteria shown."""
    both = {name for criterion in SHOWN for name in (criterion, f"{criterion}-freeze", f"{criterion}-prune")}
    return sorted(({*both, "freeze"} & {*frame["method"]}) - {DENSE})


def main() -> None:
    frame = study()
    view = View(methods=shown(frame), classes={"mnist": 10})
    write(plot(frame, "difference", view, lambda *_: frame), ROOT / "docs" / "img" / "answer.png")


if __name__ == "__main__":
    main()
