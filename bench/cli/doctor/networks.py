"""Networks that are missing or damaged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from bench import names
from bench.artefact.container import unseal
from bench.cli.doctor.finding import Finding
from bench.storage.mlflow_store import Store

if TYPE_CHECKING:
    import pandas as pd

REMEDY = "delete the run in MLflow, and `run` trains it again"


def damaged_networks(store: Store, frame: pd.DataFrame, *, quick: bool) -> Iterator[Finding]:
    """Of the trials that were stored with a network.

    Args: quick: look only whether it is there.
    """
    with_network = frame[frame[names.STORED_BYTES].notna() & (frame["outcome"] == names.DONE)]
    for trial in with_network[["run_id", "run_key", "weights_sha256"]].itertuples(index=False):
        wrong = _missing(store, trial.run_id) if quick else _wrong(store, trial)
        if wrong:
            yield Finding(words=f"run {trial.run_id}: its network {wrong}", remedy=REMEDY)


def _missing(store: Store, run: str) -> str:
    return "" if store.has(run, names.NETWORK_FILE) else "is missing"


def _wrong(store: Store, trial: pd.Series) -> str:
    """What is wrong with the network of a trial; "" if nothing is."""
    try:
        data = store.read(trial.run_id, names.NETWORK_FILE)
    except FileNotFoundError as error:
        return f"is missing: {error.filename or error}"
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    try:
        header = unseal(data)[0]
    except ValueError as error:
        return f"is damaged: {error}"
    same = (header.run_key, header.sha256.weights) == (trial.run_key, trial.weights_sha256)
    return "" if same else "is another trial's: its checksums are not those that the store has"
