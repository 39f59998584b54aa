"""Intervals over seeds and test images in the tables, and in the words around them."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest
from rendered import render, view
from trial_frames import METHODS, frame, small, trial

from bench.results.parts import part_page
from bench.results.parts.latex_words import escaped
from bench.results.statistics.analysis import analyses
from bench.results.statistics.pooled import pooled
from bench.results.statistics.stats import Interval, t_interval
from bench.results.statistics.two_way import two_way_interval
from bench.results.tables.images import two_way_words
from bench.test_right import decoded, encoded


def kept(lacking: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """Three methods on four seeds and 60 test images; some have not kept which they get right."""
    rng, rows = np.random.default_rng(5), []
    for method, odds in {"dense": 0.97, "freeze": 0.93, "snip": 0.9, "grasp": 0.8}.items():
        for seed in range(4):
            right = rng.random(60) < odds
            row = trial(method, "0" if method == "dense" else "0.9", seed, float(right.mean()))
            rows.append(row if method in lacking else row | {"test_right": encoded(right)})
    return rows


def words(rows: list[dict[str, Any]], format: str = "github") -> str:
    """The table, without the spaces that align it."""
    return re.sub(" +", " ", render(frame(rows), format=format))


def test_a_column_and_its_words() -> None:
    made = words(kept())
    assert (
        "seeds × images: the 95 % interval for other seeds and other test images of their kind; the others are" in made
    )
    (analysis,) = analyses(frame(kept()), view())
    (c,) = analysis.primary.comparisons
    (row,) = [line for line in made.splitlines() if line.startswith("| freeze | snip |")]
    ends = [f"{100 * end:+.2f}".replace("-", "−") for end in (c.two_way.low, c.two_way.high)]
    assert f"| [{', '.join(ends)}] |" in row
    assert c.two_way.low <= c.interval.low and c.two_way.high >= c.interval.high
    assert c.turned.two_way == c.two_way.negative


def test_where_it_is_lacking_the_words_say_why() -> None:
    made = words(two_criteria(lacking=("grasp",)))
    assert f"seeds × images: {two_way_words.WHAT}; –: {two_way_words.LACKING}; the others" in made
    assert f"×: seeds × images, {two_way_words.WHAT}; without one, {two_way_words.LACKING}; the first is" in made


GRASP_FREEZE = {**METHODS["grasp"], "background": "freeze"}


def two_criteria(lacking: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """The same with the weights that GraSP chooses frozen too, at five seeds of which one is GraSP's alone."""
    rng, rows = np.random.default_rng(6), kept(lacking)
    for seed in range(5):
        right = rng.random(60) < 0.85
        row = trial("grasp-freeze", "0.9", seed, float(right.mean()), record=GRASP_FREEZE)
        rows.append(row | {"test_right": encoded(right)})
    return rows


def test_pooled_over_criteria_by_hand() -> None:
    """Differences are averaged over the criteria image by image, then as those of one pair."""
    rows = two_criteria()
    (analysis,) = analyses(frame(rows), view())
    (p,) = pooled(analysis.primary.comparisons, analysis.by_key)
    bits = {(r["method"], r["seed"]): decoded(r["test_right"]).astype(float) for r in rows}
    z = np.array([
        (bits["freeze", s] - bits["snip", s] + bits["grasp-freeze", s] - bits["grasp", s]) / 2 for s in range(4)
    ])  # fmt: skip
    assert (p.seeds, p.difference) == ((0, 1, 2, 3), pytest.approx(z.mean(), rel=1e-12))
    assert (p.interval.low, p.interval.high) == pytest.approx(_ends(t_interval(z.mean(axis=1))), rel=1e-9)
    assert (p.two_way.low, p.two_way.high) == pytest.approx(_ends(two_way_interval(z)), rel=1e-9)
    assert "| 0.9 | 2 pairs: grasp, snip | 4 | " in words(rows)
    (section,) = json.loads(render(frame(rows), format="json"))["sections"]
    (record,) = section["freeze_minus_prune_pooled"]
    assert (record["references"], record["two_way_low"]) == (["grasp", "snip"], p.two_way.low)


def _ends(interval: Interval) -> tuple[float, float]:
    return interval.low, interval.high


