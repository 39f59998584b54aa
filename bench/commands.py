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
from bench.catalogue import Catalogue, nearest
from bench.grammar import parse_rates
from bench.result import Listener, TrialResult
from bench.spec import TrialSpec
from bench.sweep import Sweep

if TYPE_CHECKING:
    import pandas as pd

    from datasets.images import ImageData


@contextmanager
def usage_errors() -> Iterator[None]:
    """A ValueError raised in here is about what the user gave: one line, exit code 2."""
    try:
        yield
    except ValueError as error:
        raise click.UsageError(str(error)) from error


def run_sweep(options: Mapping[str, Any]) -> int:
    """Train what the store lacks of a sweep. Returns 0, or 1 where a trial of the sweep failed or diverged."""
    with usage_errors():
        sweep = read_sweep(options)
        trials = sweep.trials()
        execution = read_execution(options, trials[0].device)
        from bench import tracking

        name = options["name"] or f"{trials[0].dataset}-{trials[0].model}"
        tracking.check_name(name)
        uri = tracking.store_uri()
        tracking.check_writable(uri)
        load = _data(trials, options)
    if execution.executor == "ray":
        from bench import schedule

        schedule.start(execution.address)  # in the background, while the store answers
    done = tracking.finished(uri, [spec.run_key for spec in trials])
    missing = [spec for spec in trials if spec.run_key not in done]
    _say(f"{len(trials)} trials: {len(trials) - len(missing)} done before, {len(missing)} to train; store {uri}")
    command = shlex.join(["python", "-m", "bench", *sys.argv[1:]])
    with tracking.Recorder(uri, name, trials, done, command, sweep.name_of) as recorder:
        ended = _train(missing, load, execution, recorder, sweep) if missing else {}
    told = {run: reason for run, reason in tracking.diverged(uri).items() if run in done.values()}
    before = {s: told[done[s.run_key]] for s in trials if done.get(s.run_key) in told}
    now = {s: r for s, r in ended.items() if r.outcome != names.DONE}
    bad = {s: f"{names.DIVERGED}: {why}" for s, why in before.items()}
    return _verdict(sweep, bad | {s: f"{r.outcome}: {r.reason}" for s, r in now.items()})


def _data(trials: Sequence[TrialSpec], options: Mapping[str, Any]) -> Callable[[], ImageData]:
    """Fetch the data set where it is missing, check its files and its splits, and say how a worker loads it."""
    from bench.prepare import indices

    name, root = trials[0].dataset, datasets.data_root(options["data_root"])
    datasets.fetch(name, root)
    data = datasets.load(name, root)
    for spec in {spec.seed: spec for spec in trials}.values():
        indices(spec, data)
    return partial(datasets.load, name, root)


def _train(
    trials: Sequence[TrialSpec],
    load: Callable[[], ImageData],
    execution: Execution,
    recorder: Listener,
    sweep: Sweep,
) -> dict[TrialSpec, TrialResult]:
    """Train the trials; returns the results that the listener was told."""
    from bench.progress import Progress, tell

    collected = Collected()
    packs = [[spec] for spec in trials]
    with Progress(trials, sweep.name_of) as progress:
        listener = tell(recorder, collected, progress)
        if execution.executor == "local":
            from bench import local

            local.run(packs, load, listener)
        else:
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
        """Keep the result."""
        self.results[spec] = result


def _verdict(sweep: Sweep, bad: Mapping[TrialSpec, str]) -> int:
    """Name the trials of the sweep that did not end well, now or before; the exit code."""
    if not bad:
        return 0
    _say(f"{len(bad)} trials of the sweep did not end well:")
    for spec, reason in bad.items():
        _say(f"  {sweep.name_of(spec.method)} {spec.rate} seed {spec.seed}: {reason}")
    return 1


def print_table(options: Mapping[str, Any]) -> int:
    """Print the table of the store on stdout."""
    with usage_errors():
        rates = [format(rate, "f") for rate in parse_rates(options["rates"])] if options["rates"] else []
        frame = _store()
        from results.figures import figure
        from results.tables import render

        _check_reference(options["reference"], set(frame["method"]))
        shown = figure(options["metric"])
        margin = options["margin"] if options["margin"] is not None or not shown.is_accuracy else 0.5
        text = render(
            frame,
            format=options["format_"],
            reference=options["reference"],
            test=options["test"],
            margin=None if margin is None else margin / shown.factor,
            alpha=options["alpha"],
            metric=options["metric"],
            names=[options["name"]] if options["name"] else [],
            methods=[m.strip() for m in options["methods"].split(",")] if options["methods"] else [],
            rates=rates,
            classes={name: row.classes for name, row in datasets.DATASETS.items()},
            test_images={name: row.test for name, row in datasets.DATASETS.items()},
        )
    click.echo(text.rstrip("\n"))
    return 0


def _check_reference(name: str, stored: set[str]) -> None:
    """A method that is not in the store may still be asked for, one that does not exist may not."""
    known = [*Catalogue(), *sorted(stored - set(Catalogue()))]
    if name.partition(" (")[0] not in known:
        raise ValueError(nearest("method", name, known))


def _store() -> pd.DataFrame:
    """The tidy frame of the store. Raises ValueError where there is none, or nothing in it."""
    from bench import tracking

    uri = tracking.store_uri()
    if not tracking.exists(uri):
        raise ValueError(f"no store at {uri}: `python -m bench run` makes one, MLFLOW_TRACKING_URI names another")
    from results.collect import collect

    frame = collect(uri)
    if frame.empty:
        raise ValueError(f"no trial in the store {uri}: `python -m bench run` trains some")
    return frame


def print_list(options: Mapping[str, Any]) -> int:
    """Print one of the listings on stdout."""
    from bench.listing import LISTINGS, as_text

    with usage_errors():
        rows = _store() if options["what"] == "trials" else LISTINGS[options["what"]](options["plugins"])
    click.echo(as_text(rows, options["format_"]))
    return 0


def open_ui(options: Mapping[str, Any]) -> int:
    """Serve the MLflow UI until it is interrupted."""
    with usage_errors():
        from bench import tracking

        uri = tracking.store_uri()
        if not tracking.exists(uri):
            raise ValueError(f"no store at {uri}: `python -m bench run` makes one, MLFLOW_TRACKING_URI names another")
    return tracking.ui(uri, options["host"], options["port"])


def _say(text: str) -> None:
    print(text, file=sys.stderr)
