"""The commands of `speed`: each checks its request, then measures. Torch is imported once the request is right."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, cast, get_args

import click

from bench import datasets
from bench.cli.arguments import alone, sweep_of, unchanging
from bench.cli.requests.speed import (
    LimitsRequest,
    MasksRequest,
    MethodsRequest,
    PacksRequest,
    ScoringRequest,
    StepRequest,
    StoreRequest,
    TrialsRequest,
)
from bench.cli.run import display
from bench.disk import write_whole
from bench.execution.checked_sweep import on_device
from bench.execution.run import checked_data
from bench.messages import nearest, usage_errors
from bench.methods import has_rates
from bench.storage.store_uri import check_output
from bench.trial.grammar import parse_rates
from bench.trial.plugins import Catalogue, take_installed
from bench.trial.protocol import Precision
from bench.trial.spec import TrialSpec
from bench.trial.sweep import Sweep

SEEDS_PER_CORE = 8  # of whole trials: at the end one worker may be without one, for at most 1/8 of its share


def time_steps(request: StepRequest) -> int:
    """Print the table of what a step takes."""
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # torch's profiler writes a line per start and stop
    with usage_errors():
        _check_counts(steps=request.steps, rounds=request.rounds)
        _check_file(request.json)
        _check_minutes(request.minutes)
        packs, precisions = _sizes("packs", request.packs), _precisions(request.precisions)
        fields = {"batch_size": request.batch_size, "augmentation": request.augmentation}
        sweep = on_device(_sweep(request, fields, data_root=request.data_root), request.device)
        if request.shrunk and not any(spec.method.closes_channels for spec in sweep.trials()):
            raise ValueError(f"--shrunk with methods {request.methods!r}: must have one that closes channels")
        load = checked_data(request.dataset, request.data_root)
    from bench.speed.step import as_table, measure

    timing = (request.steps, request.rounds, request.minutes)
    result = measure(_by_method(sweep), load(), *timing, packs, precisions, request.shrunk)
    return _print(result, as_table, request.json)


def time_packs(request: PacksRequest) -> int:
    """Print the table of what a step of each kind of pack takes, and the kind that it proposes."""
    with usage_errors():
        _check_counts(steps=request.steps, rounds=request.rounds)
        _check_file(request.json)
        _check_minutes(request.minutes)
        if not (sizes := _sizes("sizes", request.sizes)):
            raise ValueError("sizes '': must be a comma list of whole numbers >= 1")
        asked = MethodsRequest(methods="freeze", dataset=request.dataset, model=request.model, plugins=request.plugins)
        fields = {"batch_size": request.batch_size, "tf32": request.tf32, "step": "dense"}
        sweep = on_device(_sweep(asked, fields, data_root=request.data_root), request.device)
        load = checked_data(request.dataset, request.data_root)
    from bench.speed.packs import as_table, measure

    result = measure(sweep.trials()[-1], load(), sizes, request.steps, request.rounds, request.minutes)
    return _print(result, as_table, request.json)


def time_trials(request: TrialsRequest) -> int:
    """Print the table of what whole trials take, on all cores."""
    with usage_errors():
        _check_counts(rounds=request.rounds)
        _check_file(request.json)
        fields = {"batch_size": request.batch_size, "augmentation": request.augmentation, "epochs": request.epochs}
        seeds = SEEDS_PER_CORE * (os.cpu_count() or 1)
        make = partial(_sweep, request, fields, seeds=seeds, data_root=request.data_root)
        make()  # whatever is wrong is said now
        load = checked_data(request.dataset, request.data_root)
    from bench.speed.timed_run import timed_run
    from bench.speed.trials import as_table, measure

    check = partial(checked_data, request.dataset, datasets.data_root(request.data_root))
    timed, images = partial(timed_run, make, check, display), datasets.row_of(request.dataset, request.data_root).train
    return _print(measure(make, load, timed, images, request.rounds), as_table, request.json)


def measure_scoring(request: ScoringRequest) -> int:
    """Print the table of what it takes to choose the live weights."""
    with usage_errors():
        _check_counts(rounds=request.rounds)
        _check_file(request.json)
        sweep = on_device(_sweep(request, {}), request.device)
        if not any(has_rates(spec.method) for spec in sweep.trials()):
            raise ValueError(
                f"methods {request.methods!r} at rates {request.rates!r}: must name one besides dense and biases, "
                "above rate 0"
            )
    from bench.speed.scoring import as_table, measure

    with usage_errors():
        result = measure(_by_method(sweep), datasets.row_of(request.dataset), request.rounds)
    return _print(result, as_table, request.json)


def measure_masks(request: MasksRequest) -> int:
    """Print the table of what it takes to code a mask."""
    with usage_errors():
        _check_counts(rounds=request.rounds)
        _check_file(request.json)
        rates = parse_rates(request.rates)
    from bench.speed.masks import as_table, measure

    return _print(measure(rates, request.rounds), as_table, request.json)


def time_store(request: StoreRequest) -> int:
    """Print the table of what reading a large store takes."""
    with usage_errors():
        _check_counts(seeds=request.seeds, epochs=request.epochs)
        _check_file(request.json)
    from bench.speed.store import as_table, measure

    return _print(measure(request.seeds, request.epochs), as_table, request.json)


def find_limits(request: LimitsRequest) -> int:
    """Print at which live fractions a sparse step is faster, and the limits that follow."""
    with usage_errors():
        _check_counts(rounds=request.rounds)
        _check_file(request.json)
    from bench.speed.limits import as_table, measure

    return _print(measure(request.rounds), as_table, request.json)


def _print(result: dict[str, Any], as_table: Any, file: Path | None) -> int:
    """The table on stdout; if a file is named, the figures there too."""
    click.echo(as_table(result))
    if file is not None:
        write_whole(file, f"{json.dumps(result, indent=1)}\n".encode())
    return 0


def _check_counts(**counts: int) -> None:
    for name, value in counts.items():
        if value < 1:
            raise ValueError(f"{name} {value}: must be a whole number >= 1")


def _check_file(file: Path | None) -> None:
    if file is not None:
        check_output(f"json {file}", file)


def _check_minutes(minutes: float) -> None:
    if not minutes > 0:
        raise ValueError(f"minutes {minutes:g}: must be more than 0")


def _sizes(name: str, packs: str) -> list[int]:
    """The sizes of the packs to measure."""
    sizes = packs.split(",") if packs else []
    if not all(size.strip().isdecimal() and int(size) for size in sizes):
        raise ValueError(f"{name} {packs!r}: must be a comma list of whole numbers >= 1")
    return [int(size) for size in sizes]


def _precisions(precisions: str) -> list[Precision]:
    """The precisions to measure besides float32."""
    asked = [name.strip() for name in precisions.split(",")] if precisions else []
    others = [name for name in get_args(Precision) if name != "float32"]
    for name in asked:
        if name not in others:
            raise ValueError(nearest("precision", name, others))
    return cast("list[Precision]", asked)


def _sweep(request: MethodsRequest, fields: Mapping[str, Any], seeds: int = 1, data_root: Path | None = None) -> Sweep:
    """The trials to measure, the dense one too: the default protocol except these fields, each trial by itself."""
    protocol = {
        "lr": 0.01,  # a large step can diverge, and arithmetic on NaN or denormal numbers takes another time
        "precision": TrialSpec.precision,
        "pack": TrialSpec.pack,
        "step": "auto",
        **fields,
    }
    catalogue = Catalogue(request.plugins)
    take_installed({"dataset": request.dataset, "model": request.model})
    sweep = sweep_of(
        catalogue=catalogue,
        methods=request.methods,
        rates=request.rates,
        seeds=str(seeds),
        dense=True,
        dataset=request.dataset,
        model=request.model,
        data_root=data_root,
        protocol=protocol,
    )
    return unchanging(alone(sweep, "speed"), "speed")


def _by_method(sweep: Sweep) -> dict[str, list[TrialSpec]]:
    specs: dict[str, list[TrialSpec]] = {}
    for spec in sweep.trials():
        specs.setdefault(sweep.name_of(spec.method), []).append(spec)
    return specs
