"""From requests to checked sweeps; whatever is wrong is a ValueError of one line. No torch."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from math import floor
from pathlib import Path
from typing import Any

from bench.cli.grammar import parse_rates, parse_seeds
from bench.cli.protocol_options import read_protocol
from bench.cli.requests.sweep import SweepRequest
from bench.datasets import DatasetRow, row_of
from bench.datasets.counts import validation_count
from bench.trial.networks import structure_of
from bench.trial.plugins import Catalogue, take_installed
from bench.trial.spec import TrialSpec
from bench.trial.sweep import Sweep, data_and_model


def read_sweep(request: SweepRequest) -> Sweep:
    """The sweep of a request on the CPU, its first trial checked: all others differ in method, rate and seed."""
    if request.cpus_per_trial < 1:
        raise ValueError(f"cpus-per-trial {request.cpus_per_trial}: must be a whole number >= 1")
    catalogue = Catalogue(request.plugins)
    take_installed({**request.protocol, "dataset": request.dataset, "model": request.model})
    return sweep_of(
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
    data = row_of(dataset, data_root)
    sweep = Sweep(
        methods=dict(catalogue.parse(method.strip()) for method in methods.split(",")),
        rates=parse_rates(rates),
        seeds=parse_seeds(seeds),
        dense=dense,
        classes=data.classes,
        image_shape=data.image_shape,
        protocol={**protocol, **names},
    )
    trials = sweep.trials()
    if not trials:
        raise ValueError(f"methods {methods!r} at rates {rates!r} with --no-dense: no trial is left")
    _check_sizes(data, trials[0])
    _check_last_batch(data, trials[0])
    return sweep


def _check_sizes(data: DatasetRow, spec: TrialSpec) -> None:
    """Whether every class has images enough for the validation split and the criterion, by the table's numbers."""
    fraction, per_class = spec.validation_fraction, spec.criterion_per_class
    held_out = validation_count(data.train, fraction)
    if not 0 < held_out < data.train:
        size = "smaller" if held_out else "larger"
        raise ValueError(f"validation-fraction {fraction}: holds out {held_out} of {data.train} images; must be {size}")
    left = floor(data.smallest_class * (1 - Fraction(str(fraction))))
    if per_class > left:
        raise ValueError(
            f"criterion-per-class {per_class}: must be at most {left}, the smallest class's training images"
        )


def _check_last_batch(data: DatasetRow, spec: TrialSpec) -> None:
    """Whether the last batch of an epoch is one that the network can be trained on."""
    images = data.train - validation_count(data.train, spec.validation_fraction)
    structure = structure_of(spec.model, data.classes, data.image_shape)
    if images % spec.batch_size == 1 and structure is not None and structure.needs_two:
        raise ValueError(
            f"batch-size {spec.batch_size}: leaves 1 of {images} training images for the last batch, and model "
            f"{spec.model!r} needs 2; must be another size"
        )


def on_device(sweep: Sweep, name: str) -> Sweep:
    """The sweep on the device of that name, "auto" being what there is."""
    device = _device(name)
    if sweep.protocol.get("tf32") and device != "cuda":
        raise ValueError("--tf32 on the cpu: the device must be cuda")
    if not sweep.protocol.get("deterministic", True) and device != "cuda":
        raise ValueError("--no-deterministic on the cpu: the device must be cuda")
    return replace(sweep, protocol={**sweep.protocol, "device": device})


def _device(name: str) -> str:
    """The device, with `auto` resolved; torch is asked only if a CUDA driver is installed."""
    if name == "cpu" or (name == "auto" and not _cuda_driver()):
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if name == "cuda":
        raise ValueError("device cuda: torch finds none here; must be auto or cpu")
    return "cpu"


def _cuda_driver() -> bool:
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True
