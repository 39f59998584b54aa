"""`bench speed scoring`: how long each criterion takes to choose a network's live weights, in how much memory."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from statistics import median
from typing import Any

import torch
from tabulate import tabulate
from torch import Tensor

from bench.canonical import canonical_json
from bench.datasets import DatasetRow
from bench.engine.setup.memory import timed
from bench.engine.setup.precision import DTYPES
from bench.engine.setup.prepare import initial_model, select
from bench.messages import say
from bench.methods import has_rates
from bench.speed.machine import machine
from bench.trial.spec import TrialSpec
from bench.trial.streams import stream


@dataclass(frozen=True, kw_only=True)
class Scoring:
    """Medians over the rounds. The peak is beyond the model and the sample; the copy that is scored counts."""

    method: str
    criterion: str
    scope: str
    fields: str
    rate: str
    seconds: float
    peak_bytes: float


def measure(specs: Mapping[str, Sequence[TrialSpec]], data: DatasetRow, rounds: int) -> dict[str, Any]:
    """The cost of every distinct selection among the trials, on one thread; of freeze and prune the first.

    Args:    specs: name of the method -> its trials. data: whose image shape and classes the synthetic sample has.
    Returns: the machine, and a `Scoring` per line, all as JSON values; a method that cannot score the network has none.
    Raises:  ValueError if none can.
    """
    torch.set_num_threads(1)
    load = os.getloadavg()
    distinct: dict[str, tuple[str, TrialSpec]] = {}
    for name, trials in specs.items():
        for spec in trials:
            selection = {**spec.method.record(), "background": "", "rate": format(spec.rate, "f")}
            if has_rates(spec.method):
                distinct.setdefault(canonical_json(selection), (name, spec))
    scorings = [_scoring_if_any(name, spec, data, rounds) for name, spec in distinct.values()]
    if not (rows := [asdict(scoring) for scoring in scorings if scoring]):
        raise ValueError("methods: must name one that can score the network")
    first = next(iter(distinct.values()))[1]
    return {
        "machine": machine(),
        "load_average": {"before": load[0], "after": os.getloadavg()[0]},
        "dataset": first.dataset,
        "model": first.model,
        "device": first.device,
        "images": first.criterion_per_class * data.classes,
        "precision": first.criterion_precision,
        "rounds": rounds,
        "rows": rows,
    }


def as_table(result: Mapping[str, Any]) -> str:
    """The result in words and a table."""
    columns = ["method", "criterion", "scope", "fields", "rate", "seconds", "peak MB"]
    rows = [
        [
            *(r[name] for name in columns[:5]),
            f"{r['seconds']:.3f}",
            f"{r['peak_bytes'] / 1e6:,.1f}",
        ]
        for r in result["rows"]
    ]
    about = ", ".join(f"{name} {value}" for name, value in result["machine"].items())
    load = result["load_average"]
    heading = (
        f"{result['dataset']} · {result['model']}, {result['images']} synthetic images, {result['precision']},"
        f" {result['device']}, one thread; medians of {result['rounds']} rounds.\n{about}."
        f" Load average {load['before']:.1f} before, {load['after']:.1f} after."
    )
    align = ("left",) * 5 + ("right",) * 2
    return f"{heading}\n\n{tabulate(rows, headers=columns, tablefmt='github', disable_numparse=True, colalign=align)}"


def _scoring_if_any(name: str, spec: TrialSpec, data: DatasetRow, rounds: int) -> Scoring | None:
    """As `_scoring`; None, and a word, if the network is none that the method can score."""
    try:
        return _scoring(name, spec, data, rounds)
    except ValueError as error:
        say(f"warning: {name} is left out: {error}")
        return None


def _scoring(name: str, spec: TrialSpec, data: DatasetRow, rounds: int) -> Scoring:
    model, sample = initial_model(spec, data.classes).to(spec.device), _sample(spec, data)
    work = partial(select, spec, model, sample)
    measured = [timed(work, spec.device) for _ in range(rounds)]
    method = spec.method
    return Scoring(
        method=name,
        criterion=str(method.record()["criterion"]),
        scope=method.scope,
        fields=" ".join(f"{field}={value}" for field, value in method.parameters().items()),
        rate=format(spec.rate, "f"),
        seconds=median(seconds for seconds, _ in measured),
        peak_bytes=median(peak for _, peak in measured),
    )


def _sample(spec: TrialSpec, data: DatasetRow) -> tuple[Tensor, Tensor]:
    """As many normal random images of each class as the criterion sees."""
    labels = torch.arange(data.classes).repeat_interleave(spec.criterion_per_class)
    draw = stream(0, "criteria speed").standard_normal((len(labels), *data.image_shape))
    return torch.from_numpy(draw).to(spec.device, DTYPES[spec.criterion_precision]), labels.to(spec.device)
