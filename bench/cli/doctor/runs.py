"""What killed processes left running, and files that belong to no run."""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterator, Sequence
from functools import partial
from pathlib import Path

from bench import names
from bench.cli.doctor.finding import Finding
from bench.messages import counted
from bench.storage.store_uri import local_path
from bench.stored_runs.reading import read_locations, tagged

RUN = re.compile("[0-9a-f]{32}")  # MLflow's identity of a run, which names the folder of its artefacts
NAMED = 3  # folders that a line can name
YOUNG_SECONDS = 900.0  # a command writes the files of runs before their rows


def left_running(uri: str) -> Iterator[Finding]:
    """Runs, and with them claims, of processes that are gone."""
    if not tagged(uri, names.KIND, "RUNNING"):
        return
    from bench.storage.mlflow_store import Store
    from bench.storage.ownership.leftovers import KILLED, leftovers

    store = Store(uri)
    for run, kind in leftovers(store):
        yield Finding(
            words=f"run {run}, a {kind}'s, is RUNNING, and its process is gone",
            remedy=f"--fix ends it as {KILLED}, as the next `run` would",
            fix=partial(store.end_if_running, run, KILLED),
        )


def orphans(uri: str, known: Collection[str]) -> Iterator[Finding]:
    """Folders of artefacts of runs that the store does not have; not of runs that may be written at this moment.

    Args: known: runs that it has.
    """
    for root in _roots(uri):
        if unknown := _unknown(uri, [folder for folder in _run_folders(root) if folder.name not in known]):
            shown = ", ".join(folder.name for folder in unknown[:NAMED])
            more = f" and {len(unknown) - NAMED} more" if len(unknown) > NAMED else ""
            folders = counted(len(unknown), "folder")
            yield Finding(
                words=f"{root}: {folders} of artefacts of no run of the store: {shown}{more}",
                remedy="delete them if no other store has their runs",
            )


def _roots(uri: str) -> list[Path]:
    """Where the artefacts of the runs are, a folder for each experiment that has them on this machine."""
    local = map(local_path, read_locations(uri))
    return sorted({folder for folder in local if folder is not None})


def _unknown(uri: str, folders: Sequence[Path]) -> list[Path]:
    """Those of runs that the store does not have, deleted ones among them, nor others of our kind."""
    if not folders:
        return []
    from bench.storage.mlflow_store import Store

    store = Store(uri)
    return [folder for folder in folders if not store.knows(folder.name)]


def _run_folders(root: Path) -> list[Path]:
    if not root.is_dir():
        return []
    since = time.time() - YOUNG_SECONDS
    folders = (path for path in root.iterdir() if RUN.fullmatch(path.name) and path.is_dir())
    return sorted(path for path in folders if path.stat().st_mtime < since)
