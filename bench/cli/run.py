"""The `run` command, once the command line is read. Everything is checked before anything is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial

import click

from bench import names
from bench.cli.arguments import on_device, read_sweep
from bench.cli.config.command_text import command_text
from bench.cli.config.config_text import print_config
from bench.cli.execution_arguments import read_execution
from bench.cli.next_steps import say_after_run
from bench.cli.requests.sweep import RunRequest
from bench.cli.tracking.sweep_page import describe
from bench.cli.tracking.trackers import read_tracking, say_where, with_trackers
from bench.execution.execution import Execution
from bench.execution.run import DestinationError, Plan, checked_data, open_destination, start_ray, train_missing
from bench.messages import announced, counted, say, usage_errors
from bench.methods import Method
from bench.storage.choices import with_choices
from bench.storage.destinations import FolderDestination, StoreDestination
from bench.storage.entry import check_new_name
from bench.trial.result import Listener, TrialResult
from bench.trial.spec import TrialSpec
from bench.trial.sweep import Sweep


def run_sweep(request: RunRequest) -> int:
    """Train what the store lacks of a sweep. Returns 0, or 1 if a trial of the sweep failed or diverged."""
    with usage_errors():
        sweep = read_sweep(request)
        if request.print_config:
            return print_config(request, sweep)
        with announced(sweep.grid()):
            plan = _planned(request, sweep)
    if plan.destination.is_new and not request.dry_run:
        start_ray(plan.execution)  # else it may have every trial, and be faster to ask than Ray to start
    with usage_errors():
        ended = open_destination(plan)
    missing = [spec for spec in plan.trials if spec.run_key not in ended]
    say(f"{len(plan.trials)} trials: {len(ended)} done before, {len(missing)} to train; {plan.destination.label}")
    if request.dry_run:
        return _dry_run(missing, plan)
    with usage_errors(DestinationError):
        results = train_missing(plan, missing, ended, partial(display, execution=plan.execution))
    _warn(plan.sweep, results)
    say_where(plan)
    if isinstance(plan.destination, StoreDestination):
        describe(plan.destination.uri, plan.name, changed=bool(results))
    bad = {s: f"{names.DIVERGED}: {ended[s.run_key]}" for s in plan.trials if ended.get(s.run_key)}
    bad |= {s: f"{r.outcome}: {r.reason}" for s, r in results.items() if r.outcome != names.DONE}
    code = _verdict(plan.sweep, bad)
    say_after_run(request, {reason.partition(":")[0] for reason in bad.values()})
    return code


def _planned(request: RunRequest, sweep: Sweep) -> Plan:
    """What is to be done, all of it checked; writes nothing except the data set, if it is missing."""
    tracking = read_tracking(request)
    sweep = on_device(sweep, request.device)
    execution = read_execution(request, sweep.protocol["device"])
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
    )
    return with_trackers(plan, tracking)


def _dry_run(missing: Sequence[TrialSpec], plan: Plan) -> int:
    """Print on stdout an estimate of what these trials take; stores nothing, starts no Ray."""
    if missing:
        from bench.cli import dry_run

        with usage_errors():
            slots = dry_run.slots(plan.execution, missing[0])
        click.echo(dry_run.as_text(dry_run.estimates(missing, plan.load()), slots, missing[0]))
    return 0


def display(
    missing: Sequence[TrialSpec], name_of: Callable[[Method], str], execution: Execution | None = None
) -> AbstractContextManager[Listener]:
    """What shows the progress of a sweep."""
    from bench.execution.progress.screen import awaited
    from bench.execution.progress.trials import Progress

    return Progress(missing, name_of, awaited(execution.executor, execution.address) if execution else "")


def _warn(sweep: Sweep, results: Mapping[TrialSpec, TrialResult]) -> None:
    """Say what is stored, and yet worth a word."""
    if unsaved := [r.tags[names.UNSAVED] for r in results.values() if names.UNSAVED in r.tags]:
        say(f"warning: {len(unsaved)} trials could not write their checkpoints: {unsaved[0]}")
    tagged = ((sweep.name_of(s.method), r.tags[names.CHANGED]) for s, r in results.items() if names.CHANGED in r.tags)
    for (method, words), trials in Counter(tagged).items():
        say(f"warning: {method} changed {words} while it chose its weights; put back: {counted(trials, 'trial')}")


def _verdict(sweep: Sweep, bad: Mapping[TrialSpec, str]) -> int:
    """Name the trials of the sweep that did not end well, now or before, by reason; the exit code."""
    by_reason: dict[str, list[str]] = {}
    for spec, reason in bad.items():
        by_reason.setdefault(reason, []).append(f"{sweep.name_of(spec.method)} {spec.rate} seed {spec.seed}")
    for reason, trials in by_reason.items():
        say(f"{reason}: {len(trials)} of the sweep's trials: {', '.join(trials)}")
    return 1 if bad else 0
