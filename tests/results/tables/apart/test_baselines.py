"""Baselines: one table with what they cost, freezing at equal forward passes, a reference, and no verdict."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from trial_frames import frame, small, trial

from bench import names
from bench.methods import METHODS, SmallDense
from bench.results.parts.whole import render
from bench.results.statistics.analysis import Analysis, analyses
from bench.results.statistics.view import View
from bench.results.tables.apart import baselines, budgets
from bench.results.tables.costs import collapse, computed, stored
from bench.results.tables.exclusions import warnings
from bench.results.tables.formats import Grid
from bench.results.tables.section_page import section

VIEW = View(classes={"digits": 10})
COSTS = {names.STORED_PARAMETERS: 900.0, names.STORED_BYTES: 4000.0, names.BACKWARD_MACS: 1500.0}


def rows() -> list[dict[str, Any]]:
    """small-dense at two rates and once of equal bytes, and the classifier alone, at five seeds."""
    cells = [
        ("small-dense", "0.9", SmallDense(), 0.93, 800.0),
        ("small-dense", "0.99", SmallDense(), 0.90, 80.0),
        ("small-dense:equal=bytes", "0.9", SmallDense(equal="bytes"), 0.935, 1000.0),
        ("last-layer", "0.996", METHODS["last-layer"], 0.70, 50_000.0),
    ]
    return [
        {
            **trial(name, rate, seed, accuracy + 0.001 * (seed % 3), record=method.record()),
            **COSTS,
            names.FORWARD_MACS: macs,
            **({"init_sha256": f"{name}{rate}{seed}"} if name != "last-layer" else {}),
        }
        for name, rate, method, accuracy, macs in cells
        for seed in range(5)
    ]


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    (one,) = analyses(frame([*small(), *rows()]), VIEW)
    return one


def test_they_are_in_no_verdict_and_in_no_table_of_methods(analysis: Analysis) -> None:
    (without,) = analyses(frame(small()), VIEW)
    assert analysis.primary.whole == without.primary.whole
    assert analysis.secondary.comparisons == without.secondary.comparisons
    assert [*budgets.blocks(analysis)] == [] and budgets.comparisons(analysis) == []
    assert stored(analysis).rows == stored(without).rows and computed(analysis).rows == computed(without).rows
    assert warnings(analysis) == warnings(without)
    one, other = collapse(analysis), collapse(without)
    assert one is not None and other is not None and one.rows == other.rows
    assert [*baselines.blocks(without)] == []


def test_their_table(analysis: Analysis) -> None:
    figures = next(baselines.blocks(analysis))
    assert isinstance(figures, Grid) and figures.title == "Baselines"
    assert [row[:2] for row in figures.rows] == [
        ["last-layer", "0.996"], ["small-dense", "0.9"], ["small-dense", "0.99"], ["small-dense:equal=bytes", "0.9"],
        ["dense", "0"],
    ]  # fmt: skip
    assert figures.headers[-4:] == ["stored parameters", "stored bytes", "forward MACs", "backward MACs"]
    assert figures.rows[1][2] == "93.08 ± 0.08" and figures.rows[1][5:] == ["900", "4,000", "800", "1,500"]
    titles = [block.title for block in section(analysis, []) if isinstance(block, Grid)]
    assert titles.count("Baselines") == 1
    assert "in no verdict" in render(frame(rows()), VIEW, format="github")


def test_each_frozen_network_beside_the_largest_of_its_forward_pass(analysis: Analysis) -> None:
    tables = [block for block in baselines.blocks(analysis) if isinstance(block, Grid)]
    beside = next(table for table in tables if table.title == baselines.EQUAL_MACS)
    frozen = [cell for cell in analysis.shown if cell.background == "freeze" and cell.record.at_initialisation]
    small_dense = [row for row in beside.rows if row[4] == "small-dense"]
    assert [row[:2] for row in small_dense] == [[cell.label, format(cell.rate, "f")] for cell in frozen]
    assert {row[5] for row in small_dense} == {"0.9"}  # of the two the larger
    assert all(row[-1] == str(len(cell.values)) for row, cell in zip(small_dense, frozen, strict=True))


def test_the_largest_within_is_by_forward_passes_alone(analysis: Analysis) -> None:
    cells = {(c.label, format(c.rate, "f")): c for c in analysis.cells}
    small, smaller = cells["small-dense", "0.9"], cells["small-dense", "0.99"]

    def of(macs: float) -> Any:
        return replace(small, counts={names.FORWARD_MACS: (macs, macs)})

    assert baselines.largest_within(of(800), [small, smaller]) is small
    assert baselines.largest_within(of(799), [small, smaller]) is smaller
    assert baselines.largest_within(of(79), [small, smaller]) is None
    assert baselines.largest_within(replace(small, counts={}), [small]) is None


def test_as_a_reference_at_equal_rates() -> None:
    (one,) = analyses(frame([*small(), *rows()]), replace(VIEW, reference="small-dense"))
    methods = {(c.label, c.rate) for c in one.cells if c.rated and c.record.at_initialisation}
    rates = {cell.rate for cell in one.cells if cell.label == "small-dense"}
    assert {c.sides[0] for c in one.secondary.comparisons} == {key for key in methods if key[1] in rates}
    assert {c.reference for c in one.secondary.comparisons} == {"small-dense"}
    assert one.primary.whole == analyses(frame(small()), VIEW)[0].primary.whole
