"""What came out of a sweep, on its run in MLflow: the answer as its description; table, plots and report as artefacts.

Written after the last result is stored; what goes wrong here is a warning.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from bench.api.classes import classes_of, test_sizes
from bench.api.views import plans_of
from bench.messages import one_line, say, shortened
from bench.storage.mlflow_pages import DESCRIPTION
from bench.tags import PIECE

if TYPE_CHECKING:
    import pandas as pd

    from bench.results.statistics.view import View
    from bench.results.tables.formats import Block

TABLE, REPORT = "results.md", "report"  # the table's file, and how those of the report begin
WHERE = f"The table ({TABLE}), the plots and the whole report ({REPORT}.html) are in the tab Artifacts."


def describe(uri: str, name: str, *, changed: bool) -> None:
    """Write the page of a sweep of the store, unless it has one and nothing has changed since."""
    try:
        from bench.storage.mlflow_store import Store

        store = Store(uri)
        sweep = next(sweep for sweep in store.sweeps() if sweep.name == name)
        if not changed and sweep.described:
            return
        description, files = _page(uri, name)
        run = store.run(sweep.latest)
        for file, content in files.items():
            store.write(run, file, content)
        store.tag(run.id, DESCRIPTION, shortened(description, PIECE))  # last: it says what there is
    except Exception as error:  # the results are stored
        say(f"warning: the answer of {name} is not on its page in MLflow: {one_line(error)}")


def describe_changed(uri: str) -> None:
    """Write the page of every sweep of the store whose latest run has none."""
    from bench.storage.mlflow_store import Store

    for sweep in Store(uri).sweeps():
        if sweep.latest != sweep.described:
            describe(uri, sweep.name, changed=True)


def _page(uri: str, name: str) -> tuple[str, dict[str, bytes]]:
    """The description in Markdown, and file -> content."""
    from bench.results.frame.collect import collect
    from bench.results.page.report import FORMATS
    from bench.results.parts.whole import render
    from bench.results.statistics.analysis import analyses
    from bench.results.statistics.view import View
    from bench.results.tables.answer.sentences import answer_of, how_to_read
    from bench.results.tables.answer.sentences import plans_of as planned_words
    from bench.results.tables.formats import Picture

    whole = collect(uri)
    frame = _beside(whole, name)
    planned = plans_of(uri, whole)
    view = View(sweeps=[name], classes=classes_of(frame), test_images=test_sizes(frame), **planned)
    every = analyses(frame, view)
    lines = [*(f"- {line}" for line in answer_of(every)), "", how_to_read(every), *planned_words(every), "", WHERE]
    blocks = _report(uri, frame, view)
    pictures = {block.file: block.data for block in blocks if isinstance(block, Picture)}
    table, page = render(frame, view), FORMATS[".html"](blocks)
    return "\n".join(lines), {TABLE: table.encode(), f"{REPORT}.html": page.encode(), **pictures}


def _beside(frame: pd.DataFrame, sweep: str) -> pd.DataFrame:
    """The trials of the store with which those of the sweep are compared, of its data sets and networks; and the bases
    of all these.
    """
    import pandas as pd

    from bench.results.frame.cut import with_bases

    both = pd.MultiIndex.from_frame(frame[["dataset", "model"]])
    alike = both.isin(both[frame["sweeps"].map(lambda sweeps: sweep in sweeps)])
    return with_bases(frame, pd.Series(alike, index=frame.index))


def _report(uri: str, frame: pd.DataFrame, view: View) -> list[Block]:
    """The blocks of the report, as `report --name` makes them, but for the plots of a phone: half of its time."""
    from bench.results.frame.collect import commands
    from bench.results.frame.history import histories
    from bench.results.page.report import report
    from bench.results.plots.widths import PAGE

    shown = replace(view, controls=True, published=True)
    return report(frame, shown, partial(histories, uri), commands(uri), REPORT, widths=(PAGE,))
