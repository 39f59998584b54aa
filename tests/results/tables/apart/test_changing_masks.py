"""Methods whose masks change while training: in a group of their own, and in no verdict with others."""

from __future__ import annotations

import json
from typing import Any

import pytest
from trial_frames import METHODS, frame, small, trial

from bench import names
from bench.methods import METHODS as ALL
from bench.results.frame.method_record import (
    AT_INITIALISATION,
    BASELINES,
    CHANGING,
    TO_BUDGET,
    TRAINED_FIRST,
    canonical,
    method_record,
)
from bench.results.parts.whole import render
from bench.results.statistics.analysis import Analysis, analyses
from bench.results.statistics.view import View
from bench.results.tables.apart.changing_masks import TITLE, blocks, costs
from bench.results.tables.apart.group import comparisons
from bench.results.tables.apart.trained_first import blocks as trained_first_blocks
from bench.results.tables.costs import storage as stored_tables
from bench.results.tables.costs import stored
from bench.results.tables.exclusions import warnings
from bench.results.tables.formats import Grid
from bench.results.tables.section_page import section

VIEW = View(classes={"digits": 10})
LTH = ALL["lth"].record()


def changing() -> list[dict[str, Any]]:
    """RigL and its freezing twin, the best and the worst of all; and lottery tickets, in another group."""
    rows = [
        {
            **trial(name, "0.9", seed, accuracy + 0.001 * seed, record=ALL[name].record()),
            names.MEAN_LIVE_WEIGHTS: 2000.0 + seed,
            names.TRAINING_MACS: 4000.0,
        }
        for name, accuracy in (("rigl", 0.999), ("rigl-freeze", 0.5))
        for seed in range(5)
    ]
    tickets = [
        {**trial(name, "0.9", seed, 0.7, record=record), names.TRAINING_EPOCHS: 330}
        for name, record in (("lth", LTH), ("lth:background=freeze", {**LTH, "background": "freeze"}))
        for seed in range(5)
    ]
    return rows + tickets


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    (one,) = analyses(frame([*small(), *changing()]), VIEW)
    return one


def test_the_group_follows_from_the_record() -> None:
    groups = {name: method_record(canonical(method.record())).group for name, method in ALL.items()}
    assert {name for name, group in groups.items() if group == CHANGING} == {
        name for name, method in ALL.items() if method.changes_masks and groups[name] != TO_BUDGET
    }
    assert {name for name, group in groups.items() if group == TO_BUDGET} == {
        name
        for name, method in ALL.items()
        if (method.closes_channels or method.ends_at_budget) and groups[name] != BASELINES
    }
    assert {name for name, group in groups.items() if group == BASELINES} == {"small-dense", "last-layer"}
    assert groups["lth"] == groups["lt-sft"] == TRAINED_FIRST and groups["snip"] == AT_INITIALISATION
    assert all(method_record(canonical(record)).group == AT_INITIALISATION for record in METHODS.values())


def test_they_are_in_no_comparison_with_others(analysis: Analysis) -> None:
    (without,) = analyses(frame(small()), VIEW)
    assert analysis.primary.whole == without.primary.whole
    assert analysis.secondary.comparisons == without.secondary.comparisons
    (pair,) = comparisons(analysis, CHANGING)
    assert (pair.label, pair.reference, pair.family) == ("rigl-freeze", "rigl", 1)
    assert pair.difference == pytest.approx(-0.499)
    (ticket,) = comparisons(analysis, TRAINED_FIRST)
    assert (ticket.label, ticket.reference, ticket.family) == ("lth:background=freeze", "lth", 1)


def test_their_tables(analysis: Analysis) -> None:
    figures, pairs = blocks(analysis)
    assert isinstance(figures, Grid) and figures.title == TITLE
    assert [row[:4] for row in figures.rows] == [
        ["rigl", "0.9", "100.10 ± 0.16", "5"],
        ["rigl-freeze", "0.9", "50.20 ± 0.16", "5"],
    ]
    assert [row[-1] for row in figures.rows] == ["2,000–2,004"] * 2
    assert isinstance(pairs, Grid) and pairs.title == "Freeze − prune, masks change while training (points)"
    assert "Family: 1 comparison, of such methods only." in pairs.caption
    (cost,) = costs(analysis)
    assert isinstance(cost, Grid) and [row[4] for row in cost.rows] == ["4,000", "4,000"]
    tickets, _ = trained_first_blocks(analysis)
    assert isinstance(tickets, Grid) and [row[0] for row in tickets.rows] == ["lth", "lth:background=freeze"]
    titles = [block.title for block in section(analysis, []) if isinstance(block, Grid)]
    assert titles.count(TITLE) == 1


def test_json_has_them_apart() -> None:
    (section_of,) = json.loads(render(frame([*small(), *changing()]), VIEW, format="json"))["sections"]
    assert [pair["method"] for pair in section_of["freeze_minus_prune_changing_masks"]] == ["rigl-freeze"]
    assert section_of["changing_masks"][0]["mean_live_weights_most"] == 2004
    assert not {"rigl", "rigl-freeze"} & {c["method"] for c in section_of["comparisons"]}


def test_a_store_without_them_has_no_such_table() -> None:
    (one,) = analyses(frame(small()), VIEW)
    assert [*blocks(one)] == [*costs(one)] == []


def popup(rate: str) -> dict[str, Any]:
    return {
        **trial("edge-popup", rate, 0, 0.6, record=ALL["edge-popup"].record()),
        names.STORED_PARAMETERS: 410.0,
        names.MASK_BYTES: 15_612.0,
        names.STORED_BYTES: 17_923.0,
        names.COMPRESSION_BYTES: 59.5,
    }


def test_rates_of_masks_alone_are_no_rates_of_stored_weights() -> None:
    (one,) = analyses(frame([*small(), popup("0.37")]), VIEW)
    rows, alone = stored_tables(one)
    assert rows.rows == stored(analyses(frame(small()), VIEW)[0]).rows
    assert [row[:2] for row in alone.rows] == [["edge-popup", "0.37"]]
    assert [*stored_tables(analyses(frame([popup("0.37")]), VIEW)[0])] == [alone]


def test_a_network_of_seed_and_mask_is_stored_beside_the_others() -> None:
    (one,) = analyses(frame([*small(), popup("0.9")]), VIEW)
    rows, alone = stored_tables(one)
    without = stored(analyses(frame(small()), VIEW)[0])
    assert rows.rows == without.rows
    assert [row[:2] + row[3:] for row in alone.rows] == [["edge-popup", "0.9", "410", "15,612", "17,923", "×59.5"]]
    assert not any("equally many" in line for line in warnings(one))
