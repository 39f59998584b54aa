"""What the commands of `speed` are asked: step, packs, trials, scoring, masks, store, limits."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.cli.options import option
from bench.cli.protocol_options import protocol_field
from bench.cli.requests.shared import DATA_ROOT, DATASET, DEVICE, FILE, MODEL, PLUGINS, RATES
from bench.cli.shell.values import CommaList, methods
from bench.methods import METHODS
from bench.trial.protocol import Augmentation

METHOD_LIST = partial(option, "--methods", "Time these methods, a comma list.", group="what", type=CommaList(methods))
ROUNDS = partial(option, "--rounds", group="speed", type=int)
MINUTES = partial(
    option,
    "--minutes",
    "End with the round that is at hand after so many minutes.",
    group="speed",
    type=float,
    default=10.0,
)
JSON = partial(option, "--json", "Write the measurements to this file too.", group="output", type=FILE)


@dataclass(frozen=True, kw_only=True)
class MethodsRequest:
    """Methods × rates of a network, with the dense one."""

    methods: str = METHOD_LIST(default="freeze,snip")
    rates: str = RATES(default="0.99")
    dataset: str = DATASET()
    model: str | None = MODEL()
    plugins: tuple[str, ...] = PLUGINS()


@dataclass(frozen=True, kw_only=True)
class StepRequest(MethodsRequest):
    """A training step."""

    batch_size: int = protocol_field("batch_size")
    augmentation: Augmentation = protocol_field("augmentation")
    precisions: str = option(
        "--precision",
        "Time the dense step in these precisions too, a comma list of bfloat16, float64.",
        group="speed",
        type=CommaList(),
        default="",
    )
    steps: int = option(
        "--steps", "Take this many steps of one variant before the next.", group="speed", type=int, default=25
    )
    rounds: int = ROUNDS("Give each variant this many turns.", default=30)
    minutes: float = MINUTES()
    data_root: Path | None = DATA_ROOT()
    device: str = DEVICE()
    shrunk: bool = option(
        "--shrunk",
        "Time the network without its closed channels too, of methods that close some, as uniform-width.",
        group="speed",
        default=False,
        is_flag=True,
    )
    packs: str = option(
        "--packs",
        "Time packs of so many trials too, a comma list, in each kind of batched step.",
        group="speed",
        type=CommaList(),
        default="",
    )
    json: Path | None = JSON()


@dataclass(frozen=True, kw_only=True)
class PacksRequest:
    """The kinds of batched step of a network."""

    dataset: str = DATASET()
    model: str | None = MODEL()
    plugins: tuple[str, ...] = PLUGINS()
    batch_size: int = protocol_field("batch_size")
    sizes: str = option(
        "--sizes", "Train so many trials in one step, a comma list.", group="speed", type=CommaList(), default="8,64"
    )
    tf32: bool = protocol_field("tf32")
    steps: int = option(
        "--steps", "Take this many steps of one kind before the next.", group="speed", type=int, default=10
    )
    rounds: int = ROUNDS("Give each kind this many turns.", default=10)
    minutes: float = MINUTES()
    data_root: Path | None = DATA_ROOT()
    device: str = DEVICE()
    json: Path | None = JSON()


@dataclass(frozen=True, kw_only=True)
class TrialsRequest(MethodsRequest):
    """Whole trials on all cores."""

    batch_size: int = protocol_field("batch_size")
    augmentation: Augmentation = protocol_field("augmentation")
    epochs: int = protocol_field("epochs")
    rounds: int = ROUNDS("Have each side train all trials this often.", default=3)
    data_root: Path | None = DATA_ROOT()
    json: Path | None = JSON()


@dataclass(frozen=True, kw_only=True)
class ScoringRequest(MethodsRequest):
    """The choice of the live weights."""

    methods: str = METHOD_LIST(
        default=",".join(name for name, method in METHODS.items() if method.at_initialisation),
        show_default="all at initialisation",
    )
    rounds: int = ROUNDS("Make each choice this often.", default=3)
    device: str = DEVICE()
    json: Path | None = JSON()


@dataclass(frozen=True, kw_only=True)
class MasksRequest:
    """The coding of a mask."""

    rates: str = RATES(default="0.99")
    rounds: int = ROUNDS("Code each mask this often.", default=5)
    json: Path | None = JSON()


@dataclass(frozen=True, kw_only=True)
class StoreRequest:
    """The reading of a large store."""

    seeds: int = option(
        "--seeds",
        "Have so many seeds in the store: 100 trials each, of which 10 are trained.",
        group="what",
        type=int,
        default=200,
    )
    epochs: int = option("--epochs", "Have so many epochs in each trial.", group="what", type=int, default=30)
    json: Path | None = JSON()


@dataclass(frozen=True, kw_only=True)
class LimitsRequest:
    """The live fractions up to which a sparse step is faster."""

    rounds: int = ROUNDS("Time each layer this often.", default=30)
    json: Path | None = JSON()
