"""A plan held against trials: how far they are, the family and the level of a look, and every departure."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from started_trials import BASE
from trial_frames import METHODS, frame, group_key, spec_of, trial

from bench import names
from bench.results.frame.collect import Command
from bench.results.frame.plans import Look, Plan, Planned, Record, record_of
from bench.results.page.looks import looks
from bench.results.parts import part_page, whole
from bench.results.statistics.analysis import Analysis, analyses
from bench.results.statistics.planned import Standing, standing
from bench.results.statistics.spending import level_at, rounded_down
from bench.results.statistics.view import View
from bench.results.tables.answer.sentences import answer, answer_of, how_to_read
from bench.results.tables.columns import verdict
from bench.results.tables.planned.plan_words import departures, plan_words

GRASP_FREEZE = {**METHODS["grasp"], "background": "freeze"}
SEEDS = tuple(range(6))
ALL = ("test", "margin", "alpha")


def planned(rate: str) -> Planned:
    keys = {f"{method}_key": group_key(spec_of(name, rate, 0)) for method, name in PAIR.items()}
    return Planned(**PAIR, rate=rate, **keys)


PAIR = {"frozen": "freeze", "pruned": "snip"}


def plan(*rates: str, taken: dict[str, Look] | None = None, **changed: Any) -> Plan:
    cells = {group_key(spec_of(name, rate, 0)): (name, rate) for rate in rates for name in PAIR.values()}
    record = Record(
        name="p", shared={"dataset": "digits"}, cells=cells, comparisons=tuple(map(planned, rates)), seeds=SEEDS,
        looks=(3, 6), spending="obrien-fleming", alpha=0.05, test="t", margin=0.005,
    )  # fmt: skip
    return Plan(run="r", time=-1.0, sha256="ab" * 32, record=replace(record, **changed), looks=taken or {})


def rows(*rates: str, seeds: int = 6, frozen: int | None = None) -> list[dict[str, Any]]:
    made = [trial("snip", rate, s, 0.90 + 0.002 * (s % 3)) for rate in rates for s in range(seeds)]
    frozen = seeds if frozen is None else frozen
    return made + [trial("freeze", rate, s, 0.92 + 0.001 * s) for rate in rates for s in range(frozen)]


def analysed(made: list[dict[str, Any]], plan: Plan, **options: Any) -> Analysis:
    store = frame(made)
    (analysis,) = analyses(store, View(**{"plans": [standing(plan, store)], "left_to_plan": ALL, **options}))
    return analysis


def of(analysis: Analysis) -> Standing:
    assert analysis.plan is not None
    return analysis.plan


def test_a_look_counts_the_seeds_that_every_comparison_has() -> None:
    made = [*rows("0.9"), *rows("0.99", seeds=4, frozen=3)]
    at = standing(plan("0.9", "0.99"), frame(made))
    assert (at.n, at.is_finished, at.counts) == (3, False, True)
    assert at.complete == {0, 1, 2} and len(at.run_keys) == 12 + 4 + 3
    # Of two comparisons, each is first tested at half of it: twice the level of 0.025, and not the 0.00305 of one.
    assert at.level(0.05) == rounded_down(2 * level_at(3, 6, [], "obrien-fleming", 0.025)) == 0.001647
    ended = standing(plan("0.9"), frame(made))
    assert (ended.n, ended.is_finished, ended.counts) == (6, True, False)
    assert ended.level(0.05) == 0.04899  # the look at 3 is planned, whether anybody looked or not


def test_a_diverged_trial_has_ended_and_a_failed_one_has_not() -> None:
    made = rows("0.9", frozen=4)
    diverged = [trial("freeze", "0.9", s, None, outcome=names.DIVERGED, reason="nan") for s in (4,)]
    failed = [trial("freeze", "0.9", 5, None, outcome=names.FAILED, reason="KeyError")]
    at = standing(plan("0.9"), frame([*made, *diverged, *failed]))
    assert at.complete == {0, 1, 2, 3, 4} and not at.is_finished


def test_the_same_trials_are_one_look() -> None:
    some = standing(plan("0.9"), frame(rows("0.9", seeds=3)))
    assert some.data == standing(plan("0.9"), frame(rows("0.9", seeds=3)[::-1])).data
    assert some.data != standing(plan("0.9"), frame(rows("0.9", seeds=4))).data
    seen = plan("0.9", taken={some.data: Look(time=1.0, seeds=3, trials=6, command="table")})
    assert "Look 1, at 3 of 6 seeds: level 0.00305" in plan_words(analysed(rows("0.9", seeds=3), seen))
    assert "Look 2, at 4 of 6 seeds" in plan_words(analysed(rows("0.9", seeds=4), seen))


def test_a_look_marks_only_what_is_below_its_level() -> None:
    noise = np.array([0.0, 0.02, 0.011])
    made = [trial("snip", "0.9", s, 0.90) for s in range(3)]
    made += [trial("freeze", "0.9", s, 0.96 + float(noise[s])) for s in range(3)]
    looked, unplanned = analysed(made, plan("0.9")), analyses(frame(made), View())[0]
    (c,), (same,) = looked.primary.comparisons, unplanned.primary.comparisons
    assert 0.00305 < c.p == same.p <= 0.05
    assert (c.verdict, same.verdict) == ("", "higher") and looked.view.alpha == 0.00305


def test_the_family_is_that_of_the_plan() -> None:
    made = rows("0.9", "0.99")
    one, other = analysed(made, plan("0.9")).primary.comparisons
    assert (str(one.rate), one.family, one.p_holm) == ("0.9", 1, one.p)
    assert (str(other.rate), other.family) == ("0.99", 2)  # not planned: over all pairs of the store
    lacking = analysed(rows("0.9"), plan("0.9", "0.99", "0.995"))
    (alone,) = lacking.primary.comparisons
    assert (alone.family, alone.p_holm) == (3, pytest.approx(3 * alone.p)) and lacking.primary.size == 3


def test_planned_comparisons_have_the_seeds_of_the_look_only() -> None:
    made = [*rows("0.9"), *rows("0.99", seeds=3)]
    counts = {str(c.rate): c.seeds for c in analysed(made, plan("0.9", "0.99")).primary.comparisons}
    assert counts == {"0.9": (0, 1, 2), "0.99": (0, 1, 2)}
    beyond = [*rows("0.9", seeds=9)]
    assert analysed(beyond, plan("0.9")).primary.comparisons[0].seeds == SEEDS


def test_as_planned() -> None:
    analysis = analysed(rows("0.9"), plan("0.9"))
    assert departures(analysis) == []
    words = plan_words(analysis)
    assert words.endswith("All seeds are there: level 0.04899. As planned.")
    assert "1 comparison, 6 seeds, looks at 3 and 6 seeds, a level of 0.05 spent by O’Brien–Fleming." in words


@pytest.mark.parametrize(
    ("made", "changed", "options", "said"),
    [
        (rows("0.9", seeds=8), {}, {}, "seed 6, seed 7 added, in no test of the plan"),
        (rows("0.9", "0.99"), {}, {}, "comparisons added, corrected over all 2: freeze − snip at 0.99"),
        (
            [*rows("0.9"), *(trial("grasp", "0.9", s, 0.9) for s in SEEDS)],
            {},
            {},
            "methods added: grasp 0.9",
        ),
        (rows("0.9"), {"time": 5.0}, {}, "12 trials began before the plan was stored"),
        (rows("0.9"), {}, {"test": "permutation", "left_to_plan": ()}, "test permutation where t is planned"),
        (rows("0.9"), {}, {"margin": 0.01, "left_to_plan": ()}, "margin 1 points, not the planned 0.5 points"),
        (rows("0.9"), {}, {"alpha": 0.1, "left_to_plan": ()}, "another level spent than the planned 0.05"),
        (rows("0.9", seeds=4), {}, {}, "looked at 4 seeds, not only at 3 and 6"),
    ],
)
def test_each_departure_is_named(
    made: list[dict[str, Any]], changed: dict[str, Any], options: dict[str, Any], said: str
) -> None:
    analysis = analysed(made, replace(plan("0.9"), **changed), **options)
    assert departures(analysis) == [said]
    assert plan_words(analysis).endswith(f"Departures from the plan: {said}.")
    assert looks([analysis], []) == [f"Not as planned (p): {said}."]


def test_what_is_left_out_is_named_once_the_others_are_whole() -> None:
    assert departures(analysed(rows("0.9", seeds=3), plan("0.9", "0.99"))) == []
    said = "left out of the family, and still counted in it: freeze − snip at 0.99"
    assert said in departures(analysed(rows("0.9"), plan("0.9", "0.99")))


def test_lost_trials_are_named() -> None:
    lost = [trial("freeze", "0.9", 5, None, outcome=names.DIVERGED, reason="nan")]
    assert departures(analysed([*rows("0.9", frozen=5), *lost], plan("0.9"))) == ["1 planned trial diverged"]


def test_seeds_that_were_added_after_a_look() -> None:
    seen = plan("0.9", taken={"0": Look(time=-0.5, seeds=3, trials=6, command="table")})
    (said,) = departures(analysed(rows("0.9", seeds=7), seen))
    assert said == "seed 6 added after a look, in no test of the plan"


def test_what_nobody_asked_for_is_the_plans() -> None:
    strict = plan("0.9", alpha=0.01, test="wilcoxon", margin=0.01)
    view = analysed(rows("0.9"), strict).view
    assert (view.test, view.margin, view.alpha) == ("wilcoxon", 0.01, level_at(6, 6, [3], "obrien-fleming", 0.01))
    assert departures(analysed(rows("0.9"), strict)) == []


def test_a_store_without_a_plan_says_how_often_it_could_be_looked_at() -> None:
    (analysis,) = analyses(frame(rows("0.9")), View())
    commands = [Command("run --seeds 5", "a", 10), Command("run --seeds 10", "a", 20), Command("tune", "a", 0)]
    (line,) = looks([analysis], commands)
    assert line.startswith("Nothing was planned: no plan in the store says before the first trial what is compared")
    assert "Sweep a was made by 2 commands, for 10, then 20 trials: it could be looked at 1 time before." in line
    (once,) = looks([analysis], commands[:1])
    assert once.endswith("and at how many seeds.") and "Sweep" not in once
    assert plan_words(analysis) == "" and departures(analysis) == []


def test_a_record_is_the_same_again_from_json() -> None:
    record = plan("0.9", "0.99").record
    assert record_of(record.as_json()) == record


def look(*at: int, seeds: int = 0) -> dict[str, Look]:
    return {"x": Look(time=0.0, seeds=seeds or len(at), trials=8, command="table", at=at)}


@pytest.mark.parametrize(
    ("earlier", "seeds", "nested"),
    [
        (look(0, 1, 2), (0, 1, 2, 3), True),
        (look(0, 1, 2, 3), (0, 1, 2), False),  # fewer
        (look(0, 1, 2), (1, 2, 3, 4), False),  # more, and others
        (look(0, 1, 2), (3, 4, 5), False),  # as many others
        (look(seeds=4), (0, 1, 2), False),  # of an earlier version: only the number is known
        (look(seeds=3), (0, 1, 2, 3), True),
        (look(5), (0, 1, 2), True),  # one seed had no test
    ],
)
def test_a_look_that_lacks_seeds_of_an_earlier_one_is_not_judged(
    earlier: dict[str, Look], seeds: tuple[int, ...], nested: bool
) -> None:
    made = [trial("snip", "0.9", s, 0.80 + 0.00001 * (s % 2)) for s in seeds]
    made += [trial("freeze", "0.9", s, 0.90) for s in seeds]
    analysis = analysed(made, plan("0.9", taken=earlier))
    (c,) = analysis.primary.comparisons
    assert c.p < 1e-6 and (c.verdict, c.judged) == (("higher", True) if nested else ("", False))
    said = "an earlier look at the plan was at seeds that are not in this one, and looks must be nested"
    assert any(said in phrase for phrase in departures(analysis)) is not nested
    assert (f"Not as planned: {said}. Nothing is judged." in plan_words(analysis)) is not nested
    assert ("not judged" in verdict(analysis, c)) is not nested
    assert answer_of([analysis])[0].endswith(f"is judged: {said}.") is not nested
    assert how_to_read([analysis]).count("Established: p ≤") == nested


def test_equal_figures_of_a_look_that_is_not_nested_are_not_called_equivalent() -> None:
    made = [trial(m, "0.9", s, 0.90 + 1e-6 * (s % 2) * (m == "snip")) for m in PAIR.values() for s in range(3)]
    judged, unjudged = analysed(made, plan("0.9")), analysed(made, plan("0.9", taken=look(0, 1, 2, 3)))
    assert judged.primary.comparisons[0].equivalent and not unjudged.primary.comparisons[0].equivalent


TWO = [*rows("0.9", "0.99"), *(trial("grasp", r, s, 0.88 + 0.001 * s) for r in ("0.9", "0.99") for s in SEEDS)]


def shown(format: str, part: str | None = None, made: list[dict[str, Any]] = TWO, **options: Any) -> str:
    store = frame(made)
    view = View(**{"plans": [standing(plan("0.9"), store)], "left_to_plan": ALL, **options})
    return (
        whole.render(store, view, format=format) if part is None else part_page.render(store, view, part, format=format)
    )


SAID = ["comparisons added, corrected over all 2: freeze − snip at 0.99", "methods added: grasp 0.9, grasp 0.99"]


@pytest.mark.parametrize("part", [None, "difference", "accuracy", "reference", "dense"])
def test_json_tells_the_plan(part: str | None) -> None:
    made = [*TWO, *(trial("dense", "0", s, 0.95) for s in SEEDS)]
    (section,) = json.loads(shown("json", part, made))["sections"]
    told = section["plan"]
    assert (told["name"], told["as_planned"], told["departures"], told["level"]) == ("p", False, SAID, 0.04899)
    assert (told["looks"], told["seeds_seen"], told["finished"], told["alpha"]) == ([3, 6], list(SEEDS), True, 0.05)
    if part != "reference":  # without grasp it has nothing but the twin
        (as_it_was,) = json.loads(shown("json", part, [*rows("0.9"), *made[-6:]]))["sections"]
        assert (as_it_was["plan"]["as_planned"], as_it_was["plan"]["departures"]) == (True, [])


def test_each_comparison_says_whether_it_is_planned_and_at_which_level() -> None:
    (section,) = json.loads(shown("json"))["sections"]
    named = [(c["rate"], c["planned"], c["level"]) for c in section["freeze_minus_prune"]]
    assert named == [("0.9", True, 0.04899), ("0.99", False, 0.04899)]
    assert {c["planned"] for c in section["comparisons"]} == {False}
    rows_of = list(csv.DictReader(shown("csv", "difference").splitlines()))
    assert [(r["plan"], r["as_planned"], r["planned"], r["level"]) for r in rows_of] == [
        ("p", "False", "True", "0.04899"), ("p", "False", "False", "0.04899"),
    ]  # fmt: skip
    assert {r["departures"] for r in rows_of} == {"; ".join(SAID)}
    assert {r["level"] for r in csv.DictReader(shown("csv").splitlines())} == {"0.04899"}


def test_a_look_that_is_not_judged_has_no_level_in_json() -> None:
    store = frame(rows("0.9", seeds=3))
    view = View(plans=[standing(plan("0.9", taken=look(0, 1, 2, 3)), store)], left_to_plan=ALL)
    (section,) = json.loads(part_page.render(store, view, "difference", format="json"))["sections"]
    assert section["plan"]["level"] is None and section["plan"]["as_planned"] is False
    assert [(c["level"], c["verdict"]) for c in section["records"]] == [(None, "")]


@pytest.mark.parametrize("format", ["github", "html", "latex"])
def test_a_part_says_the_plan_and_marks_what_is_not_planned(format: str) -> None:
    page = shown(format, "difference")
    assert "Departures from the plan: comparisons added, corrected over all 2" in page
    assert "not planned." in page
    assert "plan" not in shown(format, "storage").lower()
    (marked,) = [
        line for line in shown("github", "difference").splitlines() if line.startswith("| freeze") and "#" in line
    ]
    assert "| 0.99 " in marked and marked.rstrip("| ").endswith("#")


def test_another_figure_is_not_planned() -> None:
    made = [row | {names.VALIDATION_ACCURACY: 0.9 + 0.001 * i} for i, row in enumerate(rows("0.9"))]
    words = "Plan p is of test accuracy: nothing here is planned."
    assert words in shown("github", made=made, metric=names.VALIDATION_ACCURACY)
    (section,) = json.loads(shown("json", made=made, metric=names.VALIDATION_ACCURACY))["sections"]
    assert (section["plan"]["name"], section["plan"]["as_planned"]) == ("p", None)


def test_the_answer_says_the_plan() -> None:
    store = frame(TWO)
    view = View(plans=[standing(plan("0.9"), store)], left_to_plan=ALL)
    assert answer(store, view)[-1].startswith("Plan p, stored ")


def test_a_section_of_another_start_has_no_departures() -> None:
    started = [trial(method, "0.9", seed, 0.9 + 0.001 * seed, start=BASE) for method in PAIR.values() for seed in SEEDS]
    made = [*rows("0.9", "0.99"), *started]
    store = frame(made)
    every = analyses(store, View(plans=[standing(plan("0.9"), store)], left_to_plan=ALL))
    assert [bool(departures(analysis)) for analysis in every] == [True, False]
    assert len(looks(every, [])) == 1
