"""From requests to checked sweeps; whatever is wrong is a ValueError of one line. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.cli.protocol_options import read_protocol
from bench.cli.requests.sweep import StartedRequest, TrialsRequest
from bench.datasets import row_of
from bench.execution.checked_sweep import check_selection, checked_sweep
from bench.execution.starts import StartRequest
from bench.methods.fading import fades
from bench.trial.grammar import parse_rates, parse_seeds
from bench.trial.plugins import Catalogue, take_installed
from bench.trial.spec import TrialSpec
from bench.trial.sweep import Sweep, data_and_model


def read_sweep(request: TrialsRequest) -> Sweep:
    """The sweep of a request on the CPU, its first trial checked: all others differ in method, rate and seed."""
    if request.cpus_per_trial < 1:
        raise ValueError(f"cpus-per-trial {request.cpus_per_trial}: must be a whole number >= 1")
    catalogue = Catalogue(request.plugins)
    take_installed({**request.protocol, "dataset": request.dataset, "model": request.model})
    sweep = sweep_of(
        catalogue=catalogue,
        methods=request.methods,
        rates=request.rates,
        seeds=request.seeds,
        dense=request.dense,
        dataset=request.dataset,
        model=request.model,
        data_root=request.data_root,
        protocol={**read_protocol(request.protocol), "threads": request.cpus_per_trial},
    )
    return check_selection(sweep)


def sweep_of(
    *,
    catalogue: Catalogue,
    methods: str,
    rates: str,
    seeds: str,
    dense: bool,
    dataset: str,
    model: str | None,
    data_root: Path | None = None,
    protocol: Mapping[str, Any],
) -> Sweep:
    """The sweep that these options mean, on the CPU.

    Args: catalogue: what the user can name.
          protocol: fields of TrialSpec; those left out have the default protocol's values.
    """
    names = data_and_model(dataset, model, protocol.get("initialiser", TrialSpec.initialiser), data_root)
    parsed = dict(catalogue.parse(method.strip()) for method in methods.split(","))
    return checked_sweep(
        methods=parsed,
        known=catalogue.built(),
        rates=parse_rates(rates),
        seeds=parse_seeds(seeds),
        dense=dense,
        data=row_of(dataset, data_root),
        protocol={**protocol, **names},
    )


def start_of(request: StartedRequest) -> StartRequest:
    """What is asked of the start."""
    return StartRequest(
        start=request.start,
        epochs=request.start_epochs,
        lr=request.start_lr,
        head=request.start_head,
        norm=request.start_norm,
        when=request.when,
    )


def alone(sweep: Sweep, command: str) -> Sweep:
    """The sweep. Raises: ValueError if a method of it needs other trials, which this command does not train."""
    for name, method in sweep.methods.items():
        if method.reads_parent:
            raise ValueError(f"method {name!r} with {command}: must be one that needs no other training first")
    return sweep


def unchanging(sweep: Sweep, command: str) -> Sweep:
    """The sweep. Raises: ValueError if the masks of a method change, or its background, since this command times a step
    of one mask and one background.
    """
    for name, method in sweep.methods.items():
        if method.changes_masks:
            raise ValueError(f"method {name!r} with {command}: must be one whose masks do not change while training")
        if fades(method):
            raise ValueError(f"method {name!r} with {command}: must be one whose background does not fade")
    return sweep
