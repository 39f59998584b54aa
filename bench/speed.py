"""`bench speed`: a training step of the engine against a plain researcher's loop, interleaved in one process."""

from __future__ import annotations

import json
import os
import platform
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch
from tabulate import tabulate
from torch.profiler import ProfilerActivity, profile

from bench import names
from bench.cost import counts
from bench.environment import environment
from bench.live import LiveOptimizer, apply_background
from bench.network import network_of
from bench.prepare import Trial, prepare
from bench.researcher import researchers_loop
from bench.spec import TrialSpec
from datasets.images import ImageData

LOOP = "researcher's loop"
GEMM = 1_024  # rows and columns of the matrix product that sets the ceiling
ALIGN = ("left",) * 3 + ("right",) * 6  # of the table's columns
FIRST_STEPS = 3  # before anything is timed; memory is measured over them


@dataclass(frozen=True, kw_only=True)
class Speed:
    """One line of the table."""

    method: str
    rate: str
    variant: str  # LOOP, "dense step" or "sparse step"
    milliseconds: float  # median of a step
    ratio: float  # median over the rounds of the loop's time divided by this one's
    images_per_second: float
    gflops: float  # arithmetic on weights that are not zero, per second; a dense step or a loop computes all of it
    of_ceiling: float  # the same as a fraction of the matrix product's
    peak_bytes: int  # the most torch held during the first steps, beyond the prepared trial


@dataclass
class Contender:
    """One variant while it runs."""

    method: str
    variant: str
    spec: TrialSpec
    macs: float  # multiply-accumulates per image
    steps: Iterator[int]
    peak_bytes: int = 0

    def run(self, count: int) -> tuple[float, int]:
        """Seconds per step and images per step of the next `count` steps."""
        start = time.perf_counter()
        images = sum(next(self.steps) for _ in range(count))
        return (time.perf_counter() - start) / count, images // count


def measure(specs: Mapping[str, list[TrialSpec]], data: ImageData, steps: int, rounds: int) -> dict[str, Any]:
    """Time the variants of each trial, `steps` steps at a time in turn, `rounds` times, on one thread.

    Args:    specs: name of the method -> its trials, each with the step kind that the engine would take.
    Returns: the machine, the ceiling, and a `Speed` per line, all as JSON values.
    """
    torch.set_num_threads(1)
    load = os.getloadavg()
    groups = [_contenders(name, spec, data) for name, trials in specs.items() for spec in trials]
    seconds: dict[int, list[float]] = {id(c): [] for group in groups for c in group}
    matrix, ceiling = torch.randn(GEMM, GEMM), []
    for _ in range(rounds):
        start = time.perf_counter()
        torch.mm(matrix, matrix)
        ceiling.append(2e-9 * GEMM**3 / (time.perf_counter() - start))
        for group in groups:
            for contender in group:
                seconds[id(contender)].append(contender.run(steps)[0])
    top = median(ceiling)
    rows = [asdict(_speed(c, seconds[id(c)], seconds[id(group[0])], top)) for group in groups for c in group]
    some = groups[0][0].spec
    return {
        "machine": machine(),
        "load_average": {"before": load[0], "after": os.getloadavg()[0]},
        "dataset": some.dataset,
        "model": some.model,
        "batch_size": some.batch_size,
        "steps": steps,
        "rounds": rounds,
        "gemm_gflops": top,
        "rows": rows,
    }


def machine() -> dict[str, str]:
    """What the figures depend on; names no host."""
    known = {name.removeprefix("bench."): value for name, value in environment().items()}
    known |= {"instruction set": torch.backends.cpu.get_cpu_capability(), "system": platform.system()}
    wanted = ("cpu", "cores", "instruction set", "system", "python", "torch", "torchvision")
    return {name: known[name] for name in wanted if name in known}


