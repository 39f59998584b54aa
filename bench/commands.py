"""What the commands do, once the command line is read. Everything is checked before anything is written."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import click

import datasets
from bench import names
from bench.arguments import Execution, read_execution, read_sweep
from bench.result import Listener
from bench.spec import TrialSpec
from bench.sweep import Sweep

if TYPE_CHECKING:
    from datasets.images import ImageData


@contextmanager
def usage_errors() -> Iterator[None]:
    """A ValueError raised in here is about what the user gave: one line, exit code 2."""
    try:
        yield
    except ValueError as error:
        raise click.UsageError(str(error)) from error


def run_sweep(options: Mapping[str, Any]) -> int:
    """Train what the store lacks of a sweep. Returns 0, or 1 where trials failed or diverged."""
    with usage_errors():
        sweep = read_sweep(options)
        execution = read_execution(options, sweep.protocol["device"])
        from bench import tracking

        uri = tracking.store_uri()
        tracking.check_writable(uri)
        load = _data(sweep, options)
    trials = sweep.trials()
    done = tracking.finished(uri, [spec.run_key for spec in trials])
    missing = [spec for spec in trials if spec.run_key not in done]
    name = options["name"] or f"{sweep.protocol['dataset']}-{sweep.protocol['model']}"
    command = shlex.join(["python", "-m", "bench", *sys.argv[1:]])
    with tracking.Recorder(uri, name, trials, done, command, sweep.name_of) as recorder:
        _execute(missing, load, execution, recorder)
    return 0


def _data(sweep: Sweep, options: Mapping[str, Any]) -> Callable[[], ImageData]:
    """Fetch the data set where it is missing, check every file, and say how a worker loads it."""
    root = datasets.data_root(options["data_root"])
    name = sweep.protocol["dataset"]
    datasets.fetch(name, root)
    return partial(datasets.load, name, root)


def _execute(
    trials: Sequence[TrialSpec], load: Callable[[], ImageData], execution: Execution, listener: Listener
) -> None:
    packs = [[spec] for spec in trials]
    if execution.executor == "local":
        from bench import local

        local.run(packs, load, listener)
        return
    from bench import schedule
    from bench.train import train_epochs

    schedule.run(
        packs,
        train_epochs,
        load,
        listener,
        cpus_per_trial=trials[0].threads,
        gpus_per_trial=execution.gpus_per_trial,
        address=execution.address,
        max_retries=execution.max_retries,
    )
