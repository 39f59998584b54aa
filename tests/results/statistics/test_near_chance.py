"""Seeds near chance beside others in one cell: which they are, and that the report and its threats say so."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import Any

import pytest
from rendered import render
from trial_frames import METHODS, frame, small, trial

from bench import names
from bench.results.frame.sections import sections
from bench.results.page.threats import threats
from bench.results.statistics.analysis import Analysis, analyse
from bench.results.statistics.near_chance import most_unseen, near_chance
from bench.results.statistics.view import View
from bench.results.tables.formats import Grid
from bench.results.tables.freeze_vs_prune import answer, table, variants_table

WARNING = "Warning: some, but not all, seeds of a cell are nearer to chance"


@pytest.mark.parametrize(
    ("accuracies", "chance", "found"),
    [
        ([0.95, 0.94, 0.96], 0.1, []),
        ([0.95, 0.10, 0.96], 0.1, [1]),
        ([0.40, 0.10, 0.42, 0.09], 0.1, [1, 3]),  # below chance is nearer to it too
        ([0.1135, 0.1994, 0.4059], 0.1, [0, 1]),  # SNIP at 0.999 on MNIST: one class alone, two classes, four
        ([0.5287, 0.6899, 0.7712], 0.1, []),  # at 0.998: a wide spread is no mixture
        ([0.25, 0.40], 0.1, []),  # half-way is not nearer
        ([0.1135, 0.0958, 0.1028], 0.1, []),  # all at chance, each by the share of the class it always answers
        ([0.10, 0.10, 2 / 11], 0.1, [0, 1]),  # the best doubles the odds of a guess, 1:9 to 2:9 ...
        ([0.10, 0.10, 0.18], 0.1, []),  # ... or does not
        ([0.50, 0.70], 0.5, [0]),
        ([0.50, 0.65], 0.5, []),
        ([], 0.1, []),
    ],
)
def test_near_chance_by_hand(accuracies: list[float], chance: float, found: list[int]) -> None:
    assert near_chance(dict(enumerate(accuracies)), chance) == set(found)


def test_what_n_seeds_cannot_rule_out() -> None:
    assert [most_unseen(n) for n in (1, 5, 10)] == pytest.approx([0.95, 0.4507, 0.2589], abs=5e-5)
    assert (1 - most_unseen(7)) ** 7 == pytest.approx(0.05)


def mixture(method: str = "snip", fallen: tuple[int, ...] = (1, 3), n: int = 6) -> list[dict[str, Any]]:
    """Freeze, SNIP and GraSP at 0.9 and 0.99; at 0.99 the fallen seeds of one method are at chance."""
    levels = {"freeze": 0.93, "snip": 0.92, "grasp": 0.90}
    return [
        trial(m, rate, seed, 0.1 if (m, rate) == (method, "0.99") and seed in fallen else level + 0.001 * (seed % 3))
        for m, level in levels.items() for rate in ("0.9", "0.99") for seed in range(n)
    ]  # fmt: skip


def analysis(rows: list[dict[str, Any]], **options: Any) -> Analysis:
    (section,) = sections(frame(rows))
    return analyse([section], View(**options))[0]


def test_the_report_warns_in_one_line_and_shows_both() -> None:
    made = render(frame(mixture()), classes={"digits": 10})
    (line,) = (line for line in made.splitlines() if WARNING in line)
    assert line == (
        f"- {WARNING}, 10 %, than to its best seed: snip 0.99 (2 of 6 seeds: 1, 3). The differences there mix two "
        "kinds of pairs; mean, its intervals, t test and TOST describe neither. Read an exact test (option test: "
        "wilcoxon or permutation), which asks whether the methods are alike and not whose mean is higher, and the "
        "sensitivity without those seeds."
    )
    _, _, after = made.partition("Sensitivity: comparisons without the seeds near chance of a cell that has others:")
    (changed,) = [line for line in after.splitlines() if line.startswith("- ")][:1]
    assert changed.startswith("- grasp, rate 0.99: −2.00, n = 4, Holm p ")
    (again,) = [line for line in made.splitlines() if line.startswith("| freeze") and "n = 4" in line]
    assert "| +28.35 [−16.12, +72.82], n = 6, Holm p 0.162, open " in again and "| +1.00, n = 4, " in again


def test_an_exact_test_is_not_told_to_be_changed_to_itself() -> None:
    made = render(frame(mixture()), test="wilcoxon")
    assert "mean, its intervals and TOST describe neither. Read the exact test, which asks" in made


@pytest.mark.parametrize(
    ("rows", "options"),
    [
        (small(), {}),  # two pruned networks without a layer are as good as the others
        (mixture(fallen=()), {}),
        (mixture(fallen=tuple(range(6))), {}),  # all of a cell: seeds of one kind
        (mixture(), {"rates": ["0.9"]}),
        (mixture("grasp"), {"methods": ["freeze", "snip"]}),
        (mixture(), {"metric": names.STORED_BYTES, "margin": None}),
        ([row for row in mixture() if row["method"] == "snip"], {}),  # no comparison
    ],
)
def test_no_warning_where_no_difference_shown_is_mixed(rows: list[dict[str, Any]], options: dict[str, Any]) -> None:
    made = render(frame(rows), **options)
    assert WARNING not in made and "near chance" not in made


def test_the_seeds_of_the_pairs_decide() -> None:
    rows = [row for row in mixture() if row["method"] != "freeze" or row["seed"] not in (1, 3)]
    made = analysis(rows)
    by_label = {c.label: [c] for c in made.secondary.comparisons if str(c.rate) == "0.99"}
    assert made.mixed(by_label["freeze"]) == {}
    assert made.mixed(by_label["grasp"]) == {("snip", Decimal("0.99")): {1, 3}}


def test_without_the_seeds_of_both_sides() -> None:
    rows = mixture()
    for row in rows:
        if (row["method"], row["rate"], row["seed"]) in {("freeze", "0.99", 0), ("freeze", "0.99", 1)}:
            row[names.TEST_ACCURACY] = 0.1
    made = analysis(rows)
    assert made.mixed(made.secondary.comparisons) == {
        ("freeze", Decimal("0.99")): {0, 1},
        ("snip", Decimal("0.99")): {1, 3},
    }
    seeds = {(c.label, str(c.rate)): c.seeds for c in made.secondary.variants["trained"]}
    assert seeds["freeze", "0.99"] == (2, 4, 5) and seeds["grasp", "0.99"] == (0, 2, 4, 5)
    assert {c.family for c in made.secondary.variants["trained"]} == {4}


def test_other_seeds_of_the_question_are_in_a_table() -> None:
    rows = [row for row in mixture() if row["method"] != "grasp"]
    for row in rows:
        row[names.DISCONNECTED] = row[names.LIVE_WEIGHTS] * (row[names.TEST_ACCURACY] == 0.1)
    made = render(frame(rows))
    assert WARNING in made and "+1.00, n = 4" in made and "Sensitivity" not in made


def test_a_control_counts_where_it_is_shown() -> None:
    shuffled = {**METHODS["snip"], "control": "shuffle"}
    rows = mixture(fallen=())
    rows += [trial("snip:control=shuffle", "0.9", s, 0.1 if s else 0.9, record=shuffled) for s in range(6)]
    told = "snip:control=shuffle 0.9 (5 of 6 seeds: 1–5)"
    assert told in render(frame(rows), controls=True) and told not in render(frame(rows))


def test_the_threats_say_so_and_what_n_seeds_cannot_show() -> None:
    found = "\n".join(threats([analysis(mixture())]))
    assert "Some, but not all, seeds of 1 cell are near chance: see the warnings of the section." in found
    assert "If none of n = 6 seeds is near chance, up to 39 % of all may be (95 % limit)" in found
    assert "near chance" not in "\n".join(threats([analysis(small())]))
    assert "No seed trained" not in found
    wholly = "\n".join(threats([analysis(mixture(fallen=tuple(range(6))))]))
    assert "No seed trained: snip 0.99. A difference to these says at most that the other side trains." in wholly


def test_verdicts_on_seeds_near_chance_are_marked_and_told_without_them() -> None:
    q = analysis(mixture())
    assert {(sides[1][0], str(sides[1][1])): doubts for sides, doubts in q.doubts.items() if doubts} == {
        ("snip", "0.99"): {"mixed"}
    }
    assert {name: [c.n for c in compared] for name, compared in q.primary.variants.items()} == {
        "connected": [6, 6], "trained": [6, 4], "chance": [6, 6],
    }  # fmt: skip
    lines = answer(q)
    assert lines[1].startswith("Without the seeds near chance of a cell that has others: 2 comparisons: ")
    assert lines[2].startswith("‡ In 1 comparison: ") and lines[2].endswith("describe neither group.")
    grid, again = table(q), variants_table(q)
    assert [str(row[-1]).endswith(" ‡") for row in grid.rows] == [False, True]
    assert isinstance(again, Grid) and [row[:3] for row in again.rows] == [["freeze", "snip", "0.99"]]
    column = again.headers.index("trained seeds only")  # chosen by their outcome: a constant 1.00, but no arrow
    assert str(again.rows[0][column]).startswith("+1.00, n = 4, Holm p ")
    assert not any(word in str(again.rows[0][column]) for word in ("higher", "lower", "↑", "↓", "≈", "open"))
    assert again.caption.endswith("Trained seeds are chosen by their outcome: their column has no verdict.")


def test_the_doubts_of_every_comparison_are_exported() -> None:
    (section,) = json.loads(render(frame(mixture()), format="json", classes={"digits": 10}))["sections"]
    pairs, others = section["freeze_minus_prune"], section["comparisons"]
    assert [(c["rate"], c["doubts"]) for c in pairs] == [("0.9", []), ("0.99", ["mixed"])]
    assert [(c["rate"], c["doubts"]) for c in others] == [("0.9", []), ("0.99", ["mixed"])]
    (trained,) = [c for c in section["comparisons_trained_seeds_only"] if c["rate"] == "0.99"]
    assert (trained["label"], trained["pairs"], trained["doubts"]) == ("grasp", [0, 2, 4, 5], [])
    assert [c["doubts"] for c in section["freeze_minus_prune_trained"]] == [[], []]
    (wholly,) = json.loads(render(frame(mixture(fallen=tuple(range(6)))), format="json"))["sections"]
    assert [c["doubts"] for c in wholly["freeze_minus_prune"]] == [[], ["untrained"]]


def test_a_diverged_seed_that_counts_as_chance_is_a_doubt() -> None:
    rows = mixture(fallen=())
    for row in rows:
        if (row["method"], row["rate"], row["seed"]) == ("freeze", "0.99", 0):
            row |= {"outcome": names.DIVERGED, names.TEST_ACCURACY: math.nan}
    q = analysis(rows)
    assert [q.doubts_of(c) for c in q.primary.comparisons] == [set(), set()]
    assert [q.doubts_of(c) for c in q.primary.variants["chance"]] == [set(), {"mixed"}]


def test_a_cell_in_which_no_seed_trained_is_marked() -> None:
    q = analysis(mixture(fallen=tuple(range(6))))
    assert [doubts for doubts in q.doubts.values() if doubts] == [{"untrained"}] and variants_table(q) is None
    assert [str(row[-1]).endswith(" §") for row in table(q).rows] == [False, True]
    assert [line[:2] for line in answer(q)] == ["Al", "§ "]
