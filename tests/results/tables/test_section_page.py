"""What a section of the report says, and what it leaves out."""

from __future__ import annotations

from typing import Any

import pytest
from rendered import render
from trial_frames import frame, small, trial

from bench import names


def test_bold_is_the_best_of_the_store_not_of_what_is_shown() -> None:
    assert "**" in render(frame(small()), methods=["freeze"])
    assert "**" not in render(frame(small()), methods=["grasp"])


def test_a_method_alone_at_its_rate_is_not_the_best() -> None:
    assert "**" not in render(frame([trial("snip", "0.9", s, 0.9) for s in range(2)]))


def test_a_reference_that_is_not_there_is_said() -> None:
    made = render(frame([trial("freeze", "0.9", 0, 0.9)]))
    assert (
        "No trial of the reference snip in this section, so no method is compared with it; the section has freeze."
        in made
    )


def test_dense_alone() -> None:
    made = render(frame([trial("dense", "0", s, 0.9) for s in range(2)]))
    assert "Dense baseline (rate 0): 90.00 ± 0.00 %, n = 2." in made


def test_one_seed_has_no_deviation_and_no_test() -> None:
    made = render(frame([trial("snip", "0.9", 0, 0.9), trial("freeze", "0.9", 0, 0.91)]))
    assert "no test: n < 2" in made
    assert "Without two pairs nothing can be tested." in made
    assert "nan" not in made


def test_a_cell_without_any_value() -> None:
    rows = [trial("snip", "0.9", s, None, outcome=names.DIVERGED, reason="loss is inf") for s in (0, 1)]
    made = render(frame([*rows, trial("freeze", "0.9", 0, 0.9), trial("freeze", "0.9", 1, 0.8)]))
    assert "– (n = 0, 2 diverged)" in made
    assert "snip, rate 0.9: seeds 0–1 diverged (loss is inf)" in made
    assert "nan" not in made


@pytest.mark.parametrize(("n", "verdict"), [(7, "is too few: no entry can be marked"), (8, "is enough")])
def test_the_report_says_what_an_exact_test_can_reach(n: int, verdict: str) -> None:
    rates = ("0.5", "0.6", "0.7", "0.8", "0.9")
    rows = [trial(m, q, s, b + s / 100) for m, b in (("snip", 0.5), ("freeze", 0.6)) for q in rates for s in range(n)]
    made = render(frame(rows), test="wilcoxon")
    assert f"5 comparisons at 0.05 need n ≥ 8, and n = {n} {verdict}" in made
    assert ("n too small" in made) is (n == 7)
    assert (" ↑ " in made) is (n == 8)


def test_zero_has_no_minus_sign() -> None:
    rows = [trial("snip", "0.9", s, 0.9) for s in range(3)] + [
        trial("freeze", "0.9", s, 0.9 - 1e-6 * s) for s in range(3)
    ]
    made = render(frame(rows))
    assert "+0.00 [−0.00" not in made
    assert "+0.00 [+0.00, +0.00]" in made


def test_a_margin_under_two_images_is_warned_of() -> None:
    assert "Warning: under two test images" in render(frame(small()), test_images={"digits": 360})
    assert "Warning: under two test images" not in render(frame(small()), test_images={"digits": 400})


def test_unequal_counts_and_initial_weights_are_warned_of() -> None:
    rows = [trial("snip", "0.9", 0, 0.9), trial("freeze", "0.9", 0, 0.9)]
    rows[1] |= {names.STORED_PARAMETERS: 1_101.0, "init_sha256": "other"}
    made = render(frame(rows))
    assert "at rate 0.9 the methods do not store equally many parameters (1,100 to 1,101)" in made
    assert "seed 0: initial weights differ between trials of one seed" in made
    assert "Warning" not in render(frame(small()))


