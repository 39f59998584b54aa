"""`bench speed trials`: trial-steps per second of `bench run` against bare engines side by side, in turn."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from statistics import mean, median
from typing import TYPE_CHECKING, Any

from tabulate import tabulate

from bench import names
from bench.datasets.counts import validation_count
from bench.messages import say
from bench.speed.bare import Share, side_by_side
from bench.speed.machine import machine
from bench.speed.timed_run import TimedRun
from bench.trial.result import SweepError, TrialResult
from bench.trial.spec import TrialSpec

if TYPE_CHECKING:
    from bench.execution.worker import Load
    from bench.trial.sweep import Sweep

Figures = dict[str, float]
LINES = (  # of the table: a figure, how it is called, how it is printed
    ("workers", "processes that train", ".0f"),
    ("steps_per_second", "trial-steps per second", ",.0f"),
    ("ratio", "of the bare engines'", ".1%"),
    ("seconds", "seconds, first trial's start to the end", ".2f"),
    ("trial_milliseconds", "a trial from start to end, ms", ",.1f"),
    ("between_milliseconds", "between two trials of a worker, ms", ".1f"),
    ("between_longest", "the longest of these, ms", ".1f"),
    ("storing_milliseconds", "storing a trial, processor time, ms", ".1f"),
    ("stored_together", "trials in a transaction", ".1f"),
    ("tail_seconds", "not all workers training, at the end, s", ".2f"),
    ("loading_milliseconds", "loading the data, once per worker, ms", ".1f"),
    ("startup_seconds", "start-up, to the first trial's start, s", ".2f"),
)


def measure(
    make: Callable[[], Sweep], load: Load, timed: Callable[[], TimedRun], images: int, rounds: int
) -> dict[str, Any]:
    """Train the same trials by bare engines and as the `run` command does, in turn, `rounds` times.

    Args:    make: makes the sweep, in every process anew; its seeds are dealt out to the cores.
             load: its data, of so many training images.
             timed: trains the sweep as `run` does.
    Returns: what was measured, the figures of each round and their medians, all as JSON values.
    Raises:  SweepError if a trial is not done, or the two sides do not end at the same weights.
    """
    sweep, cores, before = make(), os.cpu_count() or 1, os.getloadavg()
    trials = sweep.trials()
    first, steps = trials[0], steps_of(trials[0], images)
    about = {
        "dataset": first.dataset,
        "model": first.model,
        "batch_size": first.batch_size,
        "epochs": first.epochs,
        "cores": cores,
        "trials": len(trials),
        "seeds": len(sweep.seeds),
        "steps_per_trial": steps,
    }
    say(f"{rounds} times {len(trials)} trials of {steps} steps, by bare engines and by the run command")
    shares = [partial(_share, make, core, cores) for core in range(cores)]
    all_steps = sum(steps_of(spec, images) for spec in trials)
    measured = [_round(shares, load, timed, all_steps) for _ in range(rounds)]
    return {
        "machine": machine(),
        "load_average": {"before": before[0], "after": os.getloadavg()[0]},
        **about,
        "rounds": measured,
        "median": {
            side: {name: median(figures[side][name] for figures in measured) for name in measured[0][side]}
            for side in measured[0]
        },
    }


def steps_of(spec: TrialSpec, images: int) -> int:
    """The steps of a trial on a data set of so many training images."""
    return spec.epochs * -(-(images - validation_count(images, spec.validation_fraction)) // spec.batch_size)


def _share(make: Callable[[], Sweep], core: int, cores: int) -> list[TrialSpec]:
    """The trials of one of so many cores."""
    return [spec for spec in make().trials() if spec.seed % cores == core]


def _round(shares: Sequence[Share], load: Load, timed: Callable[[], TimedRun], steps: int) -> dict[str, Figures]:
    """Both sides once, one after the other, of so many steps: "bare" and "harness", each with its figures."""
    trained, loading = side_by_side(shares, load)
    bare = [result for results in trained for result in results]
    run = timed()
    _check_same(bare, run.results)
    ours = figures(run.results, run.stored, steps)
    theirs = figures(bare, max(result.ended for result in bare), steps)
    theirs |= {"ratio": 1.0, "loading_milliseconds": 1e3 * mean(loading)}
    ours |= {"ratio": ours["steps_per_second"] / theirs["steps_per_second"], **_overhead(run)}
    return {"bare": theirs, "harness": ours}


def _overhead(run: TimedRun) -> Figures:
    first = min(result.started for result in run.results)
    return {
        "storing_milliseconds": 1e3 * run.storing_seconds / len(run.results),
        "stored_together": len(run.results) / run.transactions,
        "startup_seconds": first - run.began,
    }


def figures(results: Sequence[TrialResult], end: float, steps: int) -> Figures:
    """The figures of one side by the engine's time stamps, whose last result was there at the Unix time `end`."""
    spans = [(result.started, result.ended) for result in results]
    seconds = end - min(start for start, _ in spans)
    between, last = idle(spans)
    return {
        "steps_per_second": steps / seconds,
        "seconds": seconds,
        "trial_milliseconds": 1e3 * mean(stop - start for start, stop in spans),
        "between_milliseconds": 1e3 * mean(between),
        "between_longest": 1e3 * max(between),
        "tail_seconds": max(last) - min(last),
        "workers": len(last),
    }


