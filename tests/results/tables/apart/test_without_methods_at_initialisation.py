"""A store without methods at initialisation: no table holds two groups, and the answer names their own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from rendered import render, view
from trial_frames import frame, trial

from bench.methods import METHODS
from bench.results.frame.errors import NothingToShowError
from bench.results.frame.sections import sections
from bench.results.parts import part_page
from bench.results.statistics.cells import beside_each_other, cells
from bench.results.tables.answer.sentences import answer

ALL = {**METHODS, "budget-gate-prune": replace(METHODS["budget-gate-freeze"], background="prune")}


def rows(*methods: str) -> list[dict[str, Any]]:
    named = [trial(name, "0.9", seed, 0.9, record=ALL[name].record()) for name in methods for seed in range(3)]
    return [*named, *(trial("dense", "0", seed, 0.99) for seed in range(3))]


def test_no_table_holds_two_groups() -> None:
    store = frame(rows("lth", "rigl"))
    page = render(store)
    tables = [block for block in page.split("\n\n") if block.startswith("|")]
    assert not [table for table in tables if "| lth" in table and "| rigl" in table and "collapse" not in table]
    assert "Dense baseline (rate 0): 99.00 ± 0.00 %, n = 3." in page
    assert "Not at initialisation: " in page and "Masks change while training: " in page
    assert "Percent of the dense baseline" not in page
    with pytest.raises(NothingToShowError):
        part_page.render(store, view(), "accuracy")


@pytest.mark.parametrize(("methods", "together"), [(("rigl", "set"), 2), (("lth", "rigl"), 0), (("lth", "snip"), 1)])
def test_what_stands_beside_each_other(methods: tuple[str, ...], together: int) -> None:
    (section,) = sections(frame(rows(*methods)))
    assert len(beside_each_other(cells(section, "test_accuracy"))) == together


@pytest.mark.parametrize(
    ("methods", "said"),
    [
        (
            ("rigl", "rigl-freeze"),
            " at initialisation: the section has rigl, rigl-freeze. Frozen and pruned are compared within a group that "
            "stands apart: “Masks change while training” (rigl-freeze − rigl).",
        ),
        (
            ("snip", "rigl", "rigl-freeze"),
            " at initialisation: the section has snip. Frozen and pruned are compared within a group that stands "
            "apart: “Masks change while training” (rigl-freeze − rigl).",
        ),
        (
            ("budget-gate-freeze", "budget-gate-prune"),
            " at initialisation: the section has budget-gate-freeze, budget-gate-prune. Frozen and pruned are compared "
            "within a group that stands apart: “To a budget” (budget-gate-freeze − budget-gate-prune).",
        ),
        (("rigl",), " at initialisation: the section has rigl."),
    ],
)
def test_the_answer_names_the_groups_that_have_one(methods: tuple[str, ...], said: str) -> None:
    (line,) = answer(frame(rows(*methods)), view(classes={"digits": 10}))
    expected = "Freeze or prune cannot be answered without a frozen and a pruned method that choose the same weights"
    assert line == f"{expected}{said}"


@pytest.mark.parametrize(
    ("methods", "when", "later"),
    [
        (("snip",), "they choose before training, and", ""),
        (
            ("snip", "rigl"),
            "they choose, and",
            " Methods in groups of their own choose again while they train, so that the number is that of their last "
            "masks; all others choose before training.",
        ),
        (
            ("lth", "rigl"),
            "they choose, and",
            " Methods in groups of their own choose by a network that is already trained; others choose again while "
            "they train, so that the number is that of their last masks; all others choose before training.",
        ),
    ],
)
def test_the_introduction_says_when_methods_choose(methods: tuple[str, ...], when: str, later: str) -> None:
    introduction = render(frame(rows(*methods))).split("\n\n")[1]
    assert when in introduction and introduction.endswith(f"a pruned one sets them to zero.{later}")
