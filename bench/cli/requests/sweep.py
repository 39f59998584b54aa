"""What `run` and `tune` are asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import click

from bench.cli.options import option, values_of
from bench.cli.protocol_options import protocol_options
from bench.cli.requests.shared import DATA_ROOT, DATASET, DEVICE, MODEL, PLUGINS, RATES
from bench.execution.execution import Executor
from bench.trial.grammar import SEEDS_HELP
from bench.trial.search import SEARCH_HELP


@dataclass(frozen=True, kw_only=True)
class SweepRequest:
    """Methods × rates × seeds of a protocol, and the machine to train them on."""

    methods: str = option("--methods", "Methods, comma list; name:field=value sets a field.", default="freeze,snip")
    rates: str = RATES(default="0.9:0.995")
    seeds: str = option("--seeds", f"Seeds: {SEEDS_HELP}.", default="5")
    dataset: str = DATASET()
    model: str | None = MODEL()
    name: str | None = option("--name", "Name of the sweep.  [default: DATASET-MODEL]")
    dense: bool = option("--dense/--no-dense", "Train the dense baseline too.", default=True)
    device: str = DEVICE()
    cpus_per_trial: int = option("--cpus-per-trial", "Threads of a trial.", type=int, default=1)
    gpus_per_trial: float | None = option(
        "--gpus-per-trial", "GPUs of a trial; 0.25: four trials share one.  [default: 1 on cuda]", type=float
    )
    address: str | None = option("--address", "Join the Ray cluster at this address.")
    data_root: Path | None = DATA_ROOT()
    plugins: tuple[str, ...] = PLUGINS()
    protocol: Mapping[str, Any] = values_of(protocol_options())


@dataclass(frozen=True, kw_only=True)
class RunRequest(SweepRequest):
    """A sweep, how to train it and where its results go."""

    executor: Executor = option(
        "--executor",
        "Ray Tune over the machine's cores, or one trial after another in this process.",
        type=click.Choice(get_args(Executor)),
        default="ray",
    )
    max_retries: int | None = option(
        "--max-retries", "How often a trial whose worker was lost starts again.  [default: 1]", type=int
    )
    storage: str | None = option(
        "--storage",
        "Folder or object store (s3://…, gs://…) of checkpoints, from which a stopped trial goes on."
        "  [default: the user's cache folder; with --address none]",
    )
    offline: Path | None = option(
        "--offline",
        "Keep the results in this folder, without MLflow, for `import`; with --executor local.",
        type=click.Path(path_type=Path),
    )
    dry_run: bool = option(
        "--dry-run",
        "Train nothing: print what is missing, and an estimate of its time and memory.",
        default=False,
        is_flag=True,
    )
    tuned: str | None = option(
        "--tuned",
        "Train each method and rate with the values that `tune` chose for it; SEARCH: which, if several fit.",
        is_flag=False,
        flag_value="",
        metavar="[SEARCH]",
    )


@dataclass(frozen=True, kw_only=True)
class TuneRequest(SweepRequest):
    """A sweep whose hyper-parameters are to be chosen."""

    search: str = option("--search", f"What to search: {SEARCH_HELP}.", default="lr", before="seeds")
    budget: int = option(
        "--budget", "Candidates for each method and rate, and for dense.", type=int, default=8, before="seeds"
    )
    seeds: str = option(
        "--seeds",
        "Seeds of every candidate, and of no trial that is reported: first:last, or a comma list.",
        default="1000:1000",
    )
