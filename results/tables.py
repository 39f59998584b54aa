"""`render`: from the tidy frame to the table, in five formats."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import pandas as pd

from bench import names as store
from results import formats, records
from results.analysis import Analysis, View, analyses
from results.cells import Test
from results.choices import unknown
from results.report import report

FORMATS: dict[str, Callable[[Sequence[Analysis]], str]] = {
    "github": lambda analyses: formats.github(report(analyses)),
    "latex": lambda analyses: formats.latex(report(analyses)),
    "csv": records.csv,
    "html": lambda analyses: formats.page(report(analyses)),
    "json": records.as_json,
}


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
             classes, test_images: data set -> number of classes, number of test images.
    Raises:  ValueError naming the value and what is allowed, for any argument that is none of the known.
    """
    if format not in FORMATS:
        raise unknown("format", format, FORMATS)
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
    return FORMATS[format](analyses(frame, view))
