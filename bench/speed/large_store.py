"""A large store, made in minutes: a few trials are really trained, and stored again under other rates and seeds.

What `run` and `import` write of a trial stands there as they write it, except that the copies have no network.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Connection, MetaData, create_engine, select
from sqlalchemy.pool import NullPool

from bench import names
from bench.canonical import key_of
from bench.messages import folded
from bench.storage import offline_folder, store_uri
from bench.storage.client.run_files import address_of
from bench.storage.entry import Entry
from bench.storage.sql import ended_run
from bench.test_right import decoded, encoded
from bench.trial.result import SweepError

METHODS = (
    "freeze", "snip", "grasp-freeze", "grasp", "random-freeze", "random-prune", "magnitude-freeze", "magnitude-prune",
    "synflow-freeze", "synflow",
)  # fmt: skip
RATES = ("0.7", "0.8", "0.85", "0.9", "0.95", "0.98", "0.99", "0.995", "0.998", "0.999")  # all by the same step kind
TRAINED = "0.9"  # the rate of the trials that are trained, at seed 0
CELLS = len(METHODS) * len(RATES)
SWEEP = "large"
SPREAD = 0.01  # the standard deviation of the copies' accuracies
BATCH = 200  # trials that are written at once


@dataclass(frozen=True, kw_only=True)
class LargeStore:
    """A store, and what asks for all of its trials."""

    uri: str
    trials: int
    run_key: str  # of one that has a network
    run_options: Sequence[str]  # of the `run` command that finds all trials there


def make(folder: Path, seeds: int, epochs: int) -> LargeStore:
    """A store in this folder with a trial for each of METHODS, RATES and so many seeds."""
    uri, offline = f"{store_uri.SQLITE}{folder}/mlflow.db", folder / "trained"
    options = ["--methods", ",".join(METHODS), "--no-dense", "--epochs", str(epochs), "--name", SWEEP]
    trained = ["--rates", TRAINED, "--seeds", "1", "--executor", "local", "--offline", str(offline)]
    bench(folder, uri, "run", *options, *trained)
    bench(folder, uri, "import", str(offline))
    entries = offline_folder.read(offline)
    with create_engine(uri, poolclass=NullPool).begin() as connection:
        _write(connection, list(_copies(entries, seeds)))
    asked = [*options, "--rates", ",".join(RATES), "--seeds", str(seeds)]
    return LargeStore(uri=uri, trials=CELLS * seeds, run_key=entries[0].run_key, run_options=asked)


def bench(folder: Path, uri: str, *arguments: str) -> None:
    """Run a command of ours to its end. Raises SweepError with its last line if that is an error."""
    command = [sys.executable, "-m", "bench", *arguments]
    environment = {**os.environ, store_uri.VARIABLE: uri}
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if ended.returncode:
        raise SweepError(f"{arguments[0]} ended with {ended.returncode}: {folded(ended.stderr.splitlines()[-1:])}")


def _copies(entries: Sequence[Entry], seeds: int) -> Iterator[Entry]:
    """The entries at every rate and seed, but those that are there."""
    noise = random.Random(0)
    for entry in entries:
        for rate in RATES:
            for seed in range(seeds):
                if (rate, seed) != (TRAINED, 0):
                    yield _copy(entry, rate, seed, noise.gauss(0, SPREAD))


def _copy(entry: Entry, rate: str, seed: int, noise: float) -> Entry:
    spec = {**entry.spec, "rate": rate, "seed": seed}
    images = len(decoded(entry.result.tags[names.TEST_RIGHT]))
    accuracy = min(max(entry.result.metrics[names.TEST_ACCURACY] + noise, 0.0), 1.0)
    right = np.roll(np.arange(images) < round(accuracy * images), seed)  # images that give the accuracy
    metrics = {**entry.result.metrics, names.TEST_ACCURACY: float(right.mean())}
    tags = {**entry.result.tags, names.TEST_RIGHT: encoded(right)}
    return replace(entry, spec=spec, result=replace(entry.result, run_key=key_of(spec), metrics=metrics, tags=tags))


def _write(connection: Connection, entries: Sequence[Entry]) -> None:
    """Write the trials as `Recorder` does, in few statements."""
    tables = MetaData()
    tables.reflect(connection, only=("experiments", "tags"))
    experiments, tags = tables.tables["experiments"], tables.tables["tags"]
    (experiment,) = connection.execute(select(experiments).where(experiments.c.name == SWEEP)).mappings()
    is_sweep = (tags.c.key == names.KIND) & (tags.c.value == names.SWEEP)
    (sweep,) = connection.execute(select(tags.c.run_uuid).where(is_sweep)).scalars()
    rest = iter(entries)
    while batch := list(islice(rest, BATCH)):
        rows: ended_run.Rows = {}
        for entry in batch:
            for name, of_trial in _rows(entry, dict(experiment), sweep).items():
                rows.setdefault(name, []).extend(of_trial)
        ended_run.insert_rows(connection, rows)


def _rows(entry: Entry, experiment: Mapping[str, Any], sweep: str) -> ended_run.Rows:
    """Table -> the rows of a trial's run."""
    run = ended_run.of_trial(entry, {names.IN_SWEEP + SWEEP: sweep, names.PARENT: sweep})
    run_id = ended_run.new_id()
    files = address_of(experiment["artifact_location"], run_id)
    return ended_run.rows(run_id, str(experiment["experiment_id"]), files, run)
