"""`bench speed step`: a training step of the engine against a plain researcher's loop, interleaved in one process."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from math import inf
from statistics import median
from typing import Any

import torch
from tabulate import tabulate

from bench.datasets.images import ImageData
from bench.engine.setup.memory import wait_for
from bench.engine.setup.precision import settings
from bench.speed.contenders import Contender, contenders
from bench.speed.machine import machine
from bench.speed.rounds import rounds_within, rounds_words
from bench.trial.protocol import Precision
from bench.trial.spec import TrialSpec

GEMM = {"cpu": 1_024, "cuda": 8_192}  # rows and columns of the matrix product that sets the ceiling
ALIGN = ("left",) * 3 + ("right",) * 7  # of the table's columns


@dataclass(frozen=True, kw_only=True)
class Speed:
    """One line of the table."""

    method: str
    rate: str
    variant: str  # LOOP, "dense step", "sparse step", "dense step, PRECISION", "pack of P, KIND" or "data alone, …"
    milliseconds: float  # median of a step of one trial: of a pack's step, its share
    ratio: float  # median over the rounds of the loop's time divided by this one's; of data, of the loop's loader
    images_per_second: float
    gflops: float  # arithmetic on weights that are not zero, per second; a dense step or a loop computes all of it
    of_ceiling: float  # the same as a fraction of the matrix product's
    macs: int  # multiply-accumulates of a step's forward and backward pass for one image, as `gflops` counts them
    peak_bytes: int  # the most torch held during the first steps, beyond the prepared trials


def measure(
    specs: Mapping[str, list[TrialSpec]],
    data: ImageData,
    steps: int,
    rounds: int,
    minutes: float = inf,
    packs: Sequence[int] = (),
    precisions: Sequence[Precision] = (),
    shrunk: bool = False,
) -> dict[str, Any]:
    """Time the variants of each trial, `steps` steps at a time in turn, `rounds` times, on one thread.

    With the settings of a training: TF32 and determinism too are those of the trials.

    Args:    specs: name of the method -> its trials, each with the step kind that the engine would take.
             minutes: of all, after which the round at hand is the last.
             packs: numbers of trials to train in one batched step, in each kind of pack.
             shrunk: whether the network without its closed channels is timed too, if it has some.
             precisions: in which the dense step is timed besides float32.
    Returns: the machine, the ceiling, and a `Speed` per line, all as JSON values.
    """
    began, load, first = time.monotonic(), os.getloadavg(), next(iter(specs.values()))[0]
    with settings(first):
        groups = [
            contenders(name, spec, data, packs, precisions, shrunk) for name, trials in specs.items() for spec in trials
        ]
        seconds: dict[int, list[float]] = {id(c): [] for group in groups for c in group}
        product = _product(first.device)
        product()  # which loads its library
        ceiling = []
        for _ in rounds_within(rounds, minutes, began):
            ceiling.append(product())
            for contender in chain.from_iterable(groups):
                seconds[id(contender)].append(contender.run(steps))
    top = median(ceiling)
    pairs = [(c, c.base or group[0]) for group in groups for c in group]
    rows = [asdict(_speed(c, seconds[id(c)], seconds[id(base)], top)) for c, base in pairs]
    return {
        "machine": machine(),
        "load_average": {"before": load[0], "after": os.getloadavg()[0]},
        "dataset": first.dataset,
        "model": first.model,
        "batch_size": first.batch_size,
        "augmentation": first.augmentation,
        "device": first.device,
        "steps": steps,
        "rounds": len(ceiling),
        "rounds_asked": rounds,
        "gemm_size": GEMM[first.device],
        "gemm_gflops": top,
        "rows": rows,
    }


def _product(device: str) -> Callable[[], float]:
    """What multiplies two matrices, and returns GFLOP/s."""
    size = GEMM[device]
    matrix = torch.randn(size, size, device=device)

    def product() -> float:
        wait_for(device)
        start = time.perf_counter()
        torch.mm(matrix, matrix)
        wait_for(device)
        return 2e-9 * size**3 / (time.perf_counter() - start)

    return product


def _speed(contender: Contender, seconds: list[float], loop: list[float], ceiling: float) -> Speed:
    spec, middle = contender.spec, median(seconds)
    gflops = 2e-9 * contender.macs * spec.batch_size / middle
    return Speed(
        method=contender.method,
        rate=format(spec.rate, "f"),
        variant=contender.variant,
        milliseconds=1e3 * middle,
        ratio=median(baseline / second for baseline, second in zip(loop, seconds, strict=True)),
        images_per_second=spec.batch_size / middle,
        gflops=gflops,
        of_ceiling=gflops / ceiling,
        macs=int(contender.macs),
        peak_bytes=contender.peak_bytes,
    )


def as_table(result: Mapping[str, Any]) -> str:
    """The result in words and a table."""
    columns = ["method", "rate", "variant", "ms/step", "ratio", "images/s", "GFLOP/s", "of ceiling", "MACs", "peak MB"]
    rows = [
        [
            r["method"], r["rate"], r["variant"], f"{r['milliseconds']:.3f}", f"{r['ratio']:.2f}",
            f"{r['images_per_second']:,.0f}", f"{r['gflops']:.1f}", f"{r['of_ceiling']:.0%}",
            f"{r['macs']:,}", f"{r['peak_bytes'] / 1e6:.1f}",
        ]
        for r in result["rows"]
    ]  # fmt: skip
    about = ", ".join(f"{name} {value}" for name, value in result["machine"].items())
    load = result["load_average"]
    heading = (
        f"{result['dataset']} · {result['model']}, batch {result['batch_size']}, augmentation {result['augmentation']},"
        f" float32, {result['device']}, one thread;"
        f" {rounds_words(result['rounds'], result['rounds_asked'])} of {result['steps']} steps, interleaved: medians.\n"
        f"{about}."
        f" Load average {load['before']:.1f} before, {load['after']:.1f} after."
        f" A {result['gemm_size']} × {result['gemm_size']} matrix product: {result['gemm_gflops']:.0f} GFLOP/s."
    )
    table = tabulate(rows, headers=columns, tablefmt="github", disable_numparse=True, colalign=ALIGN)
    return f"{heading}\n\n{table}"
