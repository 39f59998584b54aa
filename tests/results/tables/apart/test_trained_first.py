"""Methods whose masks follow from another training: in a group of their own, and in no verdict with others."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from trial_frames import METHODS, frame, small, trial

from bench import names
from bench.methods import METHODS as ALL
from bench.results.frame.method_record import canonical, method_record
from bench.results.page.section import section as page_section
from bench.results.parts.whole import render
from bench.results.statistics.analysis import Analysis, analyses
from bench.results.statistics.cells import compared_rates
from bench.results.statistics.ranks import rank
from bench.results.statistics.shown_cells import excerpts
from bench.results.statistics.view import View
from bench.results.tables import captions
from bench.results.tables.answer.sentences import answer
from bench.results.tables.apart.trained_first import TITLE, blocks
from bench.results.tables.formats import Grid
from bench.results.tables.section_page import section

LTH = ALL["lth"].record()
TWIN = {**LTH, "background": "freeze"}
VIEW = View(classes={"digits": 10})


def tickets() -> list[dict[str, Any]]:
    """Lottery tickets and their freezing twin, the best of all, at a level and at two rates that others have."""
    return [
        {**trial(name, rate, seed, accuracy + 0.001 * seed, record=record), names.TRAINING_EPOCHS: epochs}
        for name, record, accuracy in (("lth", LTH, 0.999), ("lth:background=freeze", TWIN, 0.5))
        for rate, epochs in (("0.892626", 330), ("0.9", 360), ("0.99", 660))
        for seed in range(5)
    ]


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    (only,) = analyses(frame([*small(), *tickets()]), VIEW)
    return only


def test_the_record_tells_the_group() -> None:
    assert not method_record(canonical(LTH)).at_initialisation
    assert all(method_record(canonical(record)).at_initialisation for record in METHODS.values())


def test_no_number_of_the_other_methods_changes(analysis: Analysis) -> None:
    (without,) = analyses(frame(small()), VIEW)
    for family in ("primary", "secondary"):
        mine, theirs = getattr(analysis, family).comparisons, getattr(without, family).comparisons
        assert [repr(c) for c in mine] == [repr(c) for c in theirs]
    assert answer(frame([*small(), *tickets()]), VIEW) == answer(frame(small()), VIEW)


def test_the_tables_of_the_others_are_the_same(analysis: Analysis) -> None:
    (without,) = analyses(frame(small()), VIEW)

    def tables(of: Analysis) -> dict[str, Grid]:
        return {block.title: block for block in section(of, ()) if isinstance(block, Grid)}

    mine, theirs = tables(analysis), tables(without)
    own = {TITLE, f"Freeze − prune, {TITLE.lower()} (points)"}
    assert mine.keys() - theirs.keys() == own
    shared = {"Collapse and dead paths", *(title for title in theirs if title.startswith("What each rate"))}
    assert all(mine[title] == grid for title, grid in theirs.items() if title not in shared)
    for title in shared - {"Collapse and dead paths"}:
        assert [row[0] for row in mine[title].rows] == [row[0] for row in theirs[title].rows]  # no level among them


def test_the_group_has_its_own_table_and_family(analysis: Analysis) -> None:
    figures, pairs = blocks(analysis)
    assert isinstance(figures, Grid) and isinstance(pairs, Grid)
    assert [row[:2] for row in figures.rows] == [
        [label, rate] for label in ("lth", "lth:background=freeze") for rate in ("0.892626", "0.9", "0.99")
    ]
    assert list(figures.rows[1]) == ["lth", "0.9", "100.10 ± 0.16", "5", "100.91", "360", "×12"]
    assert [row[:4] for row in pairs.rows] == [
        ["lth:background=freeze", "lth", rate, "5"] for rate in ("0.892626", "0.9", "0.99")
    ]
    assert "Family: 3 comparisons, of such methods only." in pairs.caption
    headings = [block.text for block in page_section(analysis, ()) if hasattr(block, "level")]
    assert TITLE in headings
    (plain,) = analyses(frame(small()), VIEW)
    assert list(blocks(plain)) == []


def test_a_reference_of_the_group_is_refused() -> None:
    store = frame([*small(), *tickets()])
    for reference in ("lth", "lth:background=freeze"):
        message = (
            f"^reference {reference}: must be a method at initialisation; methods that need another training first "
        )
        with pytest.raises(ValueError, match=message):
            analyses(store, View(reference=reference))
    (analysis,) = analyses(store, View(reference="grasp"))
    assert analysis.reference == "grasp"


def test_the_families_say_that_they_are_of_methods_at_initialisation(analysis: Analysis) -> None:
    (plain,) = analyses(frame(small()), VIEW)
    said = [f(of) for of in (analysis, plain) for f in (captions.primary_family, captions.secondary_family)]
    assert said[0].startswith("Family: 2 comparisons, every frozen method at initialisation with the pruned one that ")
    assert said[1].startswith("Family: 4 comparisons, every method at initialisation but snip and dense × every rate ")
    assert said[2].startswith("Family: 2 comparisons, every frozen method with the pruned one that ")
    assert said[3].startswith("Family: 4 comparisons, every method but snip and dense × every rate ")


def test_trials_of_their_own_epochs_alone_are_said_to_have_those(analysis: Analysis) -> None:
    rows = [{key: value for key, value in row.items() if key != names.TRAINING_EPOCHS} for row in tickets()]
    (only,) = analyses(frame([*small(), *rows]), VIEW)
    (figures, _) = blocks(only)
    assert isinstance(figures, Grid)
    assert {tuple(row[-2:]) for row in figures.rows} == {("30", "×1")}


def test_without_other_methods_the_tables_show_them(analysis: Analysis) -> None:
    dense = [row for row in small() if row["method"] == "dense"]
    text = render(frame([*dense, *tickets()]), VIEW)
    assert "| lth " in text and "0.892626" in text
    assert "Holm" not in text.partition(TITLE)[0]


def test_levels_are_at_no_rate_of_a_plot_and_in_no_rank() -> None:
    store = frame([*small(), *tickets()])
    (excerpt,) = excerpts(store, VIEW)
    assert excerpt.rates == [Decimal("0.9"), Decimal("0.99")] == compared_rates(excerpt.cells)
    assert {"lth", "snip"} <= {cell.label for cell in excerpt.cells}
    complete = [row for row in store.to_dict("records") if row["outcome"] == names.DONE and row["seed"] < 3]
    assert set(rank(frame([dict(row) for row in complete]), VIEW).means) == {"freeze", "snip", "grasp"}
