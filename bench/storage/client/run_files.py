"""The files of runs: in a folder that this machine reaches, or through a server."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import Path

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.utils.uri import append_to_uri_path

from bench.disk import make_folder, write_whole
from bench.messages import store_error
from bench.storage import run_folders
from bench.storage.ownership.working_folder import working_folder


@dataclass(frozen=True)
class Run:
    """A run in the store."""

    id: str
    folder: Path | None  # of its artefacts; None if they go through a server


def address_of(location: str, run: str) -> str:
    """Where MLflow keeps the files of a run, in an experiment that has them at this location."""
    return str(append_to_uri_path(location, run, "artifacts"))  # type: ignore[no-untyped-call]


def write(client: MlflowClient, run: Run, file: str, content: bytes) -> None:
    """Keep `content` as a file of the run."""
    if run.folder is None:
        with working_folder() as folder:
            (path := folder / file).write_bytes(content)
            client.log_artifact(run.id, str(path))
    else:  # the client would first read the run again, to find this folder
        make_folder(run.folder)  # on the disk: what is stored is kept nowhere else from then on
        write_whole(run.folder / file, content)


def read(client: MlflowClient, store: str, run: str, file: str) -> bytes:
    """A file of a run. Raises FileNotFoundError naming where it must be, OSError if it cannot be read.

    Args: store: its address, beside which the run's folder may be.
    """
    uri = client.get_run(run).info.artifact_uri
    if folders := run_folders.folders_of(store, uri):
        return run_folders.read(folders, file)
    if not _has(client, run, file):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), f"{uri}/{file}")
    with working_folder() as folder:
        try:
            return Path(client.download_artifacts(run, file, str(folder))).read_bytes()
        except MlflowException as error:
            raise OSError(store_error(error)) from error


def lacks(client: MlflowClient, store: str, run: str, uri: str, file: str) -> str:
    """Where a file of a run must be, and is not; "" if the run has it.

    Args: uri: where the store says that the run's files are.
    """
    if folders := run_folders.folders_of(store, uri):
        return run_folders.lacks(folders, file)
    return "" if _has(client, run, file) else f"{uri}/{file}"


def _has(client: MlflowClient, run: str, file: str) -> bool:
    return file in {artefact.path for artefact in client.list_artifacts(run)}
