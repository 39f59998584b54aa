"""The `speed` command: its arguments checked, then the measurement. Imports torch only once they are right."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

import click

import datasets
from bench.arguments import on_device, read_sweep
from bench.messages import usage_errors
from bench.spec import TrialSpec

DEFAULTS = {f.name: f.default for f in fields(TrialSpec)}


def run_speed(options: Mapping[str, Any]) -> int:
    """Print the table of `bench.speed` on stdout; where a file is named, write the figures there too."""
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # torch's profiler writes a line per start and stop
    with usage_errors():
        if options["limits"] and options["json_"] is not None:
            raise ValueError("--limits with --json: allowed is one of them")
        for name in ("steps", "rounds"):
            if options[name] < 1:
                raise ValueError(f"{name} {options[name]}: allowed is a whole number >= 1")
        if (file := options["json_"]) is not None and not file.absolute().parent.is_dir():
            raise ValueError(f"json {file}: no such folder")
        packs = _sizes(options["packs"])
        specs = _trials(options)
    if options["limits"]:
        from bench.calibrate import limits

        click.echo(limits(options["rounds"]))
        return 0
    with usage_errors():
        root = datasets.data_root(options["data_root"])
        name = next(iter(specs.values()))[0].dataset
        datasets.fetch(name, root)
        data = datasets.load(name, root)
    from bench.speed import as_table, measure

    result = measure(specs, data, options["steps"], options["rounds"], packs)
    click.echo(as_table(result))
    if file is not None:
        file.write_text(json.dumps(result, indent=1) + "\n")
    return 0


def _sizes(text: str) -> list[int]:
    """The sizes of the packs to measure."""
    sizes = text.split(",") if text else []
    if not all(size.strip().isdecimal() and int(size) for size in sizes):
        raise ValueError(f"packs {text!r}: allowed is a comma list of whole numbers >= 1")
    return [int(size) for size in sizes]


def _trials(options: Mapping[str, Any]) -> dict[str, list[TrialSpec]]:
    """Name of the method -> its trials in the default protocol, dense first; float32, seed 0."""
    protocol = {name: value for name, value in DEFAULTS.items() if name != "engine"}
    given = {
        **protocol, "milestones": "", "gamma": None, "cpus_per_trial": 1, "step": "auto",
        "seeds": "1", "dense": True, "plugins": (),
    }  # fmt: skip
    sweep = on_device(read_sweep({**given, **options}), {**given, **options})
    found: dict[str, list[TrialSpec]] = {}
    for spec in sweep.trials():
        # A large step can diverge, and arithmetic on NaN or denormal numbers takes another time.
        found.setdefault(sweep.name_of(spec.method), []).append(replace(spec, lr=0.01))
    return found
