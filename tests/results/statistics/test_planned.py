"""A plan held against trials: how far they are, the family and the level of a look, and every departure."""

from __future__ import annotations

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
from bench.results.statistics.analysis import Analysis, analyses
from bench.results.statistics.planned import Standing, standing
from bench.results.statistics.spending import level_at, rounded_down
from bench.results.statistics.view import View
from bench.results.tables.plan_words import departures, plan_words

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
        (rows("0.9"), {}, {"margin": 0.01, "left_to_plan": ()}, "margin 1 where 0.5 points are planned"),
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


def test_a_look_at_fewer_seeds_than_an_earlier_one_is_a_departure() -> None:
    earlier = {"x": Look(time=0.0, seeds=4, trials=8, command="table")}
    words = departures(analysed(rows("0.9", seeds=3), plan("0.9", taken=earlier)))
    assert "a look at 4 seeds came before this one at fewer, whose level does not count it" in words
    assert not any(
        "fewer" in phrase for phrase in departures(analysed(rows("0.9", seeds=5), plan("0.9", taken=earlier)))
    )


def test_a_section_of_another_start_has_no_departures() -> None:
    started = [trial(method, "0.9", seed, 0.9 + 0.001 * seed, start=BASE) for method in PAIR.values() for seed in SEEDS]
    made = [*rows("0.9", "0.99"), *started]
    store = frame(made)
    every = analyses(store, View(plans=[standing(plan("0.9"), store)], left_to_plan=ALL))
    assert [bool(departures(analysis)) for analysis in every] == [True, False]
    assert len(looks(every, [])) == 1
