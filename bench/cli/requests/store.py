"""What the commands on the store are asked: table, report, power, plot, list, import, doctor, ui."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, get_args

import click

from bench.cli.options import argument, option
from bench.cli.requests.shared import FILE, PLUGINS
from bench.cli.shell.values import (
    CommaList,
    DataSet,
    Name,
    OneOf,
    PathType,
    datasets,
    methods,
    metrics,
    models,
    parts,
    rates,
)
from bench.trial.grammar import RATES_HELP

Format = Literal["github", "latex", "csv", "html", "json"]
Test = Literal["t", "wilcoxon", "permutation"]
PlotKind = Literal["difference", "accuracy", "gradients", "storage", "ranks", "start", "scale"]
PlotWidth = Literal["page", "column"]
Listing = Literal["methods", "models", "datasets", "presets", "trials", "candidates", "plans"]
ListFormat = Literal["plain", "github", "csv"]

REFERENCE = partial(
    option,
    "--reference",
    "Test the other methods against this one.",
    group="statistics",
    type=Name(methods),
    default="snip",
)
NAME = partial(option, "--name", "Show only the cells of this sweep.  [default: all]", group="what")
TEST = partial(
    option,
    "--test",
    "Test by the paired t test, exact Wilcoxon, or exact sign-flip permutation.",
    group="statistics",
    type=OneOf(get_args(Test)),
    default="t",
)
MARGIN = partial(
    option,
    "--margin",
    "Call two methods equivalent within this margin: percentage points of test accuracy; or 10%, a share of the errors"
    " of what is subtracted.",
    group="statistics",
    default="0.5",
)
POINTS = partial(
    option,
    "--margin-points",
    "Find the largest rate at which a method is no more than this many percentage points below its dense network;"
    " of start only.  [default: 1]",
    group="statistics",
    type=float,
)


@dataclass(frozen=True, kw_only=True)
class Filters:
    """Which cells to show."""

    name: str | None = NAME()
    methods: str | None = option(
        "--methods", "Show only these methods, a comma list.  [default: all]", group="what", type=CommaList(methods)
    )
    rates: str | None = option(
        "--rates", f"Show only these rates: {RATES_HELP}.  [default: all]", group="what", type=CommaList(rates)
    )


@dataclass(frozen=True, kw_only=True)
class Compared(Filters):
    """A comparison of methods with a reference."""

    reference: str = REFERENCE(before="name")
    alpha: float = option("--alpha", "Test at this level.", group="statistics", type=float, default=0.05, before="name")
    metric: str = option(
        "--metric",
        "Show this metric in the cells.",
        group="what",
        type=Name(metrics),
        default="test_accuracy",
        before="name",
    )


@dataclass(frozen=True, kw_only=True)
class TableRequest(Compared):
    """The paper-style table."""

    format: Format | None = option(
        "--format",
        "Print in this format.  [default: github; on a terminal, the answer and tables that fit it]",
        group="output",
        type=OneOf(get_args(Format)),
        before="name",
    )
    full: bool = option(
        "--full",
        "Show everything: details on a terminal, and in every format sanity controls and published results.",
        group="output",
        default=False,
        is_flag=True,
        before="name",
    )
    part: str | None = option(
        "--part",
        "Print only this table: accuracy, pairs, difference, storage, compute or another; a wrong name lists all.",
        group="output",
        type=Name(parts),
        before="name",
    )
    test: Test = TEST()
    margin_points: float | None = POINTS()
    margin: str | None = option(
        "--margin",
        "Call two methods equivalent within this margin: percentage points of an accuracy, else the metric's own unit;"
        " or 10%, a share of the reference's errors.  [default: 0.5 for accuracies, none for others]",
        group="statistics",
    )
    controls: bool = option(
        "--controls", "Show sanity controls beside their methods.", group="what", default=False, is_flag=True
    )
    published: bool = option(
        "--published",
        "Show published results beside these, and how their protocols differ.",
        group="what",
        default=False,
        is_flag=True,
    )
    ranks: bool = option(
        "--ranks",
        "Also rank the methods shown over all data sets, networks and rates: Friedman, Nemenyi.",
        group="statistics",
        default=False,
        is_flag=True,
    )


@dataclass(frozen=True, kw_only=True)
class ReportRequest:
    """The whole store as one page, or what a paper says of its methods."""

    output: Path | None = option("--output", "Write this page, .html or .md.", group="output", short="-o", type=FILE)
    cite: bool = option(
        "--cite",
        "Print a paragraph on the methods, as LaTeX, and the BibTeX of all it cites, instead of writing a page.",
        group="output",
        default=False,
        is_flag=True,
    )
    reference: str = REFERENCE()
    test: Test = TEST()
    margin: str = MARGIN()
    name: str | None = NAME()


@dataclass(frozen=True, kw_only=True)
class PowerRequest(Compared):
    """How many seeds a difference needs."""

    format: Format = option(
        "--format",
        "Print in this format.",
        group="output",
        type=OneOf(get_args(Format)),
        default="github",
        before="name",
    )
    difference: float | None = option(
        "--difference",
        "Find a difference of this size: percentage points of an accuracy, else the metric's own unit."
        "  [default: 0.5 for accuracies]",
        group="statistics",
        type=float,
        before="format",
    )
    power: float = option(
        "--power", "Find it with this probability.", group="statistics", type=float, default=0.8, before="format"
    )


@dataclass(frozen=True, kw_only=True)
class PlotRequest(Filters):
    """A figure of the store, into a file."""

    kind: PlotKind = argument(type=OneOf(get_args(PlotKind)))
    output: Path = option(
        "--output",
        "Write this file, .png, .svg or .pdf.",
        group="output",
        short="-o",
        required=True,
        type=FILE,
        before="name",
    )
    metric: str | None = option(
        "--metric",
        "Draw this metric over the rates, the epochs or the stored bytes."
        "  [default: test_accuracy; grad_norm_live for gradients]",
        group="what",
        type=Name(metrics),
        before="name",
    )
    margin_points: float | None = POINTS(before="name")
    width: PlotWidth = option(
        "--width",
        "Draw it as wide as a page (7.2 inches) or as a column of two (3.5), with letters of the same size.",
        group="output",
        type=OneOf(get_args(PlotWidth)),
        default="page",
        before="name",
    )


@dataclass(frozen=True, kw_only=True)
class ListRequest:
    """What there is."""

    what: Listing = argument(type=OneOf(get_args(Listing)))
    format: ListFormat = option(
        "--format", "Print in this format.", group="output", type=OneOf(get_args(ListFormat)), default="plain"
    )
    plugins: tuple[str, ...] = PLUGINS()
    name: str | None = option("--name", "List only the trials of this sweep.  [default: all]", group="what")
    columns: str | None = option(
        "--columns",
        "List only these columns of the trials, a comma list.  [default: csv has all, a table the main ones]",
        group="output",
        type=CommaList(),
    )
    model: str | None = option(
        "--model",
        "List the layers of this network, and what can be done with them.  [default: all networks]",
        group="what",
        type=Name(models),
    )
    dataset: str | None = option(
        "--dataset",
        "Give the network of --model the images of this data set.  [default: digits]",
        group="what",
        type=DataSet(datasets),
    )
    classes: int | None = option(
        "--classes",
        "Give it this number of classes.  [default: the data set's]",
        group="what",
        type=click.IntRange(2),
    )
    image_shape: str | None = option(
        "--image-shape", "Give it images of this shape, CxHxW.  [default: the data set's]", group="what"
    )


@dataclass(frozen=True, kw_only=True)
class ImportRequest:
    """The trials of an offline folder or a rescue folder, into the store."""

    folder: Path = argument(metavar="DIR", type=PathType(exists=True, path_type=Path))


@dataclass(frozen=True, kw_only=True)
class DoctorRequest:
    """What is wrong with the store."""

    fix: bool = option(
        "--fix",
        "Put right what loses nothing: end runs that killed processes left running, deliver results that wait.",
        group="what",
        default=False,
        is_flag=True,
    )
    quick: bool = option(
        "--quick",
        "Leave the networks unread: look only whether they are there.",
        group="what",
        default=False,
        is_flag=True,
    )


@dataclass(frozen=True, kw_only=True)
class UiRequest:
    """MLflow's pages on the store."""

    name: str | None = option(
        "--name", "Say where the runs of this sweep are.  [default: of every sweep]", group="what"
    )
    host: str = option(
        "--host", "Serve at this address; 0.0.0.0 lets other machines in.", group="machine", default="127.0.0.1"
    )
    port: int = option("--port", "Serve at this port.", group="machine", type=int, default=5000)
