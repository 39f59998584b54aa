"""Methods whose background fades: rows of their own, in no verdict of freeze or prune, and what they cost."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from rendered import render, view
from scaled_trials import scaled
from trial_frames import METHODS, frame, small, trial

from bench import names
from bench.results.frame.collect import Command
from bench.results.frame.errors import NothingToShowError
from bench.results.frame.method_record import canonical, method_record
from bench.results.frame.stored_spec import stored_spec
from bench.results.page.report import report
from bench.results.parts import part_page
from bench.results.plots.plot_style import styles
from bench.results.statistics.analysis import Analysis, analyses
from bench.results.statistics.cells import connected
from bench.results.statistics.comparisons import Rules
from bench.results.statistics.scales import scale_curves
from bench.results.tables.costs import computed
from bench.results.tables.html_page.page import page
from bench.results.tables.published import matches

FADES: dict[str, dict[str, Any]] = {
    "freeze:fade=linear": {"fade": "linear"},
    "freeze:scale=0.5:fade=cosine:fade_to=0.25": {"background": 0.5, "fade": "cosine", "fade_to": 0.25},
}


def fading(rate: str = "0.9", collapsed: int = 0) -> list[dict[str, Any]]:
    rows = [
        trial(name, rate, seed, 0.99 + 0.001 * seed, record={**METHODS["freeze"], **how}, collapsed=collapsed)
        for name, how in FADES.items()
        for seed in range(5)
    ]
    return [{**row, names.TRAINING_MACS: 4_000_000.0} for row in rows]


STORE = [*small(), *fading()]


def no_history(runs: Any, metric: str) -> pd.DataFrame:
    return pd.DataFrame({"run_id": [], "epoch": [], "value": []})


def analysis_of(rows: list[dict[str, Any]], **options: Any) -> Analysis:
    (one,) = analyses(frame(rows), view(**options))
    return one


def test_its_background_is_the_first_and_the_last_scale() -> None:
    cells = {cell.label: cell for cell in analysis_of(STORE).cells if cell.record.fades}
    assert [cell.background for cell in cells.values()] == ["1 to 0", "0.5 to 0.25"]
    assert [cell.record.costs_as for cell in cells.values()] == ["prune", "freeze"]
    assert [cell.ends_pruned for cell in cells.values()] == [True, False]
    assert all(cell.record.scale is None and not cell.record.is_scaled for cell in cells.values())
    assert all(cell.record.at_initialisation for cell in cells.values())


def test_it_is_in_no_verdict_of_freeze_or_prune() -> None:
    with_fades, without = analysis_of(STORE), analysis_of(small())
    assert with_fades.primary.whole == without.primary.whole
    assert with_fades.twin == without.twin == "freeze"
    assert {c.label for c in with_fades.secondary.comparisons} >= FADES.keys()
    only = analysis_of([*fading(), *(row for row in small() if row["method"] == "snip")])
    assert only.primary.whole == [] and only.twin is None


def test_it_is_no_point_of_a_curve_over_scales() -> None:
    for rows in (STORE, fading()):
        assert scale_curves(analysis_of(rows).cells, Rules()) == []
    alike = scale_curves(analysis_of([*small(), *scaled()]).cells, Rules())
    assert scale_curves(analysis_of([*STORE, *scaled()]).cells, Rules()) == alike
    with pytest.raises(NothingToShowError, match="part scale"):
        part_page.render(frame(STORE), view(), "scale")


def test_it_is_no_published_figures_method() -> None:
    fields = {"dataset": "mnist", "model": "lenet-5-caffe"}
    ways: dict[str, dict[str, Any]] = {"freeze": {}, **FADES}
    rows = [trial(name, "0.995", 0, 0.98, record={**METHODS["freeze"], **how}, **fields) for name, how in ways.items()]
    assert {cell.label for cell, _ in matches(analysis_of(rows))} == {"freeze"}


def test_without_a_path_a_network_that_has_faded_to_zero_is_out() -> None:
    cells = {cell.label: cell for cell in connected(analysis_of([*small(), *fading("0.95", collapsed=1)]).cells)}
    zero, quarter = (cells[name] for name in FADES)
    assert not zero.values and len(quarter.values) == 5


def test_what_training_computes_has_a_table_of_its_own() -> None:
    whole = render(frame(STORE))
    assert "What a training computes if the background fades" in whole and "4,000,000" in whole
    assert "Without methods whose background fades while training" in whole
    assert "Fading while they are trained, and in no verdict of freeze or prune: freeze:fade=linear" in whole
    assert "fades" not in render(frame(small())).replace("fades in", "")
    plain = [row[1:] for row in computed(analysis_of(small())).rows]
    assert [row[1:] for row in computed(analysis_of(STORE)).rows] == plain


def test_the_report_has_it_too() -> None:
    made = report(frame(STORE), view(), no_history, [Command("run", "a", 0)], "report")
    assert "What a training computes if the background fades" in page(made)


@pytest.mark.parametrize("wrong", [{"fade": "linear", "fade_to": "half"}, {"fade": "cosine", "fade_to": None}])
def test_a_damaged_record_costs_its_own_row(wrong: dict[str, Any]) -> None:
    spec = {"dataset": "d", "model": "m", "rate": "0.9", "seed": 0, "method": {**METHODS["freeze"], **wrong}}
    with pytest.raises(ValueError, match="its spec is damaged: method"):
        stored_spec({names.SPEC: canonical(spec)})


def test_an_own_field_of_an_earlier_plug_in_is_none_of_it() -> None:
    record = method_record(canonical({**METHODS["freeze"], "fade": 0.3}))
    assert not record.fades and record.scale == 1.0 and record.background == "freeze"


def test_each_way_to_fade_has_a_look_of_its_own() -> None:
    cosine = [
        trial("freeze:fade=cosine", "0.9", s, 0.9, record={**METHODS["freeze"], "fade": "cosine"}) for s in range(5)
    ]
    every = styles(frame([*STORE, *scaled(), *cosine]))
    looks = {(style.colour, style.line, style.marker) for style in every.values()}
    assert len(looks) == len(every)
    of_others = styles(frame([*small(), *scaled()]))
    assert all(every[record].colour == style.colour for record, style in of_others.items())
