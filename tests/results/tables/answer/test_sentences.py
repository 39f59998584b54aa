"""The answer in sentences: every verdict, sign, interval and doubt, word by word."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from rendered import view
from started_trials import BASE
from started_trials import base as base_trial
from trial_frames import METHODS, frame, small, trial

from bench import names
from bench.results.frame.margin import OfErrors
from bench.results.statistics.analysis import analyses
from bench.results.tables.answer.sentences import answer, how_to_read
from bench.results.tables.answer.verdicts import rates

SPREAD = (-1.0, -0.5, 0.0, 0.5, 1.0)
GRASP_FREEZE = {**METHODS["grasp"], "background": "freeze"}
CUT = "some seeds of a side are near chance and others are not: mean, interval and tests describe neither group"


def said(rows: list[dict[str, Any]], **options: Any) -> list[str]:
    return answer(frame(rows), view(classes={"digits": 10}, **options))


def pair(rate: str, points: float, spread: float, base: float = 0.5, seeds: int = 5) -> list[dict[str, Any]]:
    """SNIP and FreezeNet at a rate; the differences lie evenly about a mean, both in points."""
    frozen = [base + (points + spread * z) / 100 for z in SPREAD[:seeds]]
    rows = [trial("snip", rate, seed, base) for seed in range(seeds)]
    return rows + [trial("freeze", rate, seed, accuracy) for seed, accuracy in enumerate(frozen)]


def lost(method: str, rate: str, seed: int, outcome: str = names.DIVERGED) -> dict[str, Any]:
    return trial(method, rate, seed, None, outcome=outcome, reason="loss is inf")


def test_a_gain_and_rates_without_an_established_difference() -> None:
    rows = [row for rate in ("0.9", "0.95", "0.99") for row in pair(rate, 0.1, 3.0)]
    assert said([*rows, *pair("0.995", 6.1, 3.566)]) == [
        "At 0.995 freezing SNIP's weights gains 6.1 points [2.6, 9.6]; "
        "at 0.9 to 0.99 no difference is established with 5 seeds."
    ]


def test_a_loss_has_its_interval_turned() -> None:
    assert said(pair("0.9", -2.2, 1.0)) == ["At 0.9 freezing SNIP's weights loses 2.2 points [1.2, 3.2]."]


def test_the_interval_of_no_established_difference_is_not_said_nor_is_a_sign() -> None:
    assert said(pair("0.9", -0.1, 3.0)) == [
        "At 0.9 no difference between freezing and pruning SNIP's weights is established with 5 seeds."
    ]


def test_many_gains_are_said_by_the_least_and_the_largest() -> None:
    rows = [*pair("0.9", 4.0, 0.5), *pair("0.95", 3.0, 0.5), *pair("0.99", 8.0, 0.5)]
    assert said(rows) == [
        "At 0.9 to 0.99 freezing SNIP's weights gains 3.0 points [2.5, 3.5] (at 0.95) to 8.0 points [7.5, 8.5] "
        "(at 0.99)."
    ]


def test_two_gains_are_said_one_by_one() -> None:
    assert said([*pair("0.9", 4.0, 0.5), *pair("0.95", 3.0, 0.5)]) == [
        "At 0.9 freezing SNIP's weights gains 4.0 points [3.5, 4.5] and at 0.95 3.0 points [2.5, 3.5]."
    ]


def test_equivalence_is_said_if_it_is_established() -> None:
    assert said([*pair("0.9", 0.0, 0.1), *pair("0.99", 0.1, 3.0)]) == [
        "At 0.9 freezing and pruning SNIP's weights are equivalent within ±0.5 points (5 seeds); "
        "at 0.99 no difference is established with 5 seeds."
    ]
    assert "equivalent" not in said(pair("0.9", 0.0, 0.1), margin=None)[0]


def test_a_difference_within_the_margin() -> None:
    assert said(pair("0.9", 0.2, 0.1)) == [
        "At 0.9 freezing SNIP's weights gains 0.20 points [0.10, 0.30], within the margin of ±0.5 points."
    ]


def test_every_criterion_has_a_line_and_the_reference_is_first() -> None:
    grasp = [trial("grasp", "0.9", s, 0.5) for s in range(5)]
    frozen = [trial("grasp-freeze", "0.9", s, 0.5 + (4 + z) / 100, record=GRASP_FREEZE) for s, z in enumerate(SPREAD)]
    assert said([*grasp, *frozen, *pair("0.9", -2.2, 1.0)]) == [
        "At 0.9 freezing SNIP's weights loses 2.2 points [1.2, 3.2].",
        "At 0.9 freezing GraSP's weights gains 4.0 points [3.0, 5.0].",
    ]


def test_the_words_of_the_small_store() -> None:
    assert said(small()) == [
        "At 0.9 freezing SNIP's weights gains 1.95 points [1.85, 2.05]; at 0.99 it gains 0.03 points [0.01, 0.05], "
        "within the margin of ±0.5 points. "
        "But at 0.99 2 of 5 pruned networks are disconnected (without them: the same verdict)."
    ]


def test_filters_show_fewer_rates_with_the_verdicts_of_the_store() -> None:
    rows = [*pair("0.9", 4.0, 0.5), *pair("0.95", 0.1, 3.0), *pair("0.99", 4.0, 0.5), *pair("0.995", 4.0, 0.5)]
    assert said(rows, rates=["0.9", "0.99", "0.995"])[0].startswith("At 0.9, 0.99 and 0.995 freezing SNIP's weights")
    assert said(rows, rates=["0.9", "0.95"]) == [
        "At 0.9 freezing SNIP's weights gains 4.0 points [3.5, 4.5]; at 0.95 no difference is established with 5 seeds."
    ]


def test_one_seed_says_nothing() -> None:
    assert said(pair("0.9", 3.0, 1.0, seeds=1)) == [
        "At 0.9 there is one seed: nothing can be said of freezing and pruning SNIP's weights."
    ]


def test_no_seed_in_common_says_nothing() -> None:
    assert said([trial("snip", "0.9", 0, 0.5), trial("freeze", "0.9", 1, 0.5)]) == [
        "At 0.9 no seed has both figures: nothing can be said of freezing and pruning SNIP's weights."
    ]


def test_the_same_figures() -> None:
    assert said(pair("0.9", 0.0, 0.0)) == [
        "At 0.9 freezing and pruning SNIP's weights have the same figure at each of 5 seeds."
    ]


def test_an_exact_test_that_cannot_mark_says_so() -> None:
    assert said(pair("0.9", 3.0, 0.5), test="wilcoxon") == [
        "At 0.9 no difference between freezing and pruning SNIP's weights can be established with 5 seeds: "
        "too few for this exact test."
    ]


def test_different_numbers_of_seeds() -> None:
    assert said([*pair("0.9", 0.1, 3.0), *pair("0.99", 0.1, 3.0, seeds=3)])[0].endswith("with 3 to 5 seeds.")


def test_diverged_and_failed_trials_are_named_and_what_divergence_would_change() -> None:
    rows = [row for row in pair("0.9", 6.1, 1.0) if (row["method"], row["seed"]) not in {("freeze", 4), ("snip", 3)}]
    assert said([*rows, lost("freeze", "0.9", 4), lost("snip", "0.9", 3, names.FAILED)]) == [
        "At 0.9 freezing SNIP's weights gains 5.6 points [4.4, 6.8]. But at 0.9 1 frozen trial diverged and 1 pruned "
        "trial failed (with divergence counted as chance: no difference is established)."
    ]


def test_a_side_that_is_wholly_at_chance_is_named() -> None:
    rows = [trial("snip", "0.9", s, 0.1 + s / 1000) for s in range(5)]
    rows += [trial("freeze", "0.9", s, 0.6 + s / 50) for s in range(5)]
    assert said(rows) == [
        "At 0.9 freezing SNIP's weights gains 53.8 points [50.1, 57.5]. But at 0.9 no seed of one side, or of either, "
        "trained: the difference says at most that the other side trains."
    ]


def test_a_mixture_is_named() -> None:
    rows = pair("0.9", 3.0, 0.5)
    rows[0] = trial("snip", "0.9", 0, 0.1)
    assert said(rows)[0].endswith(f"But at 0.9 {CUT}; without the seeds near chance freezing is higher at 0.9.")


def test_other_figures_have_their_words_unit_and_direction() -> None:
    rows = [row | {names.TRAIN_LOSS: 2.0 - row[names.TEST_ACCURACY]} for row in pair("0.9", 4.0, 0.5)]
    assert said(rows, metric=names.TRAIN_LOSS, margin=None) == [
        "Last epoch: training loss, mean over the images, lower is better: "
        "at 0.9 freezing SNIP's weights lowers it by 0.04 [0.03509, 0.04491]."
    ]
    rows = [row | {names.STORED_BYTES: 1000 * row[names.TEST_ACCURACY]} for row in pair("0.9", 4.0, 0.5)]
    assert said(rows, metric=names.STORED_BYTES, margin=None) == [
        "Bytes of the trained network's file, lower is better: "
        "at 0.9 freezing SNIP's weights raises it by 40 bytes [35, 45]."
    ]


def test_without_a_pair() -> None:
    rows = [trial(method, "0.9", 0, 0.9) for method in ("snip", "grasp")]
    assert said(rows) == [
        "Freeze or prune cannot be answered without a frozen and a pruned method that choose the same weights: "
        "the section has grasp, snip."
    ]
    assert said([*small()], methods=["grasp"]) == [
        "No frozen and pruned method that choose the same weights are among what is shown."
    ]
    assert said([]) == ["No trial to show: nothing can be said."]


def test_several_sections_begin_with_their_titles() -> None:
    other = [trial(row["method"], row["rate"], row["seed"], row[names.TEST_ACCURACY], dataset="mnist")
             for row in pair("0.9", 0.1, 3.0)]  # fmt: skip
    assert said([*pair("0.9", 4.0, 0.5), *other]) == [
        "digits · lenet-5-caffe: at 0.9 freezing SNIP's weights gains 4.0 points [3.5, 4.5].",
        "mnist · lenet-5-caffe: at 0.9 no difference between freezing and pruning SNIP's weights is established with "
        "5 seeds.",
    ]


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        (["0.9"], "0.9"),
        (["0.9", "0.95"], "0.9 and 0.95"),
        (["0.9", "0.95", "0.99"], "0.9 to 0.99"),
        (["0.5", "0.95", "0.99", "0.995"], "0.5 and 0.95 to 0.995"),
        (["0.5", "0.95", "0.995"], "0.5, 0.95 and 0.995"),
    ],
)
def test_rates_are_joined_only_if_none_lies_between(chosen: list[str], words: str) -> None:
    grid = [Decimal(rate) for rate in ("0.5", "0.9", "0.95", "0.99", "0.995")]
    assert rates([Decimal(rate) for rate in chosen], grid) == words


def test_how_to_read_names_the_test_and_the_family() -> None:
    made = analyses(frame(small()), view())
    assert how_to_read(made) == (
        "[ ]: 95 % t interval of the mean paired difference. Established: p ≤ 0.05, paired t-test, two-sided, "
        "corrected by Holm for 2 comparisons."
    )
    assert how_to_read(analyses(frame([trial("snip", "0.9", 0, 0.9)]), view())) == ""


def test_trials_that_others_need_are_said_to_be_for_them() -> None:
    line = (
        "These trials answer nothing by themselves: those of main start from their networks, or choose weights by them."
    )
    bases = [base_trial(seed) for seed in range(3)]
    study = [trial(m, "0.9", s, 0.9, dataset="mnist", start=BASE) for m in ("snip", "freeze") for s in range(3)]
    assert said([*bases, *study], sweeps=["main-needs"]) == [line]
    scratch = [trial(m, "0.9", s, 0.9, dataset="mnist") for m in ("snip", "freeze") for s in range(3)]
    assert said([*bases, *study, *scratch], sweeps=["main-needs"]) == [line]
    assert line[6:] not in " ".join(said([*bases, *study, *scratch]))


def test_a_margin_of_errors() -> None:
    """Half of the images are errors, a tenth of them is 5 points."""
    (line,) = said(pair("0.9", 0.2, 0.05), margin=OfErrors(0.1))
    assert line.endswith("within the margin of ±10% of the pruned network's errors.")
    assert "within the margin" not in said(pair("0.9", 6.0, 0.05), margin=OfErrors(0.1))[0]
