"""The commands that show the store: table, report, power, plot. Everything is checked before anything is written."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from bench import names
from bench.api.stored import existing_store
from bench.api.views import check_reference, plot_view, view_of, within
from bench.cli.plan.looking import plans_seen, record_looks
from bench.cli.requests.store import Filters, PlotRequest, PowerRequest, ReportRequest, TableRequest
from bench.disk import write_whole
from bench.messages import one_of, usage_errors
from bench.storage.store_uri import check_output
from bench.trial.grammar import parse_rates

if TYPE_CHECKING:
    import pandas as pd

    from bench.results.statistics.view import View


def print_table(request: TableRequest) -> int:
    """Print the table of the store on stdout; on a terminal, the answer and tables that fit it.

    Returns: 0, or 1 if the store has results of a trial that disagree.
    """
    with usage_errors():
        if request.part and (request.full or request.ranks):
            raise ValueError(f"--part {request.part} with --{'full' if request.full else 'ranks'}: must be one of both")
        asked = f"part {request.part}" if request.part else "the table"
        share = within(request.margin_points, asked, has_one=request.part == "start")
        filters = _filters(request)
        frame, uri = stored_trials(), existing_store()
        is_primary = request.metric == names.TEST_ACCURACY
        view = view_of(
            frame,
            reference=request.reference,
            test=request.test,
            margin=request.margin,
            alpha=request.alpha,
            metric=request.metric,
            **filters,
            within=share,
            published=request.published or request.part == "published" or (request.full and is_primary),
            controls=request.controls or request.part == "controls" or request.full,
            **plans_seen(uri, frame),
        )
        write = _table_writer(request, frame, view)
    record_looks(uri, frame, view, part=request.part)
    write()
    return _code(frame)


def _table_writer(request: TableRequest, frame: pd.DataFrame, view: View) -> Callable[[], None]:
    """What prints the table, all of it computed. Raises ValueError for what the store does not have."""
    if request.format is None and sys.stdout.isatty():
        from bench.results.terminal.screen import screen

        return screen(frame, view, part=request.part, ranks=request.ranks, full=request.full)
    format = request.format or "github"
    if request.part:
        from bench.results.parts import part_page

        table = part_page.render(frame, view, request.part, format=format)
    else:
        from bench.results.parts.whole import render

        table = render(frame, view, format=format, ranks=request.ranks)
    return partial(click.echo, table.rstrip("\n"))


def write_report(request: ReportRequest) -> int:
    """Write the whole store as one page into the file of `--output`; figures beside it if that is Markdown.

    Returns: as `print_table`.
    """
    with usage_errors():
        if (request.output is None) is not request.cite:
            raise ValueError("--output and --cite: must be one of both; --output FILE writes a page, --cite prints")
    if request.output is None:
        return _print_citation(request)
    file = request.output
    with usage_errors():
        from bench.results.frame.collect import commands
        from bench.results.frame.history import histories
        from bench.results.page.report import FORMATS, report
        from bench.results.tables.formats import Picture

        if file.suffix.lower() not in FORMATS:
            raise ValueError(f"output {file}: its suffix {one_of(FORMATS)}")
        check_output(f"output {file}", file)
        frame, uri = stored_trials(), existing_store()
        view = _page_view(request, uri, frame, controls=True, published=True)
        blocks = report(frame, view, partial(histories, uri), commands(uri), file.stem)
    record_looks(uri, frame, view)
    if file.suffix.lower() == ".md":
        for picture in (block for block in blocks if isinstance(block, Picture)):
            write_whole(file.with_name(picture.file), picture.data)
    write_whole(file, FORMATS[file.suffix.lower()](blocks).encode())
    return _code(frame)


def _code(frame: pd.DataFrame) -> int:
    """1 if the store has results of a trial that disagree, else 0."""
    return int((frame["conflict"] != "").any())


def _print_citation(request: ReportRequest) -> int:
    """Print a paragraph on the store's methods, and the BibTeX of what it cites."""
    with usage_errors():
        frame, uri = stored_trials(), existing_store()
        from bench.results.paper.cite import citation

        printed = citation(frame, _page_view(request, uri, frame))
    click.echo(printed.rstrip("\n"))
    return _code(frame)


def _page_view(request: ReportRequest, uri: str, frame: pd.DataFrame, **settings: Any) -> View:
    """The view of a page, or of what a paper says of it."""
    return view_of(
        frame,
        reference=request.reference,
        test=request.test,
        margin=request.margin,
        sweeps=[request.name] if request.name else [],
        **plans_seen(uri, frame),
        **settings,
    )


def print_power(request: PowerRequest) -> int:
    """Print how many seeds a difference needs."""
    with usage_errors():
        from bench.results.frame.errors import metric_of
        from bench.results.statistics.power import Aim
        from bench.results.statistics.view import View

        filters, difference = _filters(request), request.difference
        if difference is None and not metric_of(request.metric).is_accuracy:
            raise ValueError(f"metric {request.metric}: needs --difference, in its own unit")
        aim = Aim(difference=0.5 if difference is None else difference, alpha=request.alpha, power=request.power)
        frame = stored_trials()
        from bench.results.tables.power_table import render

        check_reference(request.reference, set(frame["method"]))
        view = View(reference=request.reference, metric=request.metric, **filters)
        table = render(frame, view, aim, format=request.format)
    click.echo(table.rstrip("\n"))
    return _code(frame)


def write_plot(request: PlotRequest) -> int:
    """Draw the store's figures into the file of `--output`."""
    file = request.output
    with usage_errors():
        from bench.results.plots.plots import check_metric, check_suffix, plot
        from bench.results.plots.widths import WIDTHS

        check_suffix(file)
        check_output(f"output {file}", file)
        check_metric(request.kind, request.metric)
        share = within(request.margin_points, f"plot {request.kind}", has_one=request.kind == "start")
        filters = _filters(request)
        frame, uri = stored_trials(), existing_store()
        from bench.results.frame.history import histories

        plans = plans_seen(uri, frame)
        view = plot_view(frame, kind=request.kind, metric=request.metric, within=share, **filters, **plans)
        figure = plot(frame, request.kind, view, partial(histories, uri), width=WIDTHS[request.width])
        from bench.results.plots.plot_page import write

        write(figure, file)
    if request.kind != "gradients" or view.shown_metric.is_accuracy:
        record_looks(uri, frame, view)
    return _code(frame)


def _filters(filters: Filters) -> dict[str, Any]:
    """What to show, as `results` takes it. Raises ValueError for rates that are none."""
    return {
        "sweeps": [filters.name] if filters.name else [],
        "methods": [m.strip() for m in filters.methods.split(",")] if filters.methods else [],
        "rates": parse_rates(filters.rates) if filters.rates else [],
    }


def stored_trials() -> pd.DataFrame:
    """The tidy frame of the store. Raises ValueError if there is no store, or no trial in it."""
    from bench.results.frame.collect import collect

    uri = existing_store()
    frame = collect(uri)
    if frame.empty:
        raise ValueError(f"no trial in the store {uri}: `python -m bench run` trains some")
    return frame
