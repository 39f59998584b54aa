"""Cells, comparisons and sections: who is paired with whom, and what counts as lost."""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from typing import Any

import pytest
from trial_frames import METHODS, frame, small, trial

from bench import names
from bench.results.frame.sections import differing, sections
from bench.results.statistics.analysis import analyse
from bench.results.statistics.cells import Cell, cells, connected, diverged_as, percent_of_dense, twin
from bench.results.statistics.comparisons import Comparison, Rules, compare, family_of, reference_pairs
from bench.results.statistics.view import View

RULES: dict[str, Any] = {"test": "t", "margin": 0.005, "alpha": 0.05}


def family(all_cells: list[Cell], reference: str, **rules: Any) -> list[Comparison]:
    return family_of(reference_pairs(all_cells, reference), Rules(**rules))


def small_cells() -> dict[tuple[str, str], Cell]:
    (section,) = sections(frame(small()))
    return {(c.label, str(c.rate)): c for c in cells(section, names.TEST_ACCURACY)}


def test_a_cell_tells_what_became_of_each_seed() -> None:
    cell = small_cells()["grasp", "0.99"]
    assert cell.values == pytest.approx({0: 0.80, 1: 0.81, 2: 0.82})
    assert cell.lost[3] == (names.DIVERGED, "loss is nan at epoch 2")
    assert cell.seeds_lost(names.FAILED) == [4]
    assert cell.missing == ()
    assert small_cells()["grasp", "0.9"].missing == (4,)
    assert small_cells()["snip", "0.99"].collapsed == {0, 1}


def test_a_done_trial_without_the_figure_is_named() -> None:
    (section,) = sections(frame([trial("snip", "0.9", 0, None), trial("snip", "0.9", 1, 0.9)]))
    (cell,) = cells(section, names.TEST_ACCURACY)
    assert cell.lost == {0: ("no figure", "test_accuracy was not recorded")}


def test_unknown_metric() -> None:
    (section,) = sections(frame(small()))
    with pytest.raises(ValueError, match="unknown metric 'accuracy': must be one of "):
        cells(section, "accuracy")


def test_pairs_are_the_seeds_both_have() -> None:
    made = small_cells()
    found = compare(made["grasp", "0.99"], made["snip", "0.99"], test="t", margin=0.005)
    assert found.seeds == (0, 1, 2)
    assert found.difference == pytest.approx((0.80 - 0.90 + 0.81 - 0.902 + 0.82 - 0.899) / 3)
    assert found.disconnected == 2


@pytest.mark.parametrize("rate", ["0.9", "0.99"])
def test_a_comparison_turned_is_that_of_the_reference_with_the_method(rate: str) -> None:
    pair = small_cells()["freeze", rate], small_cells()["snip", rate]
    ((one,), (other,)) = (family_of([sides], Rules(**RULES)) for sides in (pair, pair[::-1]))
    assert (one.verdict, other.verdict) == ("higher", "lower")
    nested = ("interval", "bootstrap", "two_way")
    plain, turned = ({n: v for n, v in asdict(c).items() if n not in nested} for c in (other, one.turned))
    assert turned == {n: pytest.approx(v, abs=1e-12) if isinstance(v, float) else v for n, v in plain.items()}
    for name in nested:
        assert asdict(getattr(one.turned, name)) == pytest.approx(asdict(getattr(other, name)), abs=2e-5, nan_ok=True)


def test_pairing_is_by_seed_not_by_place() -> None:
    rows = [trial("snip", "0.9", s, 0.1 * s) for s in (1, 2, 3)] + [trial("freeze", "0.9", s, 0.1 * s) for s in (3, 2)]
    (section,) = sections(frame(rows))
    made = {c.label: c for c in cells(section, names.TEST_ACCURACY)}
    found = compare(made["freeze"], made["snip"], test="t", margin=0.005)
    assert (found.n, found.difference, found.p, found.decided_by) == (2, 0.0, 1.0, "identical")


def test_the_family_is_every_method_but_reference_and_dense_at_every_rate() -> None:
    found = family(list(small_cells().values()), "snip", **RULES)
    assert {(c.label, str(c.rate)) for c in found} == {(m, q) for m in ("freeze", "grasp") for q in ("0.9", "0.99")}
    assert {c.family for c in found} == {4}


def test_dense_is_no_member_of_the_family() -> None:
    rows = [trial(m, "0", s, 0.9 + s / 100) for m in ("dense", "snip") for s in range(3)]
    (section,) = sections(frame(rows))
    assert family(cells(section, names.TEST_ACCURACY), "snip", **RULES) == []