def idle(spans: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    """Of trials that some workers trained: the pauses between two of one worker, and when each ended its last.

    A result does not say which worker trained it. So a trial is taken to begin on the worker that has been idle for
    longest, or on a further one if none is idle; the sum of the pauses depends only on the number of workers.

    >>> idle([(0, 5), (1, 4), (4.5, 8), (6, 7)])
    ([0.5, 1], [8, 7])
    """
    ends: list[float] = []
    pauses = []
    for start, end in sorted(spans):
        idle_since = [ended for ended in ends if ended <= start]
        if idle_since:
            pauses.append(start - min(idle_since))
            ends.remove(min(idle_since))
        ends.append(end)
    return pauses, ends


def _check_same(bare: Sequence[TrialResult], ours: Sequence[TrialResult]) -> None:
    """A comparison of speed is one of equal work: the same trials, trained to the end, to the same weights."""
    for result in (*bare, *ours):
        if result.outcome != names.DONE:
            raise SweepError(f"a trial is {result.outcome}: {result.reason}")
    weights = [{r.run_key: r.tags[names.WEIGHTS_SHA256] for r in results} for results in (bare, ours)]
    if weights[0] != weights[1]:
        raise SweepError("the bare engines and the run command did not train to the same weights")


def as_table(result: Mapping[str, Any]) -> str:
    """The result in words and a table."""
    sides = [result["median"][side] for side in ("bare", "harness")]
    rows = [
        [label, *(format(side[name], form) if name in side else "" for side in sides)] for name, label, form in LINES
    ]
    about = ", ".join(f"{name} {value}" for name, value in result["machine"].items())
    load, rounds = result["load_average"], result["rounds"]
    ratios = sorted(sides_of_round["harness"]["ratio"] for sides_of_round in rounds)
    heading = (
        f"{result['dataset']} · {result['model']}, batch {result['batch_size']}, {result['epochs']} epochs: the same"
        f" {result['trials']} trials of {result['steps_per_trial']} steps ({result['seeds']} seeds)\n"
        f"by {result['cores']} bare engines side by side and by `bench run`, in turn; medians of {len(rounds)} rounds,"
        f" ratios {ratios[0]:.1%} to {ratios[-1]:.1%}.\n"
        "Counted: from the first trial's start to the last trial's end, of the run command to the last result stored.\n"
        f"{about}. Load average {load['before']:.1f} before, {load['after']:.1f} after."
    )
    table = tabulate(
        rows,
        headers=["", "bare engines", "bench run"],
        tablefmt="github",
        colalign=("left", "right", "right"),
        disable_numparse=True,
    )
    return f"{heading}\n\n{table}"
