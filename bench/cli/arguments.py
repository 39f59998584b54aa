"""From requests to checked values; whatever is wrong is a ValueError of one line. No torch."""

from __future__ import annotations

import ctypes
import os
import socket
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from math import floor
from pathlib import Path
from typing import Any

from bench.cli.grammar import parse_rates, parse_seeds
from bench.cli.protocol_options import read_protocol
from bench.cli.requests.sweep import RunRequest, SweepRequest
from bench.datasets import DatasetRow, row_of
from bench.datasets.counts import validation_count
from bench.datasets.places import checkpoint_root
from bench.execution.run import Execution
from bench.storage.files import files_at
from bench.storage.store_uri import check_folder
from bench.trial.plugins import Catalogue
from bench.trial.spec import TrialSpec
from bench.trial.sweep import Sweep, data_and_model

ADDRESS_SECONDS = 5.0  # to wait for a cluster's answer
STORAGE_SECONDS = 30.0  # and for an object store's


def read_sweep(request: SweepRequest) -> Sweep:
    """The sweep of a request on the CPU, its first trial checked: all others differ in method, rate and seed."""
    if request.cpus_per_trial < 1:
        raise ValueError(f"cpus-per-trial {request.cpus_per_trial}: allowed is a whole number >= 1")
    return sweep_of(
        methods=request.methods,
        rates=request.rates,
        seeds=request.seeds,
        dense=request.dense,
        dataset=request.dataset,
        model=request.model,
        plugins=request.plugins,
        protocol={**read_protocol(request.protocol), "threads": request.cpus_per_trial},
    )


def sweep_of(
    *,
    methods: str,
    rates: str,
    seeds: str,
    dense: bool,
    dataset: str,
    model: str | None,
    plugins: Sequence[str],
    protocol: Mapping[str, Any],
) -> Sweep:
    """The sweep that these texts mean, on the CPU.

    Args: protocol: fields of TrialSpec; those left out have the default protocol's values.
    """
    initialiser = protocol.get("initialiser", TrialSpec.initialiser)
    catalogue = Catalogue(plugins)
    sweep = Sweep(
        methods=dict(catalogue.parse(text.strip()) for text in methods.split(",")),
        rates=parse_rates(rates),
        seeds=parse_seeds(seeds),
        dense=dense,
        classes=row_of(dataset).classes,
        protocol={**protocol, **data_and_model(dataset, model, initialiser)},
    )
    trials = sweep.trials()
    if not trials:
        raise ValueError(f"methods {methods!r} at rates {rates!r} with --no-dense: no trial is left")
    _check_sizes(row_of(dataset), trials[0])
    return sweep


def _check_sizes(data: DatasetRow, spec: TrialSpec) -> None:
    """Whether every class has images enough for the validation split and the criterion, by the table's numbers."""
    fraction, per_class = spec.validation_fraction, spec.criterion_per_class
    held_out = validation_count(data.train, fraction)
    if not 0 < held_out < data.train:
        raise ValueError(f"validation-fraction {fraction}: leaves {held_out} of {data.train} images for validation")
    left = floor(data.smallest_class * (1 - Fraction(str(fraction))))
    if per_class > left:
        raise ValueError(
            f"criterion-per-class {per_class}: allowed is at most {left}, the smallest class's training images"
        )


def on_device(sweep: Sweep, name: str) -> Sweep:
    """The sweep on the device of that name, "auto" being what there is."""
    device = _device(name)
    if sweep.protocol.get("tf32") and device != "cuda":
        raise ValueError("--tf32 on the cpu: allowed on cuda")
    if not sweep.protocol.get("deterministic", True) and device != "cuda":
        raise ValueError("--no-deterministic on the cpu: allowed on cuda")
    return replace(sweep, protocol={**sweep.protocol, "device": device})


def _device(name: str) -> str:
    """The device, with `auto` resolved; torch is asked only where a CUDA driver is installed."""
    if name == "cpu" or (name == "auto" and not _cuda_driver()):
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if name == "cuda":
        raise ValueError("device cuda: torch finds none here; allowed are auto and cpu")
    return "cpu"


def _check_address(address: str) -> None:
    """Whether somebody listens at HOST:PORT or ray://HOST:PORT; Ray itself would wait for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not (host and colon and port.isdigit()):
        raise ValueError(f"address {address!r}: allowed is HOST:PORT or ray://HOST:PORT")
    try:
        socket.create_connection((host, int(port)), ADDRESS_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise ValueError(f"address {address!r}: no answer ({error})") from error


def _cuda_driver() -> bool:
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True


def read_execution(request: RunRequest, device: str) -> Execution:
    """How to run the trials; an option that the chosen executor cannot honour is an error."""
    if request.executor == "local":
        for name in ("gpus_per_trial", "address", "max_retries"):
            if getattr(request, name) is not None:
                raise ValueError(f"--{name.replace('_', '-')} with --executor local: only ray has it")
    elif request.offline is not None:
        raise ValueError(f"--offline with --executor {request.executor}: allowed with --executor local")
    else:
        check_machine(request)
    gpus, retries = read_gpus(request, device), request.max_retries
    if retries is not None and retries < 0:
        raise ValueError(f"max-retries {retries}: allowed is a whole number >= 0")
    return Execution(
        executor=request.executor,
        gpus_per_trial=gpus,
        address=request.address,
        max_retries=1 if retries is None else retries,
        storage=_storage(request.storage, request.address),
    )


def check_machine(request: SweepRequest) -> None:
    """Raise ValueError if Ray finds too few cores here for a trial, or no cluster at the address."""
    cpus, cores = request.cpus_per_trial, os.cpu_count() or 1
    if request.address is not None:
        _check_address(request.address)
    elif cpus > cores:
        raise ValueError(f"cpus-per-trial {cpus}: allowed is at most the {cores} cores of this machine")


def read_gpus(request: SweepRequest, device: str) -> float:
    """The GPUs of a trial."""
    gpus = request.gpus_per_trial
    if gpus is None:
        return float(device == "cuda")
    if device == "cpu" or not gpus > 0:
        raise ValueError(f"gpus-per-trial {gpus:g} on {device}: allowed is more than 0, on cuda")
    return gpus


def _storage(given: str | None, address: str | None) -> str | None:
    """Where checkpoints go: by default the user's cache folder, which the machines of a cluster do not share."""
    if given is None:
        return None if address else str(checkpoint_root())
    if not given:
        raise ValueError("storage '': allowed is a folder, or an address as s3://BUCKET/FOLDER")
    if "://" not in given:
        folder = Path(given).expanduser().absolute()
        check_folder(f"storage {given}", folder)
        return str(folder)
    _check_bucket(given)
    return given


def _check_bucket(address: str) -> None:
    """Whether the object store answers; some of its libraries would try again for ever."""
    failed: list[OSError] = []

    def ask() -> None:
        try:
            files_at(address).names()
        except OSError as error:
            failed.append(error)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(STORAGE_SECONDS)
    if failed or asking.is_alive():
        reason = " ".join(str(failed[0]).split())[:300] if failed else f"within {STORAGE_SECONDS:.0f} s"
        raise ValueError(f"storage {address}: no answer ({reason})")