def test_an_untestable_comparison_is_reported_and_counts_in_the_family() -> None:
    rows = [*small(), trial("freeze", "0.5", 0, 0.9), trial("snip", "0.5", 0, 0.8)]
    (section,) = sections(frame(rows))
    found = {(c.label, str(c.rate)): c for c in family(cells(section, names.TEST_ACCURACY), "snip", **RULES)}
    assert found["freeze", "0.5"].decided_by == "none"
    assert math.isnan(found["freeze", "0.5"].p_holm)
    assert {c.family for c in found.values()} == {5}


@pytest.mark.parametrize("test", ["wilcoxon", "permutation"])
@pytest.mark.parametrize(("n", "marked"), [(5, False), (6, True)])
def test_an_exact_test_puts_no_mark_that_n_cannot_reach(test: Any, n: int, marked: bool) -> None:
    rows = [trial("snip", "0.9", s, 0.5) for s in range(n)] + [
        trial("freeze", "0.9", s, 0.6 + s / 100) for s in range(n)
    ]
    (section,) = sections(frame(rows))
    (found,) = family(cells(section, names.TEST_ACCURACY), "snip", **{**RULES, "test": test})
    assert (found.verdict == "higher") is marked


def test_a_constant_difference_gets_no_mark_from_the_t_test_at_five_seeds() -> None:
    rows = [trial(m, "0.9", s, 0.5 + b) for s in range(5) for m, b in (("snip", 0.0), ("freeze", 0.25))]
    (section,) = sections(frame(rows))
    (found,) = family(cells(section, names.TEST_ACCURACY), "snip", **RULES)
    assert (found.decided_by, found.p, found.verdict) == ("permutation", 0.0625, "")


def test_later_holm_steps_do_not_lower_what_n_must_reach() -> None:
    # ten pairs reach a family of 2 and are rejected first; the six of the other method would pass the last Holm step
    rows = [trial("snip", "0.9", s, 0.5) for s in range(10)]
    rows += [trial("freeze", "0.9", s, 0.6 + s / 100) for s in range(10)]
    rows += [trial("grasp", "0.9", s, 0.4 - s / 100) for s in range(6)]
    (section,) = sections(frame(rows))
    found = {c.label: c for c in family(cells(section, names.TEST_ACCURACY), "snip", **{**RULES, "test": "wilcoxon"})}
    assert found["freeze"].verdict == "higher"
    assert found["grasp"].p_holm == pytest.approx(2**-5)
    assert found["grasp"].verdict == ""


def test_diverged_seeds_as_chance() -> None:
    made = small_cells()
    (changed,) = (c for c in diverged_as(list(made.values()), 0.1) if (c.label, str(c.rate)) == ("grasp", "0.99"))
    assert changed.values == pytest.approx({0: 0.80, 1: 0.81, 2: 0.82, 3: 0.1})
    assert changed.lost.keys() == {4}


def test_disconnected_seeds_leave_the_pruned_side_only() -> None:
    changed = {(c.label, str(c.rate)): c for c in connected(list(small_cells().values()))}
    assert list(changed["snip", "0.99"].values) == [2, 3, 4]
    assert list(changed["freeze", "0.99"].values) == [0, 1, 2, 3, 4]


def test_a_network_is_disconnected_where_no_live_weight_is_on_a_path() -> None:
    def made(**figures: float) -> Cell:
        (section,) = sections(frame([{**trial("snip", "0.9", 0, 0.9), **figures}]))
        (cell,) = cells(section, names.TEST_ACCURACY)
        return cell

    live = 1000.0
    assert made(disconnected_weights=live - 1).disconnected == frozenset()
    assert made(disconnected_weights=live).disconnected == {0}  # though every layer has live weights
    around = made(disconnected_weights=10.0, collapsed_layers=1.0)  # a shortcut leads around the empty layer
    assert (around.collapsed, around.disconnected) == ({0}, frozenset())
    assert made(disconnected_weights=math.nan, collapsed_layers=1.0).disconnected == {0}  # of an older version


def test_seeds_of_controls_alone_are_missing_nowhere() -> None:
    record = {**METHODS["snip"], "control": "shuffle"}
    rows = [trial("snip", "0.9", seed, 0.9) for seed in range(2)]
    rows += [trial("snip:control=shuffle", "0.9", seed, 0.8, record=record) for seed in range(4)]
    (section,) = sections(frame(rows))
    assert section.seeds == [0, 1] and all(cell.complete for cell in cells(section, names.TEST_ACCURACY))
    (alone,) = sections(frame(rows[2:]))
    assert alone.seeds == [0, 1, 2, 3]


def test_percent_of_dense_is_the_mean_ratio_at_the_same_seed() -> None:
    cell = small_cells()["snip", "0.9"]
    one, other = replace(cell, values={0: 0.4, 1: 0.9, 2: 0.5}), replace(cell, values={0: 0.8, 1: 0.9})
    found, interval = percent_of_dense(one, other)
    assert (found.mean, found.n) == (75.0, 2)
    assert interval.high - 75 == pytest.approx(12.706204736 * 25)  # t of one degree of freedom · sd / √2
    assert interval.low == pytest.approx(150 - interval.high)


