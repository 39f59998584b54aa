"""From the command line's options to checked values; whatever is wrong is a ValueError of one line. No torch."""

from __future__ import annotations

import ctypes.util
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.catalogue import Catalogue
from bench.grammar import parse_rates, parse_seeds
from bench.sweep import Sweep, data_and_model

FIELDS = (
    "epochs", "batch_size", "optimizer", "momentum", "nesterov", "weight_decay", "schedule", "warmup_epochs",
    "validation_fraction", "criterion_per_class", "precision", "tf32", "step",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Execution:
    """Where and how the trials run: nothing here changes a number."""

    executor: str
    gpus_per_trial: float
    address: str | None
    max_retries: int


def read_sweep(options: Mapping[str, Any]) -> Sweep:
    """The sweep of a `run` command, its first trial checked: all others differ in method, rate and seed alone."""
    protocol = {name: options[name] for name in FIELDS}
    protocol |= data_and_model(options["dataset"], options["model"], options["initialiser"])
    protocol |= {"lr": _lr(options), "milestones": _milestones(options["milestones"])}
    protocol |= {"device": _device(options["device"]), "threads": options["cpus_per_trial"]}
    if options["cpus_per_trial"] < 1:
        raise ValueError(f"cpus-per-trial {options['cpus_per_trial']}: allowed is a whole number >= 1")
    if options["gamma"] is not None:
        if options["schedule"] != "step":
            raise ValueError(f"--gamma with schedule {options['schedule']}: the step schedule alone has it")
        protocol["gamma"] = options["gamma"]
    if options["tf32"] and protocol["device"] != "cuda":
        raise ValueError("--tf32 on the cpu: allowed on cuda")
    catalogue = Catalogue(options["plugins"])
    methods = dict(catalogue.parse(text.strip()) for text in options["methods"].split(","))
    sweep = Sweep(
        methods=methods,
        rates=parse_rates(options["rates"]),
        seeds=parse_seeds(options["seeds"]),
        dense=options["dense"],
        protocol=protocol,
    )
    if not sweep.trials():
        raise ValueError(
            f"methods {options['methods']!r} at rates {options['rates']!r} with --no-dense: no trial is left"
        )
    return sweep


def _lr(options: Mapping[str, Any]) -> float:
    if options["lr"] is not None:
        return float(options["lr"])
    if options["optimizer"] != "sgd":
        raise ValueError(f"optimizer {options['optimizer']}: needs --lr; the default 0.1 is for sgd")
    return 0.1


def _milestones(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(item) for item in text.split(",")) if text else ()
    except ValueError:
        raise ValueError(f"milestones {text!r}: allowed are fractions of the training, as 0.5,0.75") from None


def _device(name: str) -> str:
    """The device, with `auto` resolved; torch is asked only where a CUDA driver is installed."""
    if name == "cpu" or (name == "auto" and ctypes.util.find_library("cuda") is None):
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if name == "cuda":
        raise ValueError("device cuda: torch finds none here; allowed are auto and cpu")
    return "cpu"


def read_execution(options: Mapping[str, Any], device: str) -> Execution:
    """How to run the trials; an option that the chosen executor cannot honour is an error."""
    local = options["executor"] == "local"
    for name in ("gpus_per_trial", "address", "max_retries") if local else ():
        if options[name] is not None:
            raise ValueError(f"--{name.replace('_', '-')} with --executor local: only ray has it")
    gpus, retries = options["gpus_per_trial"], options["max_retries"]
    if gpus is not None and (device == "cpu" or not gpus > 0):
        raise ValueError(f"gpus-per-trial {gpus:g} on {device}: allowed is more than 0, on cuda")
    if retries is not None and retries < 0:
        raise ValueError(f"max-retries {retries}: allowed is a whole number >= 0")
    return Execution(
        executor=options["executor"],
        gpus_per_trial=gpus if gpus is not None else float(device == "cuda"),
        address=options["address"],
        max_retries=1 if retries is None else retries,
    )
