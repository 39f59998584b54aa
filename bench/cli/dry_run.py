"""`run --dry-run`: what a sweep would train, how long it would take and how much memory, from a short calibration."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from math import nan
from statistics import median
from typing import Any

import torch
from tabulate import tabulate

from bench.datasets.images import ImageData
from bench.engine.endless import endless_steps
from bench.engine.measures.evaluate import accuracy
from bench.engine.measures.gradients import gradient_figures
from bench.engine.setup.background import apply_background
from bench.engine.setup.memory import free_bytes, peak_bytes, reset_peak, wait_for
from bench.engine.setup.precision import settings
from bench.engine.setup.prepare import PROBE, Trial, prepare
from bench.engine.steps import cuda_graph
from bench.execution.execution import Execution
from bench.messages import one_line
from bench.methods import Method, has_rates
from bench.methods.fading import SETTINGS, fades
from bench.trial.spec import TrialSpec

WARM_UP, STEPS = cuda_graph.WARM_UP + 2, 10  # of the first, the last is replayed on CUDA


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a trial takes at the lowest rate, the slowest, of those with one step kind and one background."""

    dataset: str
    step: str
    background: str
    rate: str
    trials: int
    step_seconds: float
    trial_seconds: float  # test accuracy measured after every epoch, though only an improved epoch has it
    peak_bytes: int  # of the GPU, or of the whole process
    reason: str = ""  # why nothing could be measured
    stands_in: bool = False  # whether another trial was measured: this one needs the networks of others


def estimates(trials: Sequence[TrialSpec], data: ImageData) -> list[Estimate]:
    """One for each step and background of the trials, which are of one data set."""
    groups: dict[tuple[str, str], list[TrialSpec]] = {}
    for spec in trials:
        groups.setdefault((spec.step, _background(spec)), []).append(spec)
    return [_estimate(step, background, specs, data) for (step, background), specs in groups.items()]


def _background(spec: TrialSpec) -> str:
    """What of the background a step depends on."""
    if not spec.rate:
        return "dense"
    return f"{spec.method.background}, fading" if fades(spec.method) else spec.method.background


def _estimate(step: str, background: str, specs: Sequence[TrialSpec], data: ImageData) -> Estimate:
    spec = min(specs, key=lambda spec: spec.rate)
    known: dict[str, Any] = {
        "dataset": spec.dataset,
        "step": step,
        "background": background,
        "rate": format(spec.rate, "f"),
        "trials": len(specs),
        "stands_in": _needs_others(spec),
    }
    try:
        return Estimate(**known, **_measured(_stand_in(spec), data))
    except Exception as error:  # each of these trials would fail with it
        return Estimate(**known, step_seconds=nan, trial_seconds=nan, peak_bytes=0, reason=one_line(error))


def _stand_in(spec: TrialSpec) -> TrialSpec:
    """The trial, or one like it that needs no networks of others: from drawn weights, with a random mask."""
    if not _needs_others(spec):
        return spec
    method = spec.method
    held = {"background": method.background, "scale": method.scale} | {name: getattr(method, name) for name in SETTINGS}
    random = Method(criterion="random", **held)
    return replace(spec, start=None, method=random if has_rates(method) else method)


def _needs_others(spec: TrialSpec) -> bool:
    return spec.start is not None or spec.method.reads_parent


