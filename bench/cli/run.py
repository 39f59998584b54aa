"""The `run` command, once the command line is read. Everything is checked before anything is written."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from bench import datasets, names
from bench.cli.arguments import Execution, on_device, read_execution, read_sweep
from bench.messages import announced, say, usage_errors
from bench.storage.checkpoint import Checkpoints
from bench.storage.choices import with_choices
from bench.storage.destinations import Destination, FolderDestination, StoreDestination
from bench.storage.entry import OnStored, check_name
from bench.trial.pack_kind import packs_of
from bench.trial.result import Listener, TrialResult
from bench.trial.spec import TrialSpec
from bench.trial.sweep import Sweep

if TYPE_CHECKING:
    from bench.datasets.images import ImageData


def run_sweep(options: Mapping[str, Any], store: Callable[[], Destination] = StoreDestination) -> int:
    """Train what the store lacks of a sweep. Returns 0, or 1 where a trial of the sweep failed or diverged."""
    with usage_errors():
        sweep = read_sweep(options)
        with announced(sweep.grid()):
            sweep = on_device(sweep, options)
            execution = read_execution(options, sweep.protocol["device"])
            name = options["name"] or sweep.default_name
            check_name(name)
            place = store() if execution.offline is None else FolderDestination(execution.offline)
            if options["tuned"] is not None:
                sweep = with_choices(sweep, options["tuned"], place)
            trials = sweep.trials()
            load = data_of(options["dataset"], options)
    if place.is_new and not options["dry_run"]:  # else it may have every trial, and be faster to ask than Ray to start
        _start_ray(execution)
    keys = [spec.run_key for spec in trials]
    with usage_errors():
        place.open()
        ended = place.ended(keys)
    missing = [spec for spec in trials if spec.run_key not in ended]
    say(f"{len(trials)} trials: {len(ended)} done before, {len(missing)} to train; {place.label}")
    if options["dry_run"]:
        return _dry_run(missing, load, execution)
    if missing:
        _start_ray(execution)
    checkpoints = Checkpoints(execution.storage) if execution.storage else None
    kept: OnStored = checkpoints.remove if checkpoints else lambda run_keys: None
    kept(ended)  # by a command that was killed before it removed them
    command = shlex.join(["python", "-m", "bench", *sys.argv[1:]])
    with ExitStack() as stack:
        with usage_errors():  # the name of a deleted experiment
            recorder = stack.enter_context(place.recorder(name, keys, command, sweep.name_of, kept))
        results = _train(missing, load, execution, recorder, sweep, checkpoints) if missing else {}
    kept([s.run_key for s, r in results.items() if r.outcome != names.FAILED])  # of packs trained again after a loss
    if unsaved := [r.tags[names.UNSAVED] for r in results.values() if names.UNSAVED in r.tags]:
        say(f"warning: {len(unsaved)} trials could not write their checkpoints: {unsaved[0]}")
    bad = {s: f"{names.DIVERGED}: {ended[s.run_key]}" for s in trials if ended.get(s.run_key)}
    return _verdict(sweep, bad | {s: f"{r.outcome}: {r.reason}" for s, r in results.items() if r.outcome != names.DONE})


def _dry_run(missing: Sequence[TrialSpec], load: Callable[[], ImageData], execution: Execution) -> int:
    """Print on stdout an estimate of what these trials take; stores nothing, starts no Ray."""
    if missing:
        from bench.cli import dry_run

        with usage_errors():
            slots = dry_run.slots(execution, missing[0])
        click.echo(dry_run.as_text(dry_run.estimates(missing, load()), slots, missing[0]))
    return 0


def _start_ray(execution: Execution) -> None:
    """Have Ray start in the background, where it is needed and not already on its way."""
    if execution.executor == "ray":
        from bench.execution import schedule

        schedule.start(execution.address)


def data_of(name: str, options: Mapping[str, Any]) -> Callable[[], ImageData]:
    """Fetch the data set where it is missing, check every file, and say how a worker loads it.

    Where no folder is named, each machine of a cluster has its own: BENCH_DATA_ROOT, or its user's cache folder.
    """
    root = datasets.data_root(options["data_root"])
    datasets.fetch(name, root)
    datasets.check(name, root)
    theirs = None if options["address"] and options["data_root"] is None else root
    return partial(datasets.load, datasets.absolute(name), theirs)


def _train(
    trials: Sequence[TrialSpec],
    load: Callable[[], ImageData],
    execution: Execution,
    recorder: Listener,
    sweep: Sweep,
    checkpoints: Checkpoints | None,
) -> dict[TrialSpec, TrialResult]:
    """Train the trials; returns the results that the listener was told."""
    from bench.cli.progress import Progress, tell

    collected = Collected()
    with Progress(trials, sweep.name_of) as progress:
        listener = tell(recorder, collected, progress)
        if execution.executor == "local":
            from bench.execution import local

            local.run(packs_of(trials, 1), load, listener, checkpoints)
        else:
            from bench.execution import schedule
            from bench.execution.worker import engine

            resources = {"cpus_per_trial": trials[0].threads, "gpus_per_trial": execution.gpus_per_trial}
            schedule.run(
                packs_of(trials, schedule.slots(execution.address, **resources)),
                partial(engine, checkpoints=checkpoints),
                load,
                listener,
                **resources,
                address=execution.address,
                max_retries=execution.max_retries,
            )
    return collected.results


class Collected:
    """A listener that keeps the results."""

    def __init__(self) -> None:
        self.results: dict[TrialSpec, TrialResult] = {}

    def started(self, spec: TrialSpec) -> None:
        """Nothing to keep."""

    def epoch(self, spec: TrialSpec, epoch: int, figures: Mapping[str, float]) -> None:
        """Nothing to keep."""

    def finished(self, spec: TrialSpec, result: TrialResult) -> None:
        """Keep the result, but for its network, which may be large."""
        self.results[spec] = replace(result, artefact=b"")


def _verdict(sweep: Sweep, bad: Mapping[TrialSpec, str]) -> int:
    """Name the trials of the sweep that did not end well, now or before, by reason; the exit code."""
    by_reason: dict[str, list[str]] = {}
    for spec, reason in bad.items():
        by_reason.setdefault(reason, []).append(f"{sweep.name_of(spec.method)} {spec.rate} seed {spec.seed}")
    for reason, trials in by_reason.items():
        say(f"{reason}: {len(trials)} of the sweep's trials: {', '.join(trials)}")
    return 1 if bad else 0
