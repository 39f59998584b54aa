"""Options that several commands have; each is called to make a field."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from bench.cli.options import option
from bench.cli.shell.values import CommaList, DataSet, Device, Name, PathType, datasets, models, rates
from bench.trial.grammar import RATES_HELP

FILE = PathType(path_type=Path, dir_okay=False)

RATES = partial(option, "--rates", f"Leave this fraction untrained: {RATES_HELP}.", group="what", type=CommaList(rates))
DATASET = partial(
    option,
    "--dataset",
    "Train on this data set: see `list datasets`; NAME:classes=0-4 takes classes of one; or folder:PATH, npz:PATH,"
    " torchvision:NAME, hf:NAME.",
    group="what",
    type=DataSet(datasets),
    default="digits",
)
MODEL = partial(
    option,
    "--model",
    "Train this network: see `list models`, or torchvision:NAME, timm:NAME.  [default: the data set's own]",
    group="what",
    type=Name(models),
)
DEVICE = partial(
    option,
    "--device",
    "Train on this device; auto takes cuda if there is one.",
    group="machine",
    type=Device(["auto", "cpu", "cuda"]),
    default="auto",
)
DATA_ROOT = partial(
    option,
    "--data-root",
    "Read the data sets from this folder, and download them to it.  [default: $BENCH_DATA_ROOT, else the user's cache"
    " folder]",
    group="store",
    type=PathType(path_type=Path),
)
PLUGINS = partial(
    option,
    "--plugin",
    "Add the METHODS, MODELS, DATASETS, OPTIMIZERS and SCHEDULES of this module or .py file, whichever it has; may be"
    " repeated.",
    group="what",
    type=PathType(),
    default=(),
    multiple=True,
)