def test_the_twin_differs_in_its_background_only() -> None:
    made = list(small_cells().values())
    assert twin(made, "snip") == "freeze"
    assert twin(made, "grasp") is None


def test_sections_are_never_merged_and_name_what_differs() -> None:
    rows = [
        trial("snip", "0.9", 0, 0.9),
        trial("snip", "0.9", 0, 0.8, lr=0.05),
        trial("snip", "0.9", 0, 0.7, model="mlp"),
    ]
    found = sections(frame(rows))
    assert [s.title for s in found] == [
        "digits · lenet-5-caffe · lr = 0.05", "digits · lenet-5-caffe · lr = 0.1", "digits · mlp"
    ]  # fmt: skip
    assert [list(s.frame[names.TEST_ACCURACY]) for s in found] == [[0.8], [0.9], [0.7]]


def test_step_kinds_split_a_section_only_where_a_cell_has_two() -> None:
    rows = [
        trial("dense", "0", 0, 0.9, step="dense"),
        trial("snip", "0.9", 0, 0.8, step="dense"),
        trial("snip", "0.99", 0, 0.7, step="sparse"),
    ]
    (joined,) = sections(frame(rows))
    assert joined.title == "digits · lenet-5-caffe"
    assert joined.fields["step"] == "dense and sparse"
    assert list(joined.frame[names.TEST_ACCURACY]) == [0.9, 0.8, 0.7]
    split = sections(frame([*rows, trial("snip", "0.9", 1, 0.6, step="sparse")]))
    assert [s.title.rpartition(" · ")[2] for s in split] == ["step = dense", "step = sparse"]
    assert [list(s.frame[names.TEST_ACCURACY]) for s in split] == [[0.9, 0.8], [0.6, 0.7]]


def test_an_absent_field_differs_from_any_value() -> None:
    assert differing([{"a": 1, "b": None}, {"a": 1}]) == ["b"]
    assert differing([{"a": True}, {"a": 1}]) == ["a"]


def test_two_records_of_one_name_stay_apart() -> None:
    warm = {**METHODS["grasp"], "temperature": 200}
    rows = [
        trial("grasp", "0.9", 0, 0.9, record={**warm, "temperature": 1}),
        trial("grasp", "0.9", 0, 0.8, record=warm),
    ]
    rows.append(trial("snip", "0.9", 0, 0.7))
    (section,) = sections(frame(rows))
    made = {c.label: c.values[0] for c in cells(section, names.TEST_ACCURACY)}
    assert made == {"grasp (temperature=1)": 0.9, "grasp (temperature=200)": 0.8, "snip": 0.7}
    assert analyse([section], View(reference="grasp"))[0].reference is None
    assert analyse([section], View(reference="grasp (temperature=200)"))[0].reference == "grasp (temperature=200)"


def test_two_names_of_one_record_are_one_row() -> None:
    rows = [trial("snip", "0.9", 0, 0.9), trial("alias", "0.9", 1, 0.8, record=METHODS["snip"])]
    (section,) = sections(frame(rows))
    (cell,) = cells(section, names.TEST_ACCURACY)
    assert (cell.label, cell.values) == ("alias", {0: 0.9, 1: 0.8})


def test_verdicts_follow_the_adjusted_p_values() -> None:
    gains = (0.010, 0.012, 0.020, 0.024)  # t = 5.0, p = 0.015: marked alone, not in a family of four
    rows = [trial("snip", rate, s, 0.5) for rate in ("0.5", "0.7", "0.8", "0.9") for s in range(4)]
    rows += [trial("freeze", "0.9", s, 0.5 + gain) for s, gain in enumerate(gains)]
    (section,) = sections(frame(rows))
    (alone,) = family(cells(section, names.TEST_ACCURACY), "snip", **{**RULES, "margin": 0.03})
    assert 0.0125 < alone.p == alone.p_holm < 0.05 and alone.verdict == "higher"
    assert 0.0125 < alone.p_equivalence < 0.05 and alone.equivalent
    noise = (0.01, -0.02, 0.03, -0.01)
    rows += [trial("freeze", rate, s, 0.5 + d) for rate in ("0.5", "0.7", "0.8") for s, d in enumerate(noise)]
    (section,) = sections(frame(rows))
    found = {str(c.rate): c for c in family(cells(section, names.TEST_ACCURACY), "snip", **{**RULES, "margin": 0.03})}
    assert found["0.9"].p == alone.p and found["0.9"].p_holm == pytest.approx(4 * alone.p)
    assert found["0.9"].p_holm > 0.05
    assert found["0.9"].verdict == "" and found["0.9"].p_equivalence_holm > 0.05 and not found["0.9"].equivalent
