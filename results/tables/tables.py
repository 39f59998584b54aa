"""`render`: from the tidy frame to the table, in five formats."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import pandas as pd

from bench import names as store
from bench.results.frame.errors import unknown
from bench.results.statistics.analysis import Analysis, View, analyses
from bench.results.statistics.comparisons import Test
from bench.results.statistics.ranks import Ranking, rank
from bench.results.tables import export, formats, rank_table
from bench.results.tables.formats import Block
from bench.results.tables.section_page import report

FORMATS: dict[str, Callable[[Sequence[Analysis], Ranking | None], str]] = {
    "github": lambda analyses, ranking: formats.github(_whole(analyses, ranking)),
    "latex": lambda analyses, ranking: formats.latex(_whole(analyses, ranking)),
    "csv": lambda analyses, _: export.csv(analyses),
    "html": lambda analyses, ranking: formats.page(_whole(analyses, ranking)),
    "json": lambda analyses, ranking: export.as_json(analyses, rank_table.record(ranking) if ranking else None),
}


def _whole(analyses: Sequence[Analysis], ranking: Ranking | None) -> list[Block]:
    return [*report(analyses), *(rank_table.section(ranking) if ranking else [])]


def render(
    frame: pd.DataFrame,
    *,
    format: str = "github",
    reference: str = "snip",
    test: Test = "t",
    margin: float | None = 0.005,
    alpha: float = 0.05,
    metric: str = store.TEST_ACCURACY,
    names: Collection[str] = (),
    methods: Collection[str] = (),
    rates: Collection[str] = (),
    published: bool = False,
    controls: bool = False,
    ranks: bool = False,
    classes: Mapping[str, int] | None = None,
    test_images: Mapping[str, int] | None = None,
) -> str:
    """The report on a frame of `collect`: a section per data set, model and protocol. Depends on nothing but these.

    Args:    format: a name of FORMATS.
             reference: the method that every other is compared with, at the same rate.
             test: "t", "wilcoxon" or "permutation"; margin: of equivalence, in units of the metric; None = not judged.
             metric: a name of `bench.names.METRICS`.
             names, methods, rates: sweeps, methods and rates to show (all where empty); they change no number.
             published: whether to show published figures beside, with what tells their protocols from these.
             controls: whether to show sanity controls beside their methods.
             ranks: whether to rank the methods shown over all data sets, networks and rates; not with format "csv".
             classes, test_images: data set -> number of classes, number of test images.
    Raises:  ValueError naming the value and what is allowed, for any argument that is none of the known.
    """
    if format not in FORMATS:
        raise unknown("format", format, FORMATS)
    if ranks and format == "csv":
        others = ", ".join(name for name in FORMATS if name != format)
        raise ValueError(f"format csv with ranks: allowed are {others}; they are no record of a cell")
    view = View(
        reference=reference,
        test=test,
        margin=margin,
        alpha=alpha,
        metric=metric,
        names=names,
        methods=methods,
        rates=rates,
        published=published,
        controls=controls,
        classes=classes or {},
        test_images=test_images or {},
    )
    return FORMATS[format](analyses(frame, view), rank(frame, view) if ranks else None)