def test_a_pair_that_shares_no_seed_is_left_out_of_the_pooled_row_and_named() -> None:
    synflow = {name: {**METHODS["grasp"], "criterion": "synflow", "background": b}
               for name, b in (("synflow", "prune"), ("synflow-freeze", "freeze"))}  # fmt: skip
    bits = encoded(np.arange(60) % 7 > 0)
    far = [trial(name, "0.9", seed, decoded(bits).mean(), record=record) | {"test_right": bits}
           for name, record in synflow.items() for seed in (7, 8)]  # fmt: skip
    (alone,) = analyses(frame(two_criteria()), view())
    (analysis,) = analyses(frame([*two_criteria(), *far]), view())
    (was,), (p,) = (pooled(a.primary.comparisons, a.by_key) for a in (alone, analysis))
    assert [c.reference for c in p.left_out] == ["synflow"] and not was.left_out
    assert (p.seeds, p.difference, p.interval, p.two_way) == (was.seeds, was.difference, was.interval, was.two_way)
    assert "| 0.9 | 2 pairs: grasp, snip; left out: synflow | 4 | " in words([*two_criteria(), *far])
    (section,) = json.loads(render(frame([*two_criteria(), *far]), format="json"))["sections"]
    assert section["freeze_minus_prune_pooled"][0]["left_out"] == ["synflow"]


def test_pairs_without_a_seed_in_common_are_not_pooled() -> None:
    rows = [
        row for row in two_criteria() if row["method"] == "dense" or ("grasp" in row["method"]) == (row["seed"] > 1)
    ]
    (analysis,) = analyses(frame(rows), view())
    (p,) = pooled(analysis.primary.comparisons, analysis.by_key)
    assert (p.pairs, p.seeds, len(p.left_out)) == ((), (), 2) and np.isnan(p.difference) and np.isnan(p.two_way.low)


@pytest.mark.parametrize("part", ["difference", "reference"])
def test_the_table_for_a_paper_has_the_interval_over_both(part: str) -> None:
    made = part_page.render(frame(two_criteria()), view(), part, format="latex")
    (analysis,) = analyses(frame(two_criteria()), view())
    shown = analysis.shown_primary if part == "difference" else analysis.shown_secondary
    assert shown
    for c in shown:
        ends = [f"{100 * end:+.2f}".replace("-", "−") for end in (c.two_way.low, c.two_way.high)]
        assert escaped(f"[{ends[0]}, {ends[1]}]") in made


def test_nothing_is_pooled_of_one_criterion_nor_without_images() -> None:
    assert "pooled" not in render(frame(kept())) and "pooled" not in render(frame(two_criteria(lacking=("snip",))))


@pytest.mark.parametrize("format", ["github", "latex", "csv", "html", "json"])
def test_a_store_without_images_has_the_table_that_it_had(format: str) -> None:
    for rows in (small(), kept(lacking=("dense", "freeze", "snip", "grasp"))):
        assert not any(word in words(rows, format) for word in ("seeds × images", "two_way", "×:", "pooled"))


def test_percent_of_dense_has_both_intervals() -> None:
    (row,) = [line for line in words(kept()).splitlines() if line.startswith("| snip |") and ", × [" in line]
    assert row.count("[") == 2


def test_the_machine_readable_forms_have_them_where_they_exist() -> None:
    (section,) = json.loads(render(frame(kept(lacking=("grasp",))), format="json"))["sections"]
    (pair,) = section["freeze_minus_prune"]
    assert pair["two_way_low"] <= pair["low"] <= pair["difference"] <= pair["high"] <= pair["two_way_high"]
    against = {c["method"]: "two_way_low" in c for c in section["comparisons"]}
    assert against == {"grasp": False}
    cells = {cell["method"]: "percent_of_dense_two_way_low" in cell for cell in section["cells"]}
    assert cells == {"dense": False, "freeze": True, "grasp": False, "snip": True}
    header, *rows = render(frame(kept(lacking=("grasp",))), format="csv").splitlines()
    assert header.endswith(",percent_of_dense_two_way_low,percent_of_dense_two_way_high")
    assert sum(row.endswith(",,") for row in rows) == 2