def _measured(spec: TrialSpec, data: ImageData) -> dict[str, Any]:
    with settings(spec):
        reset_peak(spec.device)
        began = time.perf_counter()
        trial = prepare(spec, data, spec.device)
        apply_background(trial.model, trial.masks, spec)
        wait_for(spec.device)
        prepared = time.perf_counter() - began
        step = _step(endless_steps(spec, trial), spec.device)
        figures = _warm(lambda: gradient_figures(trial.model, trial.masks, *trial.probe), spec.device)
        evaluation = _evaluation(spec, trial)
    steps = -(-len(trial.train_indices) // spec.batch_size)
    return {
        "step_seconds": step,
        "trial_seconds": prepared + spec.epochs * (steps * step + figures + evaluation),
        "peak_bytes": peak_bytes(spec.device),
    }


def _evaluation(spec: TrialSpec, trial: Trial) -> float:
    """Seconds of the validation and the test images, scaled up from those of a probe."""
    evaluate = partial(accuracy, trial.model, trial.train, trial.train_indices[:PROBE], spec.precision)
    seconds = _warm(evaluate, spec.device)
    images = len(trial.validation_indices) + len(trial.test.labels)
    return seconds * images / min(PROBE, len(trial.train_indices))


def _step(steps: Iterator[int], device: str) -> float:
    """Seconds of a step, once its libraries are warm."""
    for _ in islice(steps, WARM_UP):
        pass
    return median(_timed(lambda: next(steps), device) for _ in range(STEPS))


def _warm(work: Callable[[], object], device: str) -> float:
    """Seconds of the second time on CUDA, whose first one loads what it needs; on the CPU of the first."""
    if device == "cuda":
        work()
    return _timed(work, device)


def _timed(work: Callable[[], object], device: str) -> float:
    wait_for(device)
    start = time.perf_counter()
    work()
    wait_for(device)
    return time.perf_counter() - start


def slots(execution: Execution, spec: TrialSpec) -> int | None:
    """How many trials this machine trains at a time; None for a cluster. Raises ValueError if it can train none."""
    if execution.address is not None:
        return None
    if execution.executor == "local":
        return 1
    count = (os.cpu_count() or 1) // spec.threads
    if spec.device == "cuda":
        count = min(count, int(torch.cuda.device_count() / execution.gpus_per_trial + 1e-9))
    if not count:
        raise ValueError(
            f"a trial asks for {spec.threads} CPU and {execution.gpus_per_trial:g} GPU: this machine has fewer"
        )
    return count


def as_text(estimates: Sequence[Estimate], slots: int | None, spec: TrialSpec) -> str:
    """The table, and what it comes to.

    Args: estimates: of all data sets. slots: trials at a time; None if only a cluster knows. spec: one of the trials.
    """
    mixed = len({e.dataset for e in estimates}) > 1
    headers = ["data set"] * mixed + ["step", "background", "lowest rate", "trials", "ms/step", "trial", "peak MB"]
    rows = [[e.dataset] * mixed + _row(e) for e in estimates if not e.reason]
    table = tabulate(rows, headers=headers, tablefmt="github", disable_numparse=True)
    fails = [f"{e.trials} trials, {e.background} from rate {e.rate}, fail: {e.reason}" for e in estimates if e.reason]
    seconds = sum(e.trials * e.trial_seconds for e in estimates if not e.reason)
    most = max((e.peak_bytes for e in estimates), default=0)
    totals = [f"{duration(seconds)} of one worker"]
    if slots is not None:
        totals.append(f"about {duration(seconds / slots)} with {slots} at a time")
        totals.append(f"{slots * most / 1e6:,.0f} MB of the {free_bytes(spec.device) / 1e6:,.0f} MB that are free")
    caveat = "Timed alone: trials side by side slow each other down."
    if spec.pack != "single":
        caveat = "Timed one by one: together in a batched step they take less time, and more memory."
    if any(e.stands_in for e in estimates):
        caveat += (
            " Trials that need the networks of others are timed from drawn weights with a random mask of their rate."
        )
    return "\n\n".join([table, f"{'; '.join(totals)}. {caveat}", *fails])


def _row(e: Estimate) -> list[str]:
    times = [f"{1e3 * e.step_seconds:.2f}", duration(e.trial_seconds)]
    return [e.step, e.background, e.rate, str(e.trials), *times, f"{e.peak_bytes / 1e6:,.0f}"]


def duration(seconds: float) -> str:
    """A time in the largest unit of which it has at least one.

    >>> duration(0.8), duration(150), duration(9000)
    ('0.8 s', '2.5 min', '2.5 h')
    """
    unit, size = next(((u, s) for u, s in (("h", 3600), ("min", 60)) if seconds >= s), ("s", 1))
    return f"{seconds / size:.1f} {unit}"
