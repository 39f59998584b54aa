"""Where and how trials are to run, checked; whatever is wrong is a ValueError of one line. No torch."""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

from bench.datasets.roots import checkpoint_root
from bench.disk import absolute
from bench.execution.execution import Execution, Executor
from bench.messages import folded
from bench.storage.files import files_at
from bench.storage.store_uri import check_folder

ADDRESS_SECONDS = 5.0  # to wait for a cluster's answer
STORAGE_SECONDS = 30.0  # and for an object store's


def read_execution(
    *,
    executor: Executor,
    device: str,
    cpus_per_trial: int,
    gpus_per_trial: float | None = None,
    address: str | None = None,
    max_retries: int | None = None,
    storage: str | None = None,
    offline: bool = False,
) -> Execution:
    """How to run the trials; what the chosen executor cannot honour is an error.

    Args: device: "cpu" or "cuda". gpus_per_trial, address, max_retries: None = not given. offline: whether the results
          go to an offline folder.
    """
    for_ray = {"gpus-per-trial": gpus_per_trial, "address": address, "max-retries": max_retries}
    if executor == "local":
        for name, value in for_ray.items():
            if value is not None:
                raise ValueError(f"{name} {value} with executor local: the executor must be ray")
    elif offline:
        raise ValueError(f"offline with executor {executor}: the executor must be local")
    else:
        check_machine(cpus_per_trial, address)
    gpus = read_gpus(gpus_per_trial, device)
    if max_retries is not None and max_retries < 0:
        raise ValueError(f"max-retries {max_retries}: must be a whole number >= 0")
    return Execution(
        executor=executor,
        gpus_per_trial=gpus,
        address=address,
        max_retries=1 if max_retries is None else max_retries,
        storage=_storage(storage, address),
    )


def check_machine(cpus_per_trial: int, address: str | None) -> None:
    """Raise ValueError if Ray finds too few cores here for a trial, or no cluster at the address."""
    cores = os.cpu_count() or 1
    if address is not None:
        _check_address(address)
    elif cpus_per_trial > cores:
        raise ValueError(f"cpus-per-trial {cpus_per_trial}: must be at most the {cores} cores of this machine")


def _check_address(address: str) -> None:
    """Whether somebody listens at HOST:PORT or ray://HOST:PORT; Ray itself would wait for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not (host and colon and port.isdigit()):
        raise ValueError(f"address {address!r}: must be HOST:PORT or ray://HOST:PORT")
    try:
        socket.create_connection((host, int(port)), ADDRESS_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise ValueError(f"address {address!r}: no answer ({error})") from error


def read_gpus(gpus_per_trial: float | None, device: str) -> float:
    """The GPUs of a trial; by default one on cuda."""
    if gpus_per_trial is None:
        return float(device == "cuda")
    if device == "cpu" or not gpus_per_trial > 0:
        raise ValueError(f"gpus-per-trial {gpus_per_trial:g} on {device}: must be more than 0, on cuda")
    return gpus_per_trial


def _storage(storage: str | None, address: str | None) -> str | None:
    """Where checkpoints go: by default the user's cache folder, which the machines of a cluster do not share."""
    if storage is None:
        return None if address else str(checkpoint_root())
    if not storage:
        raise ValueError("storage '': must be a folder, or an address such as s3://BUCKET/FOLDER")
    if "://" not in storage:
        folder = absolute(Path(storage))
        check_folder(f"storage {storage}", folder)
        return str(folder)
    if "#" in storage:  # what follows would be dropped, and another folder written
        raise ValueError(f"storage {storage}: has a # in it, behind which an address has no path: must be %23 there")
    _check_bucket(storage)
    return storage


def _check_bucket(address: str) -> None:
    """Whether the object store answers; some of its libraries would try again for ever."""
    failed: list[OSError] = []

    def ask() -> None:
        try:
            files_at(address).names()
        except OSError as error:
            failed.append(error)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(STORAGE_SECONDS)
    if failed or asking.is_alive():
        reason = folded(failed[0]) if failed else f"within {STORAGE_SECONDS:.0f} s"
        raise ValueError(f"storage {address}: no answer ({reason})")
