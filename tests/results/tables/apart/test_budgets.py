"""Methods that end at a budget: one table, each against uniform width of its budget, and in no verdict with others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from trial_frames import frame, small, trial

from bench import names
from bench.methods import METHODS, Method
from bench.results.parts.whole import render
from bench.results.statistics.analysis import Analysis, analyses
from bench.results.statistics.view import View
from bench.results.tables.apart import changing_masks
from bench.results.tables.apart.budgets import TITLE, blocks, comparisons
from bench.results.tables.costs import computed, stored
from bench.results.tables.exclusions import warnings
from bench.results.tables.formats import Grid
from bench.results.tables.section_page import section

VIEW = View(classes={"digits": 10})
ACCURACIES = {"budget-gate": 0.95, "network-slimming": 0.90, "random-channels": 0.80, "uniform-width": 0.92}


def method(name: str, macs: float) -> Method:
    return replace(METHODS[name], macs=macs)  # type: ignore[call-arg]


def rows(macs: float, *, without: str = "") -> list[dict[str, Any]]:
    return [
        {
            **trial(
                f"{name}:macs={macs:g}",
                "0.9",
                seed,
                accuracy + 0.001 * (order * seed % 5),
                record=method(name, macs).record(),
            ),
            names.STORED_PARAMETERS: 1000.0 + seed,
            names.FORWARD_MACS: 3000.0,
            names.BACKWARD_MACS: 6000.0,
            **({names.TRAINING_MACS: 4e6} if method(name, macs).changes_masks else {"init_sha256": f"{name}{seed}"}),
        }
        for order, (name, accuracy) in enumerate(ACCURACIES.items(), start=1)
        for seed in range(5)
        if name != without
    ]


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    (one,) = analyses(frame([*small(), *rows(0.5), *rows(0.4, without="uniform-width")]), VIEW)
    return one


def test_they_are_in_no_comparison_with_methods_that_choose_weights(analysis: Analysis) -> None:
    (without,) = analyses(frame(small()), VIEW)
    assert analysis.primary.whole == without.primary.whole
    assert analysis.secondary.comparisons == without.secondary.comparisons
    assert [*changing_masks.blocks(analysis)] == []
    assert stored(analysis).rows == stored(without).rows and computed(analysis).rows == computed(without).rows
    assert warnings(analysis) == warnings(without)  # of parameters and initial weights that are others by design


def test_each_is_compared_with_uniform_width_of_its_budget(analysis: Analysis) -> None:
    compared = comparisons(analysis)
    assert [(c.label, c.reference, c.family) for c in compared] == [
        (f"{name}:macs=0.5", "uniform-width:macs=0.5", 3) for name in sorted(ACCURACIES) if name != "uniform-width"
    ]
    assert [c.difference for c in compared] == pytest.approx([0.03, -0.02, -0.12])
    assert [c.verdict for c in compared] == ["higher", "lower", "lower"]


def test_their_tables(analysis: Analysis) -> None:
    figures, against = blocks(analysis)
    assert isinstance(figures, Grid) and isinstance(against, Grid)
    named = {f"{name}:macs={macs}" for name in ACCURACIES for macs in ("0.4", "0.5")} - {"uniform-width:macs=0.4"}
    assert [row[0] for row in figures.rows] == sorted(named)
    by_label = {str(row[0]): row for row in figures.rows}
    gate, width = by_label["budget-gate:macs=0.5"], by_label["uniform-width:macs=0.5"]
    dense = 30 * (50_000 + 100_000)  # epochs and passes
    assert gate[1:4] == ["0.9", "95.20 ± 0.16", "5"] and gate[5:8] == ["1,000–1,004", "0.9006–0.9010", "3,000"]
    assert gate[8:] == ["4,000,000", f"×{4e6 / dense:.2f}"]
    assert width[8:] == ["270,000", f"×{30 * 9000 / dense:.2f}"]
    assert "Family: 3 comparisons, of such methods only." in against.caption
    titles = [block.title for block in section(analysis, []) if isinstance(block, Grid)]
    assert titles.count(TITLE) == 1 and titles.count(against.title) == 1
    assert not any("@" in str(entry) for row in figures.rows for entry in row)


def test_the_part_alone_and_words_of_channels() -> None:
    only = frame(rows(0.5))
    said = render(only, VIEW, format="github")
    assert "whole channels" in said and "whole filters" not in said
    with pytest.raises(ValueError, match=r"reference uniform-width:macs=0\.5: must be a method at initialisation"):
        analyses(only, View(reference="uniform-width:macs=0.5"))


def test_a_store_without_them_has_no_such_table() -> None:
    (one,) = analyses(frame(small()), VIEW)
    assert [*blocks(one)] == comparisons(one) == []