def _contenders(name: str, spec: TrialSpec, data: ImageData) -> list[Contender]:
    """The researcher's loop, the dense step and, where the engine would take it, the sparse one."""
    trial = prepare(spec, data, "cpu")
    apply_background(trial.model, trial.masks, spec.method.background)
    shape, background = trial.train.image_shape, spec.method.background
    dense = counts(trial.model, {n: torch.ones_like(m) for n, m in trial.masks.items()}, background, shape)
    own = counts(trial.model, trial.masks, background, shape)
    macs = [c[names.FORWARD_MACS] + c[names.BACKWARD_MACS] for c in (dense, own)]
    found = [Contender(name, LOOP, spec, macs[0], researchers_loop(spec, trial, data))]
    for step in ("dense", "sparse") if spec.step == "sparse" else ("dense",):
        fields = {**vars(spec), "step": step}
        steps = engine_steps(TrialSpec(**fields), trial)
        found.append(Contender(name, f"{step} step", spec, macs[step == "sparse"], steps))
    for contender in found:
        contender.peak_bytes = _peak(contender)
    return found


def engine_steps(spec: TrialSpec, trial: Trial) -> Iterator[int]:
    """Train a prepared trial for ever as the engine does, at a constant rate; yields the images of each step."""
    network = network_of(spec, trial)
    optimizer = LiveOptimizer(trial.model, trial.masks, spec, network.values)
    random = torch.Generator().manual_seed(0)
    one = torch.ones((), dtype=trial.probe[0].dtype)
    while True:
        permutation = torch.randperm(len(trial.train_indices), generator=random)
        for loss, images in network.losses(permutation, spec.batch_size):
            loss.backward(one)  # type: ignore[no-untyped-call]
            optimizer.step(spec.lr)
            yield images


def _peak(contender: Contender) -> int:
    """Run the first steps; the most bytes that torch's allocator held meanwhile, less what it held before."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        contender.run(FIRST_STEPS)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.json"
        record.export_chrome_trace(str(path))
        events = json.loads(path.read_text())["traceEvents"]
    held = peak = 0
    for event in sorted((e for e in events if e["name"] == "[memory]"), key=lambda e: e["ts"]):
        held += event["args"]["Bytes"]
        peak = max(peak, held)
    return peak


def _speed(contender: Contender, seconds: list[float], loop: list[float], ceiling: float) -> Speed:
    spec, middle = contender.spec, median(seconds)
    gflops = 2e-9 * contender.macs * spec.batch_size / middle
    return Speed(
        method=contender.method,
        rate=format(spec.rate, "f"),
        variant=contender.variant,
        milliseconds=1e3 * middle,
        ratio=median(a / b for a, b in zip(loop, seconds, strict=True)),
        images_per_second=spec.batch_size / middle,
        gflops=gflops,
        of_ceiling=gflops / ceiling,
        peak_bytes=contender.peak_bytes,
    )


def as_table(result: Mapping[str, Any]) -> str:
    """The result in words and a table."""
    columns = ["method", "rate", "variant", "ms/step", "ratio", "images/s", "GFLOP/s", "of ceiling", "peak MB"]
    rows = [
        [
            r["method"], r["rate"], r["variant"], f"{r['milliseconds']:.3f}", f"{r['ratio']:.2f}",
            f"{r['images_per_second']:,.0f}", f"{r['gflops']:.1f}", f"{r['of_ceiling']:.0%}",
            f"{r['peak_bytes'] / 1e6:.1f}",
        ]
        for r in result["rows"]
    ]  # fmt: skip
    about = ", ".join(f"{name} {value}" for name, value in result["machine"].items())
    load = result["load_average"]
    heading = (
        f"{result['dataset']} · {result['model']}, batch {result['batch_size']}, float32, one thread;"
        f" {result['rounds']} rounds of {result['steps']} steps, interleaved: medians.\n{about}."
        f" Load average {load['before']:.1f} before, {load['after']:.1f} after."
        f" A {GEMM} × {GEMM} matrix product: {result['gemm_gflops']:.0f} GFLOP/s."
    )
    table = tabulate(rows, headers=columns, tablefmt="github", disable_numparse=True, colalign=ALIGN)
    return f"{heading}\n\n{table}"
