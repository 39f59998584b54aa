"""A frame cut to some of its trials says of their bases what the whole frame says."""

from __future__ import annotations

from typing import Any

import pandas as pd
from rendered import render
from started_trials import BASE, GIVEN, base, curve, dense
from trial_frames import frame

from bench.results.frame.cut import with_bases
from bench.results.frame.sections import sections

LOSSES = {"0.9": 0.01}
STARTED = [*dense(None), *dense(BASE), *(row for m in ("snip", "freeze") for row in curve(m, BASE, LOSSES))]


def digits(whole: pd.DataFrame) -> pd.DataFrame:
    return with_bases(whole, whole["dataset"] == "digits")


def titles(cut: pd.DataFrame) -> list[str]:
    return [section.title for section in sections(cut)]


def test_the_page_of_the_cut_is_that_of_the_whole() -> None:
    rows: list[dict[str, Any]] = [*STARTED, *[base(seed, 0.97 + 0.001 * seed) for seed in range(4)], base(7)]
    cut = render(digits(frame(rows)))
    assert "trained dense on mnist, 97.15 ± 0.13 %." in cut and "share one base of 41,300 bytes" in cut
    assert "Needed first" in cut and cut == render(frame(rows[:-1]))


def test_a_base_of_another_sweep_is_known_and_opens_no_section() -> None:
    bases = [base(seed, 0.97 + 0.001 * seed, sweeps=("mnist",)) for seed in range(4)]
    whole = frame([*STARTED, *bases])
    assert titles(whole) == ["digits · lenet-5-caffe · scratch", "digits · lenet-5-caffe · pretrained on mnist",
                             "mnist · lenet-5-caffe"]  # fmt: skip
    assert titles(digits(whole)) == titles(whole)[:2]
    assert "trained dense on mnist, 97.15 ± 0.13 %." in render(digits(whole))


def test_a_base_on_the_same_data_changes_no_title() -> None:
    bases = [base(seed, dataset="digits", epochs=5, sweeps=("short",)) for seed in range(4)]
    keys = dict(enumerate(row["run_key"] for row in bases))
    rows = [{**row, "base_key": keys[row["seed"]]} for row in STARTED if "base_key" in row]
    whole = frame([*rows, *bases])
    cut = with_bases(whole, whole["base_key"] != "")
    assert titles(cut) == ["digits · lenet-5-caffe · pretrained on mnist"] and len(cut) == len(rows) + 4
    (section,) = sections(cut)
    assert sorted(section.bases["run_key"]) == sorted(keys.values())


def test_without_a_base_in_the_store_only_the_rows_are_kept() -> None:
    whole = frame([*dense(GIVEN), *[base(seed) for seed in range(2)]])
    cut = digits(whole)
    assert list(cut.columns) == list(whole.columns) and set(cut["dataset"]) == {"digits"} and len(cut) == 4
