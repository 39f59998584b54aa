"""Networks that are missing or damaged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from bench import names
from bench.artefact.container import unseal
from bench.cli.doctor.finding import Finding
from bench.storage import stored_trials

if TYPE_CHECKING:
    import pandas as pd

REMEDY = "delete the run in MLflow, and `run` trains it again"


def damaged_networks(uri: str, addresses: Mapping[str, str], frame: pd.DataFrame, *, quick: bool) -> Iterator[Finding]:
    """Of the trials that were stored with a network.

    Args: addresses: run -> where its files are; a trial that was stored since they were read is left to the next time.
          quick: look only whether it is there.
    """
    with_network = frame[frame[names.STORED_BYTES].notna() & (frame["outcome"] == names.DONE)]
    with_network = with_network[with_network["run_id"].isin(addresses)]
    columns = (with_network[name].astype(str) for name in ("run_id", "run_key", "weights_sha256"))
    for run, *identity in zip(*columns, strict=True):
        if wrong := _missing(uri, run, addresses[run]) if quick else _wrong(uri, run, addresses[run], identity):
            yield Finding(words=f"run {run}: its network {wrong}", remedy=REMEDY)


def _missing(uri: str, run: str, address: str) -> str:
    path = stored_trials.lacks(uri, run, names.NETWORK_FILE, address)
    return f"is missing: {path}" if path else ""


def _wrong(uri: str, run: str, address: str, identity: Sequence[str]) -> str:
    """What is wrong with the network of a run; "" if nothing is.

    Args: identity: the run key, and the SHA-256 of the weights.
    """
    try:
        data = stored_trials.read_file(uri, run, names.NETWORK_FILE, address)
    except FileNotFoundError as error:
        return f"is missing: {error.filename or error}"
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    try:
        header = unseal(data)[0]
    except ValueError as error:
        return f"is damaged: {error}"
    is_its_own = [header.run_key, header.sha256.weights] == [*identity]
    return "" if is_its_own else "is another trial's: its checksums are not those that the store has"
