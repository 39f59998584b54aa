"""The question itself: where it is printed, with which variants, and what is said once only."""

from __future__ import annotations

from typing import Any

from trial_frames import frame, small, trial

from bench import names
from bench.results.tables.tables import render


def two_methods() -> list[dict[str, Any]]:
    return [row for row in small() if row["method"] != "grasp"]


def diverged(method: str, rate: str, seed: int) -> dict[str, Any]:
    return trial(method, rate, seed, None, outcome=names.DIVERGED, reason="loss is inf")


def header(made: str, start: str) -> list[str]:
    """The columns of the one table whose caption starts so."""
    ((_, after),) = [made[at:].split("\n\n", 1) for at in range(len(made)) if made.startswith(f"\n{start}", at)]
    return [column.strip() for column in after.splitlines()[0].strip("|").split("|")]


def test_two_methods_have_one_table_of_differences_with_all_of_it() -> None:
    made = render(frame(two_methods()))
    assert made.count("+1.95 [+1.85, +2.05]") == 1
    assert "Method − snip" not in made
    assert header(made, "Freeze or prune? freeze − snip") == [
        "method", "rate", "pairs", "difference", "bootstrap", "p", "Holm p", "g", "TOST Holm p", "verdict",
        "connected seeds only",
    ]  # fmt: skip
    assert "equivalent ≈ †2 | +0.04 [+0.02, +0.06], n = 3, Holm p 0.020" in made
    assert "; connected seeds only: without the seeds whose pruned network is disconnected" in made


def test_a_filter_to_the_question_has_one_table_too() -> None:
    made = render(frame(small()), methods=["freeze", "snip"])
    assert "Method − snip" not in made
    assert made.count("Freeze or prune? freeze − snip") == 1


def test_further_methods_have_a_table_of_their_own() -> None:
    made = render(frame(small()))
    assert header(made, "Freeze or prune? freeze − snip") == ["rate", "all done seeds", "connected seeds only"]
    assert "verdict" in header(made, "Method − snip")


def test_variants_that_change_no_pair_are_left_out() -> None:
    rows = [trial(m, "0.9", s, b + s / 100) for m, b in (("snip", 0.5), ("freeze", 0.6)) for s in range(3)]
    made = render(frame(rows))
    assert header(made, "Freeze or prune? freeze − snip")[-1] == "verdict"
    assert not any(words in made for words in ("the same pairs", "connected seeds only", "diverged = chance", "†"))


def test_a_diverged_seed_of_the_question_is_told_once() -> None:
    rows = [*small(), diverged("freeze", "0.95", 0)]
    rows += [trial("freeze", "0.95", s, 0.9 + s / 100) for s in (1, 2)]
    rows += [trial("snip", "0.95", s, 0.8) for s in range(3)]
    made = render(frame(rows), classes={"digits": 10})
    assert header(made, "Freeze or prune? freeze − snip")[-1] == "diverged = chance"
    assert "; diverged = chance: with diverged seeds counted as chance (10 %)" in made
    assert "Sensitivity: comparisons of the other methods with diverged seeds counted as chance, 10 %:" in made
    assert "- grasp, rate 0.99: " in made
    assert "- freeze, rate 0.95: −" not in made and "- freeze, rate 0.95: +" not in made


def test_only_the_question_diverged_has_no_list() -> None:
    rows = [trial(m, "0.9", s, b + s / 100) for m, b in (("snip", 0.5), ("freeze", 0.6)) for s in range(3)]
    made = render(frame([*rows, diverged("freeze", "0.9", 3), trial("snip", "0.9", 3, 0.5)]))
    assert "diverged = chance" in made
    assert "Sensitivity" not in made


def test_a_loss_has_no_chance() -> None:
    rows = [trial("snip", "0.9", s, 0.9) | {names.TRAIN_LOSS: 1.0 + s} for s in range(3)]
    rows += [trial("freeze", "0.9", s, 0.9) | {names.TRAIN_LOSS: 2.0 - s / 2} for s in range(2)]
    made = render(frame([*rows, diverged("freeze", "0.9", 2)]), metric=names.TRAIN_LOSS, margin=0.1)
    assert "chance" not in made
