"""What the commands on the store are asked: table, report, power, plot, list, import, ui."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, get_args

import click

from bench.cli.options import argument, option
from bench.cli.requests.shared import FILE, PLUGINS
from bench.trial.grammar import RATES_HELP

Format = Literal["github", "latex", "csv", "html", "json"]
Test = Literal["t", "wilcoxon", "permutation"]
PlotKind = Literal["difference", "accuracy", "gradients", "storage", "ranks"]
Listing = Literal["methods", "models", "datasets", "presets", "trials", "candidates"]
ListFormat = Literal["plain", "github", "csv"]

REFERENCE = partial(option, "--reference", "The method the others are tested against.", default="snip")
NAME = partial(option, "--name", "Show only the cells of this sweep.")
TEST = partial(
    option,
    "--test",
    "Paired t test, exact Wilcoxon, or exact sign-flip permutation.",
    type=click.Choice(get_args(Test)),
    default="t",
)


@dataclass(frozen=True, kw_only=True)
class Filters:
    """Which cells to show."""

    name: str | None = NAME()
    methods: str | None = option("--methods", "Show only these methods, comma list.")
    rates: str | None = option("--rates", f"Show only these rates: {RATES_HELP}.")


@dataclass(frozen=True, kw_only=True)
class Compared(Filters):
    """A comparison of methods with a reference."""

    format: Format = option("--format", type=click.Choice(get_args(Format)), default="github", before="name")
    reference: str = REFERENCE(before="name")
    alpha: float = option("--alpha", "Level of the tests.", type=float, default=0.05, before="name")
    metric: str = option("--metric", "Metric in the cells.", default="test_accuracy", before="name")


@dataclass(frozen=True, kw_only=True)
class TableRequest(Compared):
    """The paper-style table."""

    test: Test = TEST()
    margin: float | None = option(
        "--margin",
        "Margin of equivalence: percentage points of an accuracy, else the metric's own unit."
        "  [default: 0.5 for accuracies, none for others]",
        type=float,
    )
    controls: bool = option("--controls", "Show sanity controls beside their methods.", default=False, is_flag=True)
    published: bool = option(
        "--published",
        "Show published results beside these, and how their protocols differ.",
        default=False,
        is_flag=True,
    )
    ranks: bool = option(
        "--ranks",
        "Also rank the methods shown over all data sets, networks and rates: Friedman, Nemenyi.",
        default=False,
        is_flag=True,
    )


@dataclass(frozen=True, kw_only=True)
class ReportRequest:
    """The whole store as one page."""

    output: Path = option(
        "--output", "The page, .html or .md.", short="-o", required=True, type=click.Path(path_type=Path)
    )
    reference: str = REFERENCE()
    test: Test = TEST()
    name: str | None = NAME()


@dataclass(frozen=True, kw_only=True)
class PowerRequest(Compared):
    """How many seeds a difference needs."""

    difference: float | None = option(
        "--difference",
        "Difference to be found: percentage points of an accuracy, else the metric's own unit."
        "  [default: 0.5 for accuracies]",
        type=float,
        before="format",
    )
    power: float = option("--power", "Probability of finding it.", type=float, default=0.8, before="format")


@dataclass(frozen=True, kw_only=True)
class PlotRequest(Filters):
    """A figure of the store, into a file."""

    kind: PlotKind = argument(type=click.Choice(get_args(PlotKind)))
    output: Path = option(
        "--output", "File to write, .png, .svg or .pdf.", short="-o", required=True, type=FILE, before="name"
    )
    metric: str | None = option(
        "--metric",
        "Metric over the rates, the epochs or the stored bytes."
        "  [default: test_accuracy; grad_norm_live for gradients]",
        before="name",
    )


@dataclass(frozen=True, kw_only=True)
class ListRequest:
    """What there is."""

    what: Listing = argument(type=click.Choice(get_args(Listing)))
    format: ListFormat = option("--format", type=click.Choice(get_args(ListFormat)), default="plain")
    plugins: tuple[str, ...] = PLUGINS()
    name: str | None = option("--name", "List only the trials of this sweep.")
    columns: str | None = option(
        "--columns", "List only these columns of the trials, comma list.  [default: csv has all, a table the main ones]"
    )


@dataclass(frozen=True, kw_only=True)
class ImportRequest:
    """The trials of an offline folder or a rescue folder, into the store."""

    folder: Path = argument(metavar="DIR", type=click.Path(exists=True, path_type=Path))


@dataclass(frozen=True, kw_only=True)
class UiRequest:
    """MLflow's pages on the store."""

    host: str = option("--host", default="127.0.0.1")
    port: int = option("--port", type=int, default=5000)
