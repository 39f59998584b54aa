"""What `run` and `tune` are asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, get_args

from bench.cli.options import option, values_of
from bench.cli.protocol_options import protocol_options
from bench.cli.requests.shared import DATA_ROOT, DATASET, DEVICE, MODEL, PLUGINS, RATES
from bench.cli.shell.values import CommaList, Name, OneOf, PathType, methods, starts, trackers
from bench.execution.execution import Executor
from bench.trial.grammar import SEEDS_HELP
from bench.trial.search import SEARCH_HELP
from bench.trial.start import SCRATCH, START_HELP, Head, Norm, When

SEED_LIST = CommaList(single="{},")  # without a comma a number is a count


TUNED = partial(
    option,
    "--tuned",
    "Train each method and rate with the values that `tune` chose for it; SEARCH says which, if several fit.",
    group="protocol",
    is_flag=False,
    flag_value="",
    metavar="[SEARCH]",
)


@dataclass(frozen=True, kw_only=True)
class TrialsRequest:
    """Methods × rates × seeds of a protocol: what the run keys are of."""

    methods: str = option(
        "--methods",
        "Train with these methods, a comma list; name:field=value sets a field of one. See `list methods`.",
        group="what",
        type=CommaList(methods),
        default="freeze,snip",
    )
    rates: str = RATES(default="0.9:0.995")
    seeds: str = option(
        "--seeds", f"Repeat every trial with these seeds: {SEEDS_HELP}.", group="what", type=SEED_LIST, default="5"
    )
    dataset: str = DATASET()
    model: str | None = MODEL()
    name: str | None = option("--name", "Give the sweep this name.  [default: DATASET-MODEL]", group="store")
    dense: bool = option("--dense/--no-dense", "Train the dense baseline too.", group="what", default=True)
    device: str = DEVICE()
    cpus_per_trial: int = option(
        "--cpus-per-trial",
        "Give a trial this many threads; a part of its run key.",
        group="machine",
        type=int,
        default=1,
    )
    data_root: Path | None = DATA_ROOT()
    plugins: tuple[str, ...] = PLUGINS()
    protocol: Mapping[str, Any] = values_of(protocol_options())


@dataclass(frozen=True, kw_only=True)
class SweepRequest(TrialsRequest):
    """Trials, and the machine to train them on."""

    gpus_per_trial: float | None = option(
        "--gpus-per-trial",
        "Give a trial this many GPUs; at 0.25 four trials share one.  [default: 1 on cuda]",
        group="machine",
        type=float,
        before="data_root",
    )
    address: str | None = option(
        "--address",
        "Join the Ray cluster at HOST:PORT.  [default: a Ray of this machine]",
        group="machine",
        before="data_root",
    )
    print_config: bool = option(
        "--print-config",
        "Train nothing: print the config file that says what this command says, every default of the science included.",
        group="command",
        default=False,
        is_flag=True,
    )


@dataclass(frozen=True, kw_only=True)
class StartedRequest(TrialsRequest):
    """Trials, and what they start from."""

    start: str = option(
        "--start",
        f"Start from these weights: {START_HELP}.",
        group="what",
        type=Name(starts),
        default=SCRATCH,
        before="name",
    )
    start_epochs: int | None = option(
        "--start-epochs", "Pre-train for this many epochs.  [default: those of --epochs]", group="protocol", type=int
    )
    start_lr: float | None = option(
        "--start-lr", "Pre-train with this learning rate.  [default: that of --lr]", group="protocol", type=float
    )
    start_head: Head = option(
        "--start-head",
        "Draw the last Linear layer again after pre-training, or keep it, if the classes are the same.",
        group="protocol",
        type=OneOf(get_args(Head)),
        default="redrawn",
    )
    start_norm: Norm = option(
        "--start-norm",
        "Keep the pre-trained scale, shift and statistics of BatchNorm, or begin with fresh ones.",
        group="protocol",
        type=OneOf(get_args(Norm)),
        default="kept",
    )
    when: When = option(
        "--when",
        "Choose the masks before training, or after a dense training on the same data, from whose weights the trial"
        " then starts.",
        group="what",
        type=OneOf(get_args(When)),
        default="before",
        before="name",
    )


@dataclass(frozen=True, kw_only=True)
class RunRequest(StartedRequest, SweepRequest):
    """A sweep, what its trials start from, how to train it and where its results go."""

    executor: Executor = option(
        "--executor",
        "Train with Ray Tune over the machine's cores, or one trial after another in this process.",
        group="machine",
        type=OneOf(get_args(Executor)),
        default="ray",
    )
    max_retries: int | None = option(
        "--max-retries",
        "Start a trial whose worker was lost again, at most this often.  [default: 1]",
        group="machine",
        type=int,
    )
    storage: str | None = option(
        "--storage",
        "Keep checkpoints, from which a stopped trial goes on, in this folder or object store (s3://…, gs://…)."
        "  [default: the user's cache folder; with --address none]",
        group="store",
    )
    offline: Path | None = option(
        "--offline",
        "Keep the results in this folder, without MLflow, for `import`; with --executor local."
        "  [default: the MLflow store at $MLFLOW_TRACKING_URI, else the one in the working folder]",
        group="store",
        type=PathType(path_type=Path),
    )
    tracking: str | None = option(
        "--tracking",
        "Write the results to these, a comma list of mlflow, csv, wandb; mlflow decides what is done."
        "  [default: mlflow,csv; with --offline csv]",
        group="store",
        type=CommaList(trackers),
    )
    dry_run: bool = option(
        "--dry-run",
        "Train nothing: print what is missing, and an estimate of its time and memory.",
        group="command",
        default=False,
        is_flag=True,
    )
    tuned: str | None = TUNED()


@dataclass(frozen=True, kw_only=True)
class TuneRequest(SweepRequest):
    """A sweep whose hyper-parameters are to be chosen."""

    search: str = option("--search", f"Search these fields: {SEARCH_HELP}.", group="what", default="lr", before="seeds")
    budget: int = option(
        "--budget",
        "Try this many candidates for each method and rate, and for dense.",
        group="what",
        type=int,
        default=8,
        before="seeds",
    )
    seeds: str = option(
        "--seeds",
        "Train every candidate with these seeds, which no reported trial may have: first:last, or a comma list.",
        group="what",
        type=SEED_LIST,
        default="1000:1000",
    )