def test_lower_is_better_for_a_loss_and_it_has_no_points() -> None:
    rows = [
        trial(m, "0.9", s, 0.9) | {names.TRAIN_LOSS: v + s / 10}
        for m, v in (("snip", 1.0), ("freeze", 0.5))
        for s in (0, 1)
    ]
    made = render(frame(rows), metric=names.TRAIN_LOSS, margin=0.1)
    assert "**0.55 ± 0.07071**" in made
    assert "Last epoch: training loss, mean over the images: mean" in made
    assert "points" not in made
    assert "This is not the primary figure" in made


def lost(method: str, rate: str, seed: int) -> dict[str, Any]:
    return trial(method, rate, seed, None, outcome=names.DIVERGED, reason="loss is inf")


def test_bold_is_for_cells_with_every_seed() -> None:
    levels = (("snip", 0.90), ("freeze", 0.91))
    rows = [trial(method, "0.9", seed, level) for method, level in levels for seed in (0, 1)]
    rows += [trial("grasp", "0.9", 0, 0.98), lost("grasp", "0.9", 1)]
    made = render(frame(rows))
    assert "| 98.00 (n = 1, 1 diverged)" in made
    assert "**91.00 ± 0.00**" in made
    assert "among methods with every seed" in made


@pytest.mark.parametrize("method", ["snip", "grasp"])
def test_no_bold_where_one_method_or_none_has_every_seed(method: str) -> None:
    rows = [trial("freeze", "0.9", seed, 0.9) for seed in (0, 1)] + [trial(method, "0.9", 0, 0.98)]
    assert "**" not in render(frame(rows))
    assert "Bold" not in render(frame(rows))


def test_the_legend_lists_the_marks_that_occur() -> None:
    for marks in ("Bold: ", "↑, ↓: higher, lower than snip", "≈: equivalent to snip", "†k: in k seeds"):
        assert marks in render(frame(small()))
    upwards = render(frame(small()), methods=["freeze"], rates=["0.9"])
    assert "↑: higher than snip" in upwards
    assert not any(mark in upwards for mark in ("↓", "≈", "†"))
    plain = render(frame([trial(m, "0.9", 0, a) for m, a in (("snip", 0.9), ("freeze", 0.8))]))
    assert "Bold: the highest mean of its rate among methods with every seed.\n" in plain


@pytest.mark.parametrize("filters", [{}, {"rates": ["0.9"]}])
def test_a_section_without_a_finished_trial_is_a_line_and_its_exclusions(filters: dict[str, Any]) -> None:
    rows = [lost(method, "0.9", seed) for method in ("snip", "freeze") for seed in (0, 1)]
    rows += [trial("snip", "0.5", 0, 0.9)] if filters else []
    made = render(frame(rows), **filters)
    assert f"No trial {'shown ' if filters else ''}of this section finished.\n" in made
    assert "- snip, rate 0.9: seeds 0–1 diverged (loss is inf)" in made
    assert "|--" not in made


def test_a_figure_that_no_trial_has_is_not_a_trial_that_did_not_finish() -> None:
    made = render(frame([trial("snip", "0.9", 0, 0.9)]), metric=names.PEAK_MEMORY)
    assert "No trial of this section has the figure peak_memory_bytes." in made


def test_percent_of_dense_says_a_common_n_once() -> None:
    rows = [trial(m, q, s, 0.9) for m, q in (("dense", "0"), ("snip", "0.9"), ("freeze", "0.9")) for s in (0, 1)]
    made = render(frame(rows))
    assert "mean over the n = 2 seeds both have, with its 95 % t interval." in made
    assert "| snip     | 100.00 |" in made
    assert "mean over the n seeds both have, with its 95 % t interval." in render(frame(small()))
    assert "97.83 [97.67, 98.00] (n = 5)" in render(frame(small()))


def test_no_percent_of_a_dense_baseline_that_did_not_finish() -> None:
    assert "Percent of the dense" not in render(frame([lost("dense", "0", 0), trial("snip", "0.9", 0, 0.9)]))
