"""The `speed` command: its arguments checked, then the measurement. Imports torch only once they are right."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import partial
from typing import Any, cast, get_args

import click

from bench import datasets
from bench.cli.arguments import on_device, read_sweep
from bench.messages import nearest, usage_errors
from bench.methods import METHODS, Dense
from bench.trial.protocol import ROWS, Precision
from bench.trial.spec import TrialSpec
from bench.trial.sweep import Sweep

DEFAULTS = {f.name: f.default for f in fields(TrialSpec)}
EXCLUSIVE = (
    ("limits", "json"), ("limits", "machine"), ("machine", "steps"), ("machine", "packs"), ("masks", "limits"),
    ("masks", "machine"), ("masks", "steps"), ("masks", "packs"), ("criteria", "limits"), ("criteria", "machine"),
    ("criteria", "masks"), ("criteria", "steps"), ("criteria", "packs"),
)  # fmt: skip
STEPS = 25
ROUNDS = {"steps": 30, "machine": 3, "masks": 5, "criteria": 3}
METHODS_TIMED = "freeze,snip"  # where none are named; with --criteria all
SEEDS_PER_CORE = 8  # with --machine: at its end one worker may be without a trial, for at most 1/8 of its share


def run_speed(options: Mapping[str, Any]) -> int:
    """Print the table of what was measured on stdout; where a file is named, write the figures there too."""
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # torch's profiler writes a line per start and stop
    with usage_errors():
        _check(options)
        given = _as_run(options)
        packs = _sizes(options["packs"] or "")
        precisions = _precisions(options["precisions"] or "")
        sweep = on_device(read_sweep(given), given)
        if options["criteria"] and all(isinstance(spec.method, Dense) for spec in sweep.trials()):
            raise ValueError(
                f"--criteria with methods {given['methods']!r} at rates {given['rates']!r}: none is chosen"
            )
    kind = next((name for name in ("machine", "masks", "criteria") if options[name]), "steps")
    rounds = options["rounds"] or ROUNDS[kind]
    if options["limits"]:
        from bench.speed.calibrate import limits

        click.echo(limits(rounds))
        return 0
    if kind == "masks":
        return _told(options, *_masks(sweep, rounds))
    if kind == "criteria":
        return _told(options, *_criteria(given, sweep, rounds))
    with usage_errors():
        datasets.fetch(given["dataset"], given["data_root"])
        datasets.check(given["dataset"], given["data_root"])
    if kind == "machine":
        return _told(options, *_machine(given, sweep, rounds))
    return _told(options, *_steps(given, sweep, options["steps"] or STEPS, rounds, packs, precisions))


def _told(options: Mapping[str, Any], result: dict[str, Any], table: str) -> int:
    click.echo(table)
    if options["json_"] is not None:
        options["json_"].write_text(json.dumps(result, indent=1) + "\n")
    return 0


def _check(options: Mapping[str, Any]) -> None:
    given = {name.rstrip("_") for name, value in options.items() if value not in (None, False)}
    for pair in EXCLUSIVE:
        if given.issuperset(pair):
            raise ValueError(f"--{pair[0]} with --{pair[1]}: allowed is one of them")
    if options["machine"] and options["device"] == "cuda":
        raise ValueError("--machine with --device cuda: allowed on the cpu")
    if "epochs" in given and not options["machine"]:
        raise ValueError("--epochs without --machine: allowed is with it")
    for name in ("steps", "rounds"):
        if (value := options[name]) is not None and value < 1:
            raise ValueError(f"{name} {value}: allowed is a whole number >= 1")
    if (file := options["json_"]) is not None and not file.absolute().parent.is_dir():
        raise ValueError(f"json {file}: no such folder")


def _sizes(text: str) -> list[int]:
    """The sizes of the packs to measure."""
    sizes = text.split(",") if text else []
    if not all(size.strip().isdecimal() and int(size) for size in sizes):
        raise ValueError(f"packs {text!r}: allowed is a comma list of whole numbers >= 1")
    return [int(size) for size in sizes]


def _precisions(text: str) -> list[Precision]:
    """The precisions to measure besides float32."""
    asked = [name.strip() for name in text.split(",")] if text else []
    others = [name for name in get_args(Precision) if name != "float32"]
    for name in asked:
        if name not in others:
            raise ValueError(nearest("precision", name, others))
    return cast("list[Precision]", asked)


def _as_run(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of the `run` command that trains these trials: the default protocol, float32, dense along."""
    unset = [name for name, row in ROWS.items() if row.unset]
    protocol = {name: value for name, value in DEFAULTS.items() if name not in ("engine", *unset)}
    seeds = SEEDS_PER_CORE * (os.cpu_count() or 1) if options["machine"] else 1
    given = {name: options[name] for name in ("rates", "dataset", "model", "batch_size", "augmentation")}
    every = ",".join(METHODS) if options["criteria"] else METHODS_TIMED
    return {
        **protocol, **given, "methods": options["methods"] or every,
        "cpus_per_trial": 1, "step": "auto",
        "device": "cpu" if options["machine"] else options["device"],
        "lr": 0.01,  # a large step can diverge, and arithmetic on NaN or denormal numbers takes another time
        "epochs": DEFAULTS["epochs"] if options["epochs"] is None else options["epochs"],
        "seeds": str(seeds), "dense": True, "plugins": (), "data_root": datasets.data_root(options["data_root"]),
        "name": None, "executor": "ray", "gpus_per_trial": None, "address": None, "max_retries": 0, "offline": None,
        "dry_run": False,
        "tuned": None,
    }  # fmt: skip


def _masks(sweep: Sweep, rounds: int) -> tuple[dict[str, Any], str]:
    from bench.speed.mask_speed import as_table, measure

    result = measure(sweep.rates, rounds)
    return result, as_table(result)


def _criteria(given: Mapping[str, Any], sweep: Sweep, rounds: int) -> tuple[dict[str, Any], str]:
    from bench.speed.criteria_speed import as_table, measure

    result = measure(_by_method(sweep), datasets.row_of(given["dataset"]), rounds)
    return result, as_table(result)


def _machine(given: Mapping[str, Any], sweep: Sweep, rounds: int) -> tuple[dict[str, Any], str]:
    from bench.speed.machine_speed import as_table, measure

    load = partial(datasets.load, datasets.absolute(given["dataset"]), given["data_root"])
    result = measure(given, sweep.trials(), load, rounds)
    return result, as_table(result)


def _steps(
    given: Mapping[str, Any],
    sweep: Sweep,
    steps: int,
    rounds: int,
    packs: Sequence[int],
    precisions: Sequence[Precision],
) -> tuple[dict[str, Any], str]:
    from bench.speed.speed import as_table, measure

    data = datasets.load(given["dataset"], given["data_root"])
    result = measure(_by_method(sweep), data, steps, rounds, packs, precisions)
    return result, as_table(result)


def _by_method(sweep: Sweep) -> dict[str, list[TrialSpec]]:
    specs: dict[str, list[TrialSpec]] = {}
    for spec in sweep.trials():
        specs.setdefault(sweep.name_of(spec.method), []).append(spec)
    return specs
