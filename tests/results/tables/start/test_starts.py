"""Tables of several starts: one family, words for each start, bases, what only others need, and bytes of tasks."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from rendered import render, view
from scipy.stats import ttest_rel
from started_trials import BASE, GIVEN, NEEDS, base, curve, dense
from trial_frames import METHODS, frame, small, trial

from bench import names
from bench.methods import METHODS as ALL
from bench.results.frame.sections import sections
from bench.results.parts import part_page
from bench.results.statistics.analysis import Analysis, analyses
from bench.results.statistics.view import View
from bench.results.tables.start.bases import base as base_words
from bench.results.tables.start.bases import needed_first
from bench.results.tables.start.task_bytes import NEVER

ONE_BASE = {**BASE, "seed": 0}
LTH = ALL["lth"].record()
GRID = {"0.9": (0.01, 0.012, 0.014, 0.011), "0.99": (0.05, 0.06, 0.07, 0.05)}
FROZEN = {"0.9": (0.008, 0.011, 0.011, 0.01), "0.99": (0.02, 0.04, 0.03, 0.03)}


def store(*starts: dict[str, Any] | None) -> list[dict[str, Any]]:
    return [
        row for start in starts for row in (*dense(start), *curve("snip", start, GRID), *curve("freeze", start, FROZEN))
    ]


def titles(rows: list[dict[str, Any]]) -> list[str]:
    return [section.title for section in sections(frame(rows))]


def computed(rows: list[dict[str, Any]], **options: Any) -> list[Analysis]:
    return analyses(frame(rows), View(**options))


def test_sections_that_differ_in_their_start_stand_together_scratch_first() -> None:
    other = [trial("snip", "0.9", 0, 0.9, epochs=31), trial("snip", "0.9", 0, 0.9, start=BASE, epochs=31)]
    assert titles([*store(ONE_BASE, None, BASE), *other]) == [
        "digits · lenet-5-caffe · scratch · epochs = 30",
        "digits · lenet-5-caffe · pretrained on mnist · epochs = 30",
        "digits · lenet-5-caffe · pretrained on mnist, base of seed 0 for all · epochs = 30",
        "digits · lenet-5-caffe · scratch · epochs = 31",
        "digits · lenet-5-caffe · pretrained on mnist · epochs = 31",
    ]
    assert titles(store(GIVEN)) == ["digits · lenet-5-caffe · weights f1f1f1f1f1f1"]
    assert titles(store({**BASE, "epochs": 5}, BASE)) == [
        "digits · lenet-5-caffe · pretrained on mnist (epochs = 30)",
        "digits · lenet-5-caffe · pretrained on mnist (epochs = 5)",
    ]


def test_one_family_holds_the_pairs_of_all_starts() -> None:
    """Four comparisons, so the smallest p counts four times; each section alone would have counted it twice."""
    both = [c for analysis in computed(store(None, BASE)) for c in analysis.primary.comparisons]
    assert [c.family for c in both] == [4, 4, 4, 4]
    ps = [ttest_rel([-x for x in FROZEN[q]], [-x for x in GRID[q]]).pvalue for q in ("0.9", "0.99")] * 2
    assert [c.p for c in both] == pytest.approx(ps)
    assert min(c.p_holm for c in both) == pytest.approx(4 * min(ps))
    assert [c.family for (alone,) in [computed(store(BASE))] for c in alone.primary.comparisons] == [2, 2]
    for analysis in computed(store(None, BASE)):
        assert {c.family for c in analysis.secondary.comparisons} == {2} and len(analysis.primary.whole) == 4


def test_starts_whose_rates_have_other_step_kinds_are_one_family_all_the_same() -> None:
    sparse = [trial("snip", "0.99", s, 0.8, step="sparse") for s in range(3)]
    sparse += [trial("freeze", "0.99", s, 0.8, step="sparse") for s in range(3)]
    rows = [*sparse, *[trial(m, "0.9", s, 0.9, step="dense", start=BASE) for m in ("snip", "freeze") for s in range(3)]]
    assert {c.family for analysis in computed(rows) for c in analysis.primary.comparisons} == {2}
    other = [trial(m, "0.9", s, 0.9, epochs=31, start=BASE) for m in ("snip", "freeze") for s in range(3)]
    assert sorted(c.family for a in computed([*rows, *other]) for c in a.primary.comparisons) == [1, 2, 2]


def test_table_and_report_say_of_which_starts_the_family_is() -> None:
    text = render(frame(store(None, BASE)))
    family = "Family: 4 comparisons, every frozen method with the pruned one that chooses the same weights × every rate"
    assert f"{family} × every start (scratch; pretrained on mnist) of this data set, network and protocol" in text
    assert "Dense baseline (rate 0): 91.50" in text
    assert "Dense baseline (rate 0: the base, fine-tuned whole): 91.50" in text
    assert "; pretrained on mnist (its base: 30 epochs, learning rate 0.1)" in text.replace(
        ", pretrained", "; pretrained"
    )
    assert " of this section in the whole store" in render(frame(store(BASE)))


@pytest.mark.parametrize(
    ("start", "bases", "words"),
    [
        (BASE, [base(s, 0.97 + 0.001 * s) for s in range(4)],
         "Start: pretrained on mnist; each seed has a base of its own, trained dense on mnist, 97.15 ± 0.13 %."),
        (BASE, [], "Start: pretrained on mnist; each seed has a base of its own, trained dense on mnist; their figures "
         "are not in this store."),
        (ONE_BASE, [base(0), base(1)],
         "Start: pretrained on mnist, base of seed 0 for all, trained dense on mnist, 97.00 %. All seeds start from "
         "this one base: what is concluded holds for it, and the seeds do not tell how another base would do."),
        (GIVEN, [], "Start: weights f1f1f1f1f1f1, one file for all seeds: what is concluded holds for these weights."),
    ],
)  # fmt: skip
def test_what_the_conclusions_hang_on_stands_under_the_table(
    start: dict[str, Any], bases: list[dict[str, Any]], words: str
) -> None:
    rows = [*store(start), *bases]
    assert base_words(computed(rows)[0]) == words
    lines = render(frame(rows)).split("\n\n")
    assert lines.index(words) > lines.index(next(line for line in lines if line.startswith("| method")))
    assert base_words(computed(small())[0]) == ""


def test_what_only_others_need_is_in_no_table_or_family_until_its_sweep_is_named() -> None:
    levels = [trial("snip", "0.36", s, 0.9, sweeps=NEEDS) for s in range(4)]
    levels += [trial("freeze", "0.36", s, 0.9, sweeps=NEEDS) for s in range(4)]
    rows = [*store(None, BASE), *[base(s, 0.97 + 0.001 * s) for s in range(4)], *levels]
    levels_there = "; ".join(f"4 trials of {method} at 0.36 (digits · lenet-5-caffe)" for method in ("freeze", "snip"))
    said = (
        f"Needed first, and in no table or family here: {levels_there}; 4 dense trials, 97.15 ± 0.13 % (mnist · "
        "lenet-5-caffe). --name main-needs shows them."
    )
    text = render(frame(rows))
    assert said in text.split("\n\n") and "| 0.36" not in text and "## mnist" not in text
    without, with_ = ([a for a in computed(trials) if a.shown] for trials in (store(None, BASE), rows))
    assert [a.primary.whole for a in with_] == [a.primary.whole for a in without]
    assert [a.shown for a in with_] == [a.shown for a in without]
    named = render(frame(rows), sweeps=list(NEEDS))
    assert "## mnist · lenet-5-caffe" in named and "| 0.36" in named and "scratch" not in named
    assert needed_first(computed(rows, sweeps=list(NEEDS))) == ""
    assert render(frame([base(0)])).endswith("No trial to show.\n")


def test_what_another_sweep_needs_is_not_listed_with_one_that_is_named() -> None:
    bases = [base(0, 0.97), base(1, None, outcome=names.DIVERGED, reason="loss is nan")]
    other = [base(s, dataset="fashion-mnist", sweeps=("other-needs",)) for s in range(2)]
    both = [base(2, 0.97, sweeps=("main-needs", "other-needs"))]
    rows = [*store(BASE), trial("snip", "0.9", 9, 0.9, sweeps=("other",)), *bases, *other, *both]
    said = "Needed first, and in no table or family here: "
    mnist = "3 dense trials, 97.00 ± 0.00 %, 1 diverged (mnist · lenet-5-caffe)"
    assert needed_first(computed(rows, sweeps=["main"])) == f"{said}{mnist}. --name main-needs shows them."
    assert needed_first(computed(rows)) == (
        f"{said}2 dense trials, 97.00 ± 0.00 % (fashion-mnist · lenet-5-caffe); {mnist}. --name main-needs or "
        "--name other-needs shows them."
    )
    assert needed_first(computed([*store(BASE), bases[1]])).startswith(f"{said}1 dense trial, 1 diverged (mnist")


def test_a_dense_trial_that_only_others_need_is_the_baseline_of_its_protocol() -> None:
    rows = [trial("dense", "0", 0, 0.95, sweeps=NEEDS), trial("snip", "0.9", 0, 0.9)]
    assert "Dense baseline (rate 0): 95.00" in render(frame(rows))


def test_a_base_at_another_seed_adds_no_seed_to_the_study_of_its_protocol() -> None:
    study = [base(s, 0.97, sweeps=("mnist",)) for s in range(3)]
    study += [trial(m, "0.9", s, 0.95 + 0.001 * s, dataset="mnist") for m in ("snip", "freeze") for s in range(3)]
    without, with_ = (computed(rows) for rows in (study, [*study, base(3), base(4)]))
    (section,) = [a for a in with_ if a.shown]
    assert section.section.seeds == [0, 1, 2]
    assert [cell.summary.n for cell in section.shown] == [3, 3, 3] and not any(cell.missing for cell in section.shown)
    assert section.shown == without[0].shown
    assert [(a.section.needed, a.section.seeds) for a in with_] == [(False, [0, 1, 2]), (True, [3, 4])]


def test_a_trial_of_another_sweep_too_is_shown() -> None:
    rows = [*store(BASE), *[base(s, sweeps=(*NEEDS, "mnist")) for s in range(4)]]
    assert "## mnist · lenet-5-caffe" in render(frame(rows)) and "Needed first" not in render(frame(rows))


def bytes_of(rows: list[dict[str, Any]]) -> list[str]:
    """The lines of what is said of several tasks."""
    lines = part_page.render(frame(rows), view(), "storage").splitlines()
    return lines[next(i for i, line in enumerate(lines) if "one base of" in line or "size of the base" in line) :]


def with_bytes(rows: list[dict[str, Any]], method: str, size: int) -> list[dict[str, Any]]:
    return [row | ({names.STORED_BYTES: size} if row["method"] == method else {}) for row in rows]


def test_bytes_of_several_tasks_from_one_base() -> None:
    rows = with_bytes(with_bytes(store(BASE), "freeze", 900), "snip", 1000) + [base(s) for s in range(4)]
    caption, _, header, _, first, *_ = bytes_of(rows)
    assert "share one base of 41,300 bytes" in caption and caption.endswith(NEVER)
    assert [entry.strip() for entry in header.strip("|").split("|")][-2:] == [
        r"T\* against pruned",
        r"T\* against dense",
    ]
    assert [entry.strip() for entry in first.strip("|").split("|")] == [
        "0.9", "900", "1,000", "41,300", "50,300", "10,000", "413,000", "413", "2",
    ]  # fmt: skip


def test_a_delta_that_is_no_smaller_never_pays() -> None:
    rows = with_bytes(with_bytes(store(BASE), "freeze", 1000), "snip", 1000) + [base(s) for s in range(4)]
    assert bytes_of(rows)[4].split("|")[8].strip() == "–"


def test_bytes_are_averaged_over_pairs_that_choose_alike_at_the_same_seed() -> None:
    """grasp has no frozen network, lth is not at initialisation, and the fourth seed has no pruned network."""
    tickets = {**LTH, "background": "freeze"}, LTH
    others = [trial(f"lth{i}", "0.9", 0, 0.9, record=record, start=BASE) for i, record in enumerate(tickets)]
    rows = [*store(BASE), *curve("grasp", BASE, GRID), *others, *[base(s) for s in range(4)]]
    sizes = {"freeze": 900, "snip": 1000, "grasp": 7, "lth0": 9, "lth1": 8}
    for method, size in sizes.items():
        rows = with_bytes(rows, method, size)
    last = next(row for row in rows if (row["method"], row["rate"], row["seed"]) == ("freeze", "0.9", 3))
    rows = [row for row in rows if (row["method"], row["rate"], row["seed"]) != ("snip", "0.9", 3)]
    last[names.STORED_BYTES] = 5000
    assert [entry.strip() for entry in bytes_of(rows)[4].strip("|").split("|")][1:3] == ["900", "1,000"]


def test_no_number_of_tasks_is_said_if_the_pairs_disagree() -> None:
    rows = with_bytes(with_bytes(store(BASE), "freeze", 900), "snip", 1000) + [base(s) for s in range(4)]
    assert bytes_of(rows)[4].split("|")[8].strip() == "413"
    frozen = next(row for row in rows if (row["method"], row["rate"], row["seed"]) == ("freeze", "0.9", 2))
    frozen[names.STORED_BYTES] = 1001
    entries = [entry.strip() for entry in bytes_of(rows)[4].strip("|").split("|")]
    assert entries[1:3] == ["925", "1,000"] and entries[-2:] == ["–", "2"]


def test_the_size_of_a_base_from_a_file_or_another_store_is_not_known() -> None:
    assert bytes_of(store(GIVEN)) == [f"The size of the base is not known: it came from a file. {NEVER}"]
    assert bytes_of(store(BASE))[0].startswith("The size of the base is not known: no trial that trained it is in this")
    assert "one task" not in render(frame(store(None)))


def test_a_filter_of_starts_is_named_if_it_hides_one() -> None:
    start, both = "pretrained on mnist", store(None, BASE)
    hidden = "Shown: starts pretrained on mnist. All statistics are those of the whole store."
    assert hidden in render(frame(both), starts=(start,)) and "## digits · lenet-5-caffe · scratch" not in render(
        frame(both), starts=(start,)
    )
    assert "Shown:" not in render(frame(both), starts=(start, "scratch"))
    assert "Shown:" not in render(frame(store(BASE)), starts=(start,))
    part = part_page.render(frame(both), view(starts=(start,)), "start")
    assert part == part_page.render(frame(both), view(), "start") and "| difference" in part


def test_controls_of_a_start_are_compared_with_its_own_methods() -> None:
    record = {**METHODS["snip"], "control": "shuffle"}
    shuffled = [trial("snip:control=shuffle", "0.9", s, 0.7, record=record, start=BASE) for s in range(4)]
    scratch, pretrained = computed([*store(None, BASE), *shuffled], controls=True)
    assert scratch.controls == []
    (c,) = pretrained.controls
    assert c.difference == pytest.approx(0.7 - 0.915 + sum(GRID["0.9"]) / 4) and c.n == 4 and c.family == 1


def test_the_part_of_the_largest_rates_stands_once_for_all_starts() -> None:
    rows = store(None, BASE)
    text = part_page.render(frame(rows), view(), "start")
    assert text.startswith("## digits · lenet-5-caffe\n") and text.count("## ") == 1
    assert "| method   | scratch" in text and "| difference" in text
    alone = part_page.render(frame(store(None)), view(), "start")
    assert "difference" not in alone and "| snip" in alone


def test_records_of_the_largest_rates() -> None:
    rows = store(None, BASE)
    printed = json.loads(part_page.render(frame(rows), view(), "start", format="json"), parse_constant=pytest.fail)
    (section,) = printed["sections"]
    assert section["differs"] == {}
    assert [(r["label"], r["start"]) for r in section["records"]] == [
        ("freeze", "scratch"), ("freeze", "pretrained on mnist"), ("snip", "scratch"), ("snip", "pretrained on mnist"),
    ]  # fmt: skip
    assert section["records"][1]["difference_least"] == 0 and section["records"][0]["difference_least"] is None
    (freeze, *_) = csv.DictReader(io.StringIO(part_page.render(frame(rows), view(), "start", format="csv")))
    assert freeze["start"] == "scratch" and freeze["grid"] == "0.9 0.99" and float(freeze["within"]) == 0.01


def test_what_a_frozen_network_is_rebuilt_from() -> None:
    """The last layer that is drawn again is frozen at what its seed drew."""
    lost = "the frozen network cannot be rebuilt, the pruned one can."
    for head, named, values in (
        (
            "redrawn",
            f"Both files name the base and the seed, which draws its last layer again; without both {lost}",
            "is frozen at the base's values, the last layer, if it is drawn again, at random ones; one that",
        ),
        ("kept", f"Both files name the base; without it {lost}", "is frozen at the base's values; one that"),
    ):
        text = render(frame(store({**BASE, "head": head})))
        assert named in text and values in text
    assert "Both files name the seed; without its 32 bits the frozen" in render(frame(store(None)))
