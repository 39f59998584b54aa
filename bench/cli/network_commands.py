"""The commands that rebuild networks of the store: `narrow`, and `export` of a network that is to be another file."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import click

from bench import names
from bench.api.stored import existing_store
from bench.artefact.artefact import Artefact, read
from bench.artefact.base import Files
from bench.artefact.narrow import content_of, data_of, images_of, narrowed
from bench.artefact.small_files import WRITERS, small_network
from bench.artefact.small_widths import WIDTHS
from bench.cli.networks.bases import Bases
from bench.cli.networks.run_network import network_of_run
from bench.cli.requests.networks import NARROWER, ExportRequest, NarrowRequest
from bench.cli.verify_command import percent
from bench.datasets.loader import Resident
from bench.disk import write_whole
from bench.messages import one_of, say, say_left_out, usage_errors
from bench.mlflow_metrics import stored_figures, stored_name
from bench.storage.mlflow_fields import spec_of
from bench.storage.mlflow_store import Store
from bench.stored_runs.query import RunQuery
from bench.stored_runs.reading import read_runs
from bench.trial.plugins import Catalogue


def export_small(data: bytes, bases: Bases, file: Path, request: ExportRequest) -> int:
    """Write the network without its closed channels, and its widths beside it."""
    network = read(data, bases.of(data))
    try:
        small = small_network(network)
    except ValueError as error:
        raise ValueError(f"run {request.run}: {error}") from None
    written, widths = WRITERS[file.suffix](small), file.with_suffix(WIDTHS)
    write_whole(file, written)
    write_whole(widths, small.widths.model_dump_json(indent=1).encode())
    before = sum(p.numel() for p in small.masked.parameters())
    say(
        f"{request.output}: {len(written):,} bytes, {small.widths.parameters:,} of {before:,} parameters, "
        f"{small.widths.macs:,} multiply-accumulates; widths in {widths.name}"
    )
    return 0


def export_narrower(data: bytes, bases: Bases, request: ExportRequest) -> bytes:
    """The network with values of another type; says what that costs."""
    assert request.value_dtype is not None
    network = read(data, bases.of(data))
    images = images_of(network, data_of(network, request.data_root, request.dataset))
    data = narrowed(network, request.value_dtype, images)
    _say_cost(network, read(data, network.bases))
    return data


def _say_cost(before: Artefact, after: Artefact) -> None:
    trained, left = (percent(network.header.test_accuracy) for network in (before, after))
    say(f"test accuracy {trained} as trained, {left} with {after.header.value_type} values")


def narrow(request: NarrowRequest) -> int:
    """Measure every stored network of the store with narrower values; each once."""
    dtypes = [dtype.strip() for dtype in request.value_dtype.split(",")]
    with usage_errors():
        for dtype in dtypes:
            if dtype not in NARROWER:
                raise ValueError(f"value-dtype {dtype!r}: {one_of(NARROWER)}")
        Catalogue(request.plugins)
        store = Store(existing_store())
        bases = Bases(request.bases, lambda: store.uri)
        runs = _lacking(store, dtypes, request.name)
        moved = _moved(store, [run for run, _ in runs], request)
    images: dict[tuple[str, ...], Resident] = {}
    failures = 0
    with click.progressbar(runs, file=sys.stderr, label="networks") as progress:
        for run, left in progress:
            try:
                data = network_of_run(store.uri, run)
                test_images = partial(_test_images, images, moved, request.data_root)
                store.measured(run, _measured(data, bases.of(data), left, test_images))
            except ValueError as error:
                failures += 1
                say(f"error: run {run}: {error}")
    say(f"{len(runs) - failures} networks measured with narrower values; `python -m bench plot storage` shows them")
    return 1 if failures else 0


def _moved(store: Store, runs: list[str], request: NarrowRequest) -> dict[str, str]:
    """The content hash of the data set of `--dataset` -> its name, for the networks that were trained on it."""
    if request.dataset is None or not runs:
        return {}
    content_hash = content_of(request.dataset, request.data_root)
    specs, _ = _specs(store)
    if all(specs[run].get("data_hash") != content_hash for run in runs):
        raise ValueError(f"dataset {request.dataset}: no network to be measured was trained on it")
    return {content_hash: request.dataset}


def _test_images(
    known: dict[tuple[str, ...], Resident], moved: Mapping[str, str], root: Path | None, network: Artefact
) -> Resident:
    """The test set of a network; `known` keeps it for the next one."""
    spec, extra = network.header.spec, network.header.spec.model_extra or {}
    content_hash = str(extra.get("data_hash"))
    key = (spec.model, spec.precision, str(extra.get("dataset")), content_hash)
    if key not in known:
        known[key] = images_of(network, data_of(network, root, moved.get(content_hash)))
    return known[key]


def _measured(
    data: bytes, bases: Files, dtypes: list[str], test_images: Callable[[Artefact], Resident]
) -> dict[str, float]:
    """The figures of a network with values of each type."""
    network = read(data, bases)
    images = test_images(network)
    figures: dict[str, float] = {}
    for dtype in dtypes:
        data = narrowed(network, dtype, images)
        figures |= {f"{names.STORED_BYTES}_{dtype}": len(data)}
        figures |= {f"{names.TEST_ACCURACY}_{dtype}": read(data, bases).header.test_accuracy}
    return figures


def _lacking(store: Store, dtypes: list[str], sweep: str | None) -> list[tuple[str, list[str]]]:
    """The runs with stored values that lack the figures of some of these types, and the types they lack."""
    wanted = names.IN_SWEEP + sweep if sweep else names.RUN_KEY
    specs, unreadable = _specs(store)
    say_left_out("network", unreadable)
    without = {run for run, spec in specs.items() if not spec["method"].get("trains_weights", True)}
    stored = _sizes_stored(store, wanted, dtypes)
    rows = [
        (run, [dtype for dtype in dtypes if f"{names.STORED_BYTES}_{dtype}" not in sizes])
        for run, sizes in stored.items()
        if run in specs and run not in without and names.STORED_BYTES in sizes
    ]
    if not rows:
        said = f"name {sweep}: no stored network" if sweep else "no stored network in the store"
        raise ValueError(
            f"{said} that has values to narrow: of these no weight is trained" if without & {*stored} else said
        )
    return [(run, left) for run, left in rows if left]


def _sizes_stored(store: Store, tag: str, dtypes: list[str]) -> dict[str, dict[str, Any]]:
    """run -> the stored bytes of its network, as it was trained and with values of these types, as far as known; of
    the finished runs with a tag, oldest first."""
    figures = (names.STORED_BYTES, *(f"{names.STORED_BYTES}_{dtype}" for dtype in dtypes))
    written = [name for figure in figures for name in (stored_name(figure), figure)]  # the latter by earlier versions
    query = RunQuery(tag=tag, statuses=("FINISHED",), oldest_first=True, metrics=written)
    return {run.id: stored_figures(run.metrics, {}) for run in read_runs(store.uri, query)}


def _specs(store: Store) -> tuple[dict[str, dict[str, Any]], list[tuple[str, str]]]:
    """run -> the spec of a trial that is done; and run and reason of those whose spec is damaged."""
    specs, unreadable = {}, []
    for run, text in store.tagged(names.SPEC, "FINISHED"):
        try:
            specs[run] = spec_of(text)
        except ValueError as error:
            unreadable.append((run, str(error)))
    return specs, unreadable
