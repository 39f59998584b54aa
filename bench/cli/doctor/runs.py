"""What killed processes left running, and files that belong to no run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from bench import names
from bench.cli.doctor.finding import Finding
from bench.messages import counted
from bench.storage.mlflow_store import Store
from bench.storage.ownership.leftovers import KILLED, leftovers
from bench.stored_runs.query import RunQuery
from bench.stored_runs.reading import read_runs

RUN = re.compile("[0-9a-f]{32}")  # MLflow's identity of a run, which names the folder of its artefacts
NAMED = 3  # folders that a line can name


def left_running(store: Store) -> Iterator[Finding]:
    """Runs, and with them claims, of processes that are gone."""
    for run, kind in leftovers(store):
        yield Finding(
            words=f"run {run}, a {kind}'s, is RUNNING, and its process is gone",
            remedy=f"--fix ends it as {KILLED}, as the next `run` would",
            fix=partial(store.end_if_running, run, KILLED),
        )


def orphans(store: Store) -> Iterator[Finding]:
    """Folders of artefacts of runs that the store does not have."""
    known = {run.id for run in read_runs(store.uri, RunQuery(tag=names.KIND))}
    for root in store.artefact_folders():
        unknown = [f for f in _run_folders(root) if f.name not in known and not store.knows(f.name)]
        if unknown:
            shown = ", ".join(folder.name for folder in unknown[:NAMED])
            more = f" and {len(unknown) - NAMED} more" if len(unknown) > NAMED else ""
            folders = counted(len(unknown), "folder")
            yield Finding(
                words=f"{root}: {folders} of artefacts of no run of the store: {shown}{more}",
                remedy="delete them if no other store has their runs",
            )


def _run_folders(root: Path) -> list[Path]:
    if not root.is_dir():
        return []
    return sorted(path for path in root.iterdir() if RUN.fullmatch(path.name) and path.is_dir())
