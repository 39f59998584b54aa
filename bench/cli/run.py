"""The `run` command, once the command line is read. Everything is checked before anything is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial

import click

from bench.api.sweep_page import describe
from bench.cli.arguments import read_sweep, start_of
from bench.cli.config.command_text import command_text
from bench.cli.config.config_text import print_config
from bench.cli.next_steps import say_after_run
from bench.cli.requests.sweep import RunRequest
from bench.cli.tracking import read_tracking, say_where, with_trackers
from bench.execution.checked_sweep import on_device
from bench.execution.devices import chosen_words, device_of
from bench.execution.ended import missing_of
from bench.execution.execution import Execution
from bench.execution.machine import read_execution
from bench.execution.outcomes import not_done, remarks
from bench.execution.prerequisites import by_data
from bench.execution.run import (
    DestinationError,
    Plan,
    checked_data,
    checked_loads,
    open_destination,
    start_ray,
    train_missing,
)
from bench.execution.starts import Started, with_start
from bench.messages import announced, counted, say, usage_errors
from bench.methods import Method
from bench.storage.choices import with_choices
from bench.storage.destinations import FolderDestination, StoreDestination
from bench.storage.entry import check_new_name
from bench.trial.result import Listener
from bench.trial.spec import TrialSpec


def run_sweep(request: RunRequest) -> int:
    """Train what the store lacks of a sweep. Returns 0, or 1 if a trial of the sweep failed or diverged."""
    with usage_errors():
        sweep = read_sweep(request)
        started = with_start(sweep, request.dataset, start_of(request), request.data_root)
        if request.print_config:
            return print_config(request, sweep)
        with announced(started.sweep.grid()):
            plan = _planned(request, started)
    if plan.destination.is_new and not request.dry_run:
        start_ray(plan.execution)  # else it may have every trial, and be faster to ask than Ray to start
    with usage_errors():
        ended = open_destination(plan, writes=not request.dry_run)
    missing = missing_of(plan.trials, ended)
    say(f"{_counts(plan, ended, missing)}; {plan.destination.label}")
    if words := chosen_words(request.device, plan.sweep.protocol["pack"], plan.trials):
        say(words)
    if request.dry_run:
        return _dry_run(missing, plan)
    with usage_errors(DestinationError):
        results, now = train_missing(plan, missing, ended, partial(display, execution=plan.execution))
    for remark in remarks(plan.sweep, results):
        say(f"warning: {remark}")
    say_where(plan)
    if isinstance(plan.destination, StoreDestination):
        describe(plan.destination.uri, plan.name, changed=bool(results) or len(now) > len(ended))
    lines = not_done(plan.sweep, plan.trials, now, results)
    for line in lines:
        say(line)
    say_after_run(request, {line.partition(":")[0] for line in lines})
    return 1 if lines else 0


def _planned(request: RunRequest, started: Started) -> Plan:
    """What is to be done, all of it checked; writes nothing except the data set, if it is missing."""
    if started.words:
        say(started.words)
    tracking = read_tracking(request)
    sweep = on_device(started.sweep, request.device, elsewhere=request.address is not None)
    execution = read_execution(
        executor=request.executor,
        device=sweep.protocol["device"],
        cpus_per_trial=request.cpus_per_trial,
        gpus_per_trial=request.gpus_per_trial,
        address=request.address,
        max_retries=request.max_retries,
        storage=request.storage,
        offline=request.offline is not None,
    )
    name = request.name or sweep.default_name
    check_new_name(name)
    destination = StoreDestination() if request.offline is None else FolderDestination(request.offline)
    if request.tuned is not None:
        sweep = with_choices(sweep, request.tuned, destination)
    plan = Plan(
        sweep=sweep,
        trials=sweep.trials(),
        load=checked_data(request.dataset, request.data_root, request.address),
        execution=execution,
        destination=destination,
        name=name,
        command=command_text(),
        loads=checked_loads(started.data, request.data_root, request.address),
        weights=started.weights,
    )
    return with_trackers(plan, tracking)


def _counts(plan: Plan, ended: Mapping[str, str], missing: Sequence[TrialSpec]) -> str:
    """What is done and what is left: "55 trials: 0 done before, 55 to train"."""
    done = sum(spec.run_key in ended for spec in plan.trials)
    needs = len(missing) - (len(plan.trials) - done)
    first = f", and first {counted(needs, 'trial')} that they need" if needs else ""
    return f"{len(plan.trials)} trials: {done} done before, {len(plan.trials) - done} to train{first}"


def _dry_run(missing: Sequence[TrialSpec], plan: Plan) -> int:
    """Print on stdout an estimate of what these trials take; stores nothing, starts no Ray."""
    if missing:
        from bench.cli import dry_run

        with usage_errors():
            device_of(missing[0].device)
            slots = dry_run.slots(plan.execution, missing[0])
        estimates = [
            estimate for trials in by_data(missing) for estimate in dry_run.estimates(trials, plan.load_of(trials)())
        ]
        click.echo(dry_run.as_text(estimates, slots, missing[0]))
    return 0


def display(
    missing: Sequence[TrialSpec], name_of: Callable[[Method], str], execution: Execution | None = None
) -> AbstractContextManager[Listener]:
    """What shows the progress of a sweep."""
    from bench.execution.progress.screen import awaited
    from bench.execution.progress.trials import Progress

    return Progress(missing, name_of, awaited(execution.executor, execution.address) if execution else "")
