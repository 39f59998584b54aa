"""What the commands on stored networks are asked: export, verify, narrow."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench import names
from bench.cli.options import argument, option
from bench.cli.requests.shared import DATA_ROOT, FILE, PLUGINS
from bench.cli.shell.values import CommaList, DataSet, OneOf, PathType, datasets

NARROWER = names.VALUE_DTYPES[1:]
BASES = partial(
    option,
    "--base",
    "Take frozen weights from this file, of the network that the trial started from; may be repeated."
    "  [default: that network in the store]",
    group="what",
    default=(),
    multiple=True,
    type=PathType(exists=True, dir_okay=False, path_type=Path),
)
MOVED = partial(
    option,
    "--dataset",
    "Read the data set of the trials on it from here, as folder:PATH.  [default: by the name in their record]",
    group="what",
    type=DataSet(datasets),
)


@dataclass(frozen=True, kw_only=True)
class ExportRequest:
    """The stored network of a trial, into a file."""

    run: str = argument()
    output: Path = option(
        "--output",
        "Write this file: .frz, or with --shrink .safetensors, .pt or .onnx.",
        group="output",
        short="-o",
        required=True,
        type=FILE,
    )
    shrink: bool = option(
        "--shrink",
        "Leave out closed channels: an ordinary, smaller network, its widths in a .widths.json file beside it.",
        group="what",
        default=False,
        is_flag=True,
    )
    value_dtype: str | None = option(
        "--value-dtype",
        "Store the live weights in this type, and measure the accuracy that is left."
        "  [default: the type they were trained in]",
        group="what",
        type=OneOf(NARROWER),
    )
    bases: tuple[Path, ...] = BASES()
    dataset: str | None = MOVED()
    data_root: Path | None = DATA_ROOT()
    plugins: tuple[str, ...] = PLUGINS()


@dataclass(frozen=True, kw_only=True)
class VerifyRequest:
    """A stored network's file against what was recorded of it."""

    file: Path = argument(type=PathType(exists=True, dir_okay=False, path_type=Path))
    bases: tuple[Path, ...] = BASES()
    dataset: str | None = MOVED()
    data_root: Path | None = DATA_ROOT()
    plugins: tuple[str, ...] = PLUGINS()


@dataclass(frozen=True, kw_only=True)
class NarrowRequest:
    """The store's networks with narrower values."""

    value_dtype: str = option(
        "--value-dtype",
        "Measure the values in these types, a comma list.",
        group="what",
        type=CommaList(lambda: NARROWER),
        default=",".join(NARROWER),
    )
    name: str | None = option("--name", "Take only the trials of this sweep.  [default: all]", group="what")
    bases: tuple[Path, ...] = BASES()
    dataset: str | None = MOVED()
    data_root: Path | None = DATA_ROOT()
    plugins: tuple[str, ...] = PLUGINS()
