"""`compare`: train what a store lacks of a comparison, and give it back as one value."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from os import PathLike
from pathlib import Path
from typing import Any

from bench import datasets
from bench.api.arguments import Methods, Rates, Seeds, methods_of, protocol_of, rates_of, seeds_of
from bench.api.command import call_text
from bench.api.comparison import Comparison, comparison_of
from bench.api.outside import named, named_data
from bench.api.process import settings_kept, store_errors
from bench.api.start import start_request
from bench.api.stored import address_of
from bench.api.sweep_page import describe
from bench.disk import absolute
from bench.execution.checked_sweep import check_selection, checked_sweep, on_device
from bench.execution.ended import missing_of
from bench.execution.execution import Executor
from bench.execution.machine import read_execution
from bench.execution.outcomes import not_done, remarks
from bench.execution.run import Plan, checked_data, checked_loads, open_destination, train_missing
from bench.execution.starts import Started, with_start
from bench.messages import one_of
from bench.storage.destinations import StoreDestination
from bench.storage.entry import check_new_name
from bench.trial.plugins import Catalogue, take_installed
from bench.trial.start import SCRATCH, Head, Norm, When
from bench.trial.sweep import data_and_model
from bench.user_code.guard import load_methods

EXECUTORS = ("local", "ray")
OBJECTS = {"OPTIMIZERS": "optimizer", "SCHEDULES": "schedule"}  # fields of the protocol that may be objects


def compare(
    *,
    methods: Methods = "freeze,snip",
    rates: Rates = "0.9:0.995",
    seeds: Seeds = 5,
    data: Any = "digits",
    model: str | Callable[..., Any] | None = None,
    dense: bool = True,
    name: str | None = None,
    store: str | PathLike[str] | None = None,
    data_root: str | PathLike[str] | None = None,
    plugins: Sequence[str] = (),
    start: str = SCRATCH,
    start_epochs: int | None = None,
    start_lr: float | None = None,
    start_head: Head = "redrawn",
    start_norm: Norm = "kept",
    when: When = "before",
    device: str = "auto",
    executor: Executor = "local",
    cpus_per_trial: int = 1,
    gpus_per_trial: float | None = None,
    address: str | None = None,
    max_retries: int | None = None,
    storage: str | None = None,
    progress: bool = True,
    **protocol: Any,
) -> Comparison:
    """Train each method at each rate and seed, and the dense network; what the store has is not trained again.

    What is trained, its numbers and its keys are those of `python -m bench run`. The process is left as it was: its
    folder, environment, warnings, loggers, random generators and torch's settings.

    Args:
        methods: names as on the command line ("freeze,snip", or a list), `bench.methods.Method` objects, a criterion
            (a function: `freeze` and `prune` of it), or a mapping of name -> `Method`.
        rates: the fraction not trained: "0.9:0.995", "0.9,0.99", or numbers.
        seeds: how many, "3:8", or several whole numbers.
        data: a data set by its name, as on the command line; arrays, ((x_train, y_train), (x_test, y_test)), images of
            uint8 and labels from 0; two data sets of torch's; an `ImageData`; or a mapping of one name to one of these.
        model: a network by its name, or a function or class that makes one, called with the number of classes, and with
            the shape of the images if it takes that too; by default the data set's own.
        dense: whether to train the dense baseline too.
        name: of the sweep in the store; by default data set and network.
        store: an address as `sqlite:///FILE` or `http://HOST:5000`, or a folder, whose `mlflow.db` is meant. None: the
            store of the command line, MLFLOW_TRACKING_URI or that of the working folder.
        data_root: the folder of the data sets.
        plugins: modules or .py files with tables, as `--plugin`.
        start: "scratch", or what the weights are before training: "pretrained:" and a data set, a file or torchvision's
            weights, as `--start`.
        start_epochs, start_lr: of the training on that data set; by default those of the trials.
        start_head: "redrawn" or "kept": the last Linear layer after that training.
        start_norm: "kept" or "fresh": BatchNorm's state after it.
        when: "before" or "after" a dense training on `data` the masks are chosen.
        device: "cpu", "cuda", or "auto": cuda if there is one.
        executor: "local" trains here, one trial after another; "ray" on all cores, or on the cluster at `address`.
        cpus_per_trial: threads of a trial. It is in the trial's key.
        gpus_per_trial: GPUs of a trial on Ray; by default 1 on cuda.
        address: the Ray cluster to join.
        max_retries: how often a trial whose worker was lost starts again; by default once.
        storage: folder or object store of checkpoints; by default the user's cache folder.
        progress: whether to show the progress.
        **protocol: fields of the protocol by their names, as `epochs=10` or `weight_decay=0`: `run --help` lists them.

    Returns: the comparison. An interrupted call keeps in the store what has finished; the same call goes on from there.

    Raises:
        ValueError: in one line, for whatever the arguments say wrongly; nothing is written then.
        SweepError: in one line, if the store takes nothing more, or Ray cannot be had.

    Warns: RuntimeWarning for trials that failed or diverged.
    """
    asked = {**locals(), **protocol}
    del asked["protocol"]
    if executor not in EXECUTORS:
        raise ValueError(f"executor {executor!r}: {one_of(EXECUTORS)}")
    with settings_kept():
        catalogue = Catalogue(plugins)
        network, data = named("MODELS", model), named_data(data)
        objects = {field: named(table, protocol.get(field)) for table, field in OBJECTS.items()}
        fields = {**protocol_of({**protocol, **objects}, signature(compare).parameters), "threads": cpus_per_trial}
        take_installed({**fields, "dataset": data, "model": network})
        root = None if data_root is None else absolute(Path(data_root))
        sweep = checked_sweep(
            methods=methods_of(methods, catalogue),
            known=catalogue.built(),
            rates=rates_of(rates),
            seeds=seeds_of(seeds),
            dense=dense,
            data=datasets.row_of(data, root),
            protocol={**fields, **data_and_model(data, network, fields["initialiser"], root)},
        )
        sweep = on_device(check_selection(sweep), device, elsewhere=address is not None)
        started = with_start(sweep, data, start_request(asked), root)
        plan = _plan(started, data, root, asked)
        lines, comparison = _carried_out(plan, progress)
    for line in lines:
        warnings.warn(line, RuntimeWarning, stacklevel=2)
    return comparison


def _plan(started: Started, data: str, root: Path | None, asked: Mapping[str, Any]) -> Plan:
    """What is to be done, all of it checked; writes nothing except the data set, if it is missing."""
    machine = ("executor", "cpus_per_trial", "gpus_per_trial", "address", "max_retries", "storage")
    sweep = started.sweep
    execution = read_execution(device=sweep.protocol["device"], **{option: asked[option] for option in machine})
    name = asked["name"] or sweep.default_name
    check_new_name(name)
    return Plan(
        sweep=sweep,
        trials=sweep.trials(),
        load=checked_data(data, root, asked["address"]),
        execution=execution,
        destination=StoreDestination(address_of(asked["store"])),
        name=name,
        command=call_text(compare, asked),
        loads=checked_loads(started.data, root, asked["address"]),
        weights=started.weights,
    )


def _carried_out(plan: Plan, progress: bool) -> tuple[list[str], Comparison]:
    """Train what is missing; what is worth a warning, and the comparison."""
    from bench.api import cell  # here: as rich is imported it draws from Python's random generator

    with store_errors(plan.destination.label):
        ended = open_destination(plan)
        missing = missing_of(plan.trials, ended)
        if missing:
            load_methods()  # torch among them, whose settings are put back only if it is there before
        with settings_kept():
            display = cell.display_of(plan.execution) if progress else cell.silent
            results, now = train_missing(plan, missing, ended, display)
            if isinstance(plan.destination, StoreDestination):
                describe(plan.destination.uri, plan.name, changed=bool(results) or len(now) > len(ended))
        lines = [*remarks(plan.sweep, results), *not_done(plan.sweep, plan.trials, now, results)]
        return lines, comparison_of(plan)
