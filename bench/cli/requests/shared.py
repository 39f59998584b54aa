"""Options that several commands have; each is called to make a field."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from bench.cli.options import option
from bench.trial.grammar import RATES_HELP

FILE = click.Path(path_type=Path, dir_okay=False)

RATES = partial(option, "--rates", f"Fraction not trained: {RATES_HELP}.")
DATASET = partial(
    option,
    "--dataset",
    "Data set: see `list datasets`, or folder:PATH, npz:PATH, torchvision:NAME, hf:NAME.",
    default="digits",
)
MODEL = partial(option, "--model", "Network; see `list models`.  [default: the data set's own]")
DEVICE = partial(
    option,
    "--device",
    "Device; auto: cuda if there is one.",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
)
DATA_ROOT = partial(option, "--data-root", "Folder of the data sets.", type=click.Path(path_type=Path))
PLUGINS = partial(
    option,
    "--plugin",
    "Module or .py file with METHODS, MODELS, DATASETS, OPTIMIZERS or SCHEDULES, a table each; may be repeated.",
    default=(),
    multiple=True,
)
