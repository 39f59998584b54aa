"""Hyper-parameters that were chosen for each method and rate: one section, and what was chosen beside it."""

from __future__ import annotations

import json
from typing import Any

from rendered import render
from trial_frames import frame, trial

from bench.results.frame.sections import sections
from bench.results.page.threats import threats
from bench.results.statistics.analysis import analyses
from bench.results.statistics.view import View
from bench.results.tables.formats import Grid
from bench.results.tables.tuned import tuned

TUNING = {
    "search": {"lr": [0.01, 1.0]}, "own": {"lr": 0.1}, "budget": 8, "seeds": [1000], "grace": 3, "factor": 3,
    "spread": 10,
}  # fmt: skip
CHOSEN = {("dense", "0"): 0.1, ("freeze", "0.9"): 0.25, ("snip", "0.9"): 0.05, ("snip", "0.99"): 0.012345}


def rows(**more: Any) -> list[dict[str, Any]]:
    return [
        trial(method, rate, seed, 0.9 + 0.01 * seed, lr=lr, tuning=TUNING, **more)
        for (method, rate), lr in CHOSEN.items()
        for seed in range(2)
    ]


def grid(made: list[dict[str, Any]], **view: Any) -> Grid | None:
    (a,) = analyses(frame(made), View(**view))
    return tuned(a)


def test_values_that_were_tuned_split_a_section_only_where_a_cell_has_two() -> None:
    (joined,) = sections(frame(rows()))
    assert "lr" not in joined.fields and joined.fields["tuning"] == TUNING and joined.title == "digits · lenet-5-caffe"
    other = trial("snip", "0.9", 2, 0.9, lr=0.06, tuning=TUNING)
    split = sections(frame([*rows(), other]))
    assert len({s.title for s in split}) == len(split) == 5  # no two rates left that would be one section


def test_what_was_not_tuned_is_another_section() -> None:
    made = sections(frame([*rows(), trial("snip", "0.9", 0, 0.9)]))
    assert [("tuning" in s.fields, len(s.frame)) for s in made] == [(False, 1), (True, 8)]


def test_the_step_is_joined_beside_it() -> None:
    mixed = [*rows(step="dense"), trial("freeze", "0.99", 0, 0.9, lr=0.3, tuning=TUNING, step="sparse")]
    (joined,) = sections(frame(mixed))
    assert joined.fields["step"] == "dense and sparse"


def test_both_kinds_of_steps_are_two_sections_and_not_four() -> None:
    def tuned_to(lr: float, method: str, step: str) -> dict[str, Any]:
        return trial(method, "0.9", 0, 0.9, lr=lr, tuning=TUNING, step=step)

    made = sections(
        frame(
            [
                tuned_to(0.25, "freeze", "dense"), tuned_to(0.05, "snip", "dense"), tuned_to(0.3, "freeze", "sparse"),
                tuned_to(0.06, "snip", "sparse"),
            ]
        )
    )  # fmt: skip
    assert [(s.fields["step"], len(s.frame), "lr" in s.fields) for s in made] == [
        ("dense", 2, False),
        ("sparse", 2, False),
    ]


def test_a_paper_that_says_what_is_tuned_here() -> None:
    row = trial("snip", "0.95", 0, 0.9, lr=0.2, tuning=TUNING, dataset="mnist", model="lenet-300-100")
    made = render(frame([row]), published=True)
    assert "lr 0.1 (here tuned)" in made


def test_the_values_beside_the_table() -> None:
    made = grid(rows())
    assert made is not None
    assert made.headers == ["method", "0.9", "0.99"]
    assert made.rows == [["freeze", "0.25", "–"], ["snip", "0.05", "0.0123"]]
    for said in (
        "learning rate from 0.01 to 1.", "8 candidates of up to 30 epochs",
        "after epoch 3 is not among the best 1/3 ", "the others spread by Halton's sequence, alike for all;",
        "at seed 1000, without the test images; no trial here has such a seed.", "Dense: 0.1.",
        "In the first or last tenth of its range, so perhaps better beyond: snip 0.99.",
    ):  # fmt: skip
        assert said in made.caption
    assert grid([trial("snip", "0.9", 0, 0.9)]) is None


def test_only_what_is_shown() -> None:
    made = grid(rows(), methods=["freeze"])
    assert made is not None and made.rows == [["freeze", "0.25"]]


def test_two_fields_and_a_seed_that_is_shared() -> None:
    search = {"search": {"weight_decay": [1e-5, 1e-3], "lr": [0.01, 1.0]}, "seeds": [1, 2]}
    cell = [trial("snip", "0.9", s, 0.9, lr=0.2, weight_decay=3e-4, tuning={**TUNING, **search}) for s in range(2)]
    made = grid(cell)
    assert made is not None and made.rows == [["snip", "0.2, 0.0003"]]
    assert "Tuned: learning rate from 0.01 to 1, weight decay from 1e-05 to 0.001." in made.caption
    beside = sections(frame([*cell, trial("snip", "0.9", 0, 0.9)]))
    assert beside[1].title.endswith(" · lr, weight_decay tuned (0.01:1, 1e-05:0.001, budget 8, seeds 1, 2)")
    assert "at seeds 1–2, without the test images; warning: trials here have seed 1." in made.caption


def test_in_words_and_in_json() -> None:
    text = render(frame(rows()))
    assert "learning rate tuned, see below" in text and "learning rate 0.1" not in text
    (section,) = json.loads(render(frame(rows()), format="json"))["sections"]
    assert {(one["label"], one["rate"]): one["values"]["lr"] for one in section["tuned"]} == CHOSEN
    assert "tuned" not in json.loads(render(frame([trial("snip", "0.9", 0, 0.9)]), format="json"))["sections"][0]


def test_the_threat_is_named_where_it_holds() -> None:
    def said(made: list[dict[str, Any]]) -> str:
        return " ".join(threats(analyses(frame(made), View())))

    assert "One set of hyper-parameters" in said([trial("snip", "0.9", 0, 0.9)])
    alone = said(rows())
    assert "One set" not in alone and "Tuned is learning rate only, by validation accuracy at 1 seed" in alone
    both = said([*rows(), trial("snip", "0.9", 0, 0.9)])
    assert "a difference may be one of tuning (digits · lenet-5-caffe · lr = 0.1 · not tuned)" in both
    assert "(digits · lenet-5-caffe · lr tuned (0.01:1, budget 8, seeds 1000))" in both
