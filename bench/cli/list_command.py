"""The `list` command, once the command line is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bench.cli.listing import LISTINGS, Rows, as_text
from bench.cli.networks.network_listing import network_rows
from bench.cli.requests.store import ListRequest
from bench.messages import nearest, usage_errors

if TYPE_CHECKING:
    import pandas as pd

OF_TRIALS, OF_MODEL = ("columns", "name"), ("dataset", "classes", "image_shape")  # options
WITH_PLUGINS = ("methods", "models", "datasets")


def print_list(request: ListRequest) -> int:
    """Print one of the listings on stdout."""
    what = request.what
    with usage_errors():
        if request.plugins and what not in WITH_PLUGINS:
            raise ValueError(f"--plugin with list {what}: must be with list {', '.join(WITH_PLUGINS)}")
        for option in OF_TRIALS:
            if getattr(request, option) and what != "trials":
                raise ValueError(f"--{option} with list {what}: must be with list trials")
        _check_model(request)
        rows, words = network_rows(request) if request.model else (_rows(what, request), [])
    click.echo("\n".join([as_text(rows, request.format), *([] if request.format == "csv" else words)]))
    return 0


def _check_model(request: ListRequest) -> None:
    """Raise ValueError if an option on one network is given without what it belongs to."""
    if request.model and request.what != "models":
        raise ValueError(f"--model with list {request.what}: must be with list models")
    for option in OF_MODEL:
        if getattr(request, option) and not request.model:
            raise ValueError(f"--{option.replace('_', '-')} without --model: must be with it")


def _rows(what: str, request: ListRequest) -> pd.DataFrame | Rows:
    if what == "trials":
        return _trials(request)
    if what == "candidates":
        return _candidates()
    if what == "plans":
        return _plans()
    return LISTINGS[what](request.plugins)


def _trials(request: ListRequest) -> pd.DataFrame | Rows:
    """The store's trials, those of a sweep if one is named; only the columns asked for, if some are."""
    from bench.cli.results_commands import stored_trials

    frame = stored_trials()
    if (name := request.name) is not None:
        known = sorted({sweep for sweeps in frame["sweeps"] for sweep in sweeps})
        if name not in known:
            raise ValueError(nearest("sweep", name, known))
        frame = frame[frame["sweeps"].map(lambda sweeps: name in sweeps)]
    if not request.columns:
        return frame
    columns = [column.strip() for column in request.columns.split(",")]
    for column in columns:
        if column not in frame:
            raise ValueError(nearest("column", column, [str(known) for known in frame]))
    rows: Rows = frame[columns].to_dict("records")  # type: ignore[assignment]
    return rows


def _candidates() -> Rows:
    """What `tune` tried, a row each."""
    from bench.api.stored import existing_store
    from bench.storage.choices import candidates

    uri = existing_store()
    rows = candidates(uri)
    if not rows:
        raise ValueError(f"no choice in the store {uri}: `python -m bench tune` makes some")
    return rows


def _plans() -> Rows:
    """What was planned, a row each."""
    from bench.api.stored import existing_store
    from bench.cli.plan.listed import plan_rows

    uri = existing_store()
    rows = plan_rows(uri)
    if not rows:
        raise ValueError(f"no plan in the store {uri}: `python -m bench plan` makes one")
    return rows
