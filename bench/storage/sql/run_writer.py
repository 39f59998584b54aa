"""Runs that have ended, written to MLflow's tables whole: some of them in one transaction, after their files.

MLflow's client takes eight transactions and some fifty statements for a trial. It is still what writes where the tables
are not those that are known here, where files go through a server, and where MLflow keeps workspaces apart.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.paging import address
from bench.storage import run_folders
from bench.storage.client.run_files import Run, address_of
from bench.storage.client.writing import data_row
from bench.storage.sql.driver import engine_of
from bench.storage.sql.ended_run import EndedRun, Rows, insert_rows, new_id, rows, table_of
from bench.storage.store_uri import local_path
from bench.stored_runs import by_database

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

TABLES = by_database.REVISIONS[:1]  # the versions of the tables in which these are the rows: the tests compare them
WAIT_SECONDS = 20  # for a file that others write, as MLflow's client waits


@dataclass(frozen=True, kw_only=True)
class NewRun:
    """A run that is to be written."""

    id: str  # of `new_id`; again the same when a write is tried again, which may have succeeded after all
    run: EndedRun
    keep_files: Callable[[Run], None]  # writes its files


class RunWriter:
    """Writes such runs to the database of a store."""

    def __init__(self, uri: str) -> None:
        self._uri = uri

    @cached_property
    def _engine(self) -> Engine:
        options = {"timeout": WAIT_SECONDS} if local_path(self._uri) else {}
        return engine_of(address(self._uri), **options)

    def write(self, experiment: str, new: Sequence[NewRun]) -> bool:
        """Write those runs that are not there, after their files, or none of them; whether that is possible here."""
        if not by_database.is_database(self._uri):
            return False
        with self._whole_or_gone() as made, self._engine.begin() as connection:
            location = _location(connection, experiment)
            files = {run.id: address_of(location, run.id) for run in new} if location else {}
            folders = {id_: folder for id_, uri in files.items() if (folder := run_folders.folder_of(self._uri, uri))}
            if len(folders) < len(new):
                return False
            there = _present(connection, list(folders))
            missing = [run for run in new if run.id not in there]
            made.update({run.id: folders[run.id].parent for run in missing})
            for run in missing:
                run.keep_files(Run(run.id, folders[run.id]))
            insert_rows(connection, _rows(connection, experiment, missing, files))
            if local_path(self._uri) is None:  # whether a commit that fails was done, a server alone knows
                made.clear()
        return True

    @contextmanager
    def _whole_or_gone(self) -> Iterator[dict[str, Path]]:
        """Removes these folders, by their runs, if what follows fails, as on a full disk: those that no row names."""
        made: dict[str, Path] = {}
        try:
            yield made
        except BaseException:
            if made:
                self._remove_unknown(made)
            raise

    def _remove_unknown(self, folders: Mapping[str, Path]) -> None:
        """Remove the folders of runs that are not there; none if nothing says which these are."""
        with suppress(Exception), self._engine.connect() as connection:
            there = _present(connection, list(folders))
            for folder in (folder for run, folder in folders.items() if run not in there):
                shutil.rmtree(folder, ignore_errors=True)


def _location(connection: Connection, experiment: str) -> str | None:
    """Where the files of an experiment are; None if MLflow's client must say what is wrong, or knows better."""
    versions = {version for (version,) in _select(connection, by_database.VERSIONS, ["version_num"])}
    if not versions or not versions <= {*TABLES}:
        return None
    found = _select(connection, "experiments", ["artifact_location", "lifecycle_stage"], experiment_id=int(experiment))
    return next((location for location, stage in found if stage == "active"), None)


def _present(connection: Connection, ids: Sequence[str]) -> set[str]:
    """Those of these runs that are there."""
    from sqlalchemy import select

    runs = table_of("runs", ["run_uuid"]).c
    return set(connection.execute(select(runs.run_uuid).where(runs.run_uuid.in_(ids))).scalars())


def _rows(connection: Connection, experiment: str, new: Sequence[NewRun], files: Mapping[str, str]) -> Rows:
    """The rows of all these runs, and of data sets that the experiment has not had."""
    every: Rows = {}
    sets = dict.fromkeys(run.run.data for run in new)
    data = {of_runs: _data_id(connection, experiment, of_runs, every) for of_runs in sets}
    for run in new:
        of_run = rows(run.id, experiment, files[run.id], run.run) | _input(run.id, data[run.run.data], run.run)
        for table, of_table in of_run.items():
            every.setdefault(table, []).extend(of_table)
    return every


def _data_id(connection: Connection, experiment: str, data: tuple[str, str], every: Rows) -> str:
    """The identity of a data set, which all runs of an experiment share; if it is new, its row joins these."""
    row, _ = data_row(*data)
    owned = {"experiment_id": int(experiment), "name": row["name"], "digest": row["digest"]}
    if found := _select(connection, "datasets", ["dataset_uuid"], **owned):
        return str(found[0][0])
    every.setdefault("datasets", []).append(
        {"dataset_uuid": (id_ := new_id()), "experiment_id": int(experiment), **row}
    )
    return id_


def _input(run_id: str, data_id: str, run: EndedRun) -> Rows:
    """The rows that link a run to its data set."""
    _, tag = data_row(*run.data)
    ends = {"source_type": "DATASET", "source_id": data_id, "destination_type": "RUN", "destination_id": run_id}
    link = new_id()
    return {"inputs": [{"input_uuid": link, "step": 0, **ends}], "input_tags": [{"input_uuid": link, **tag}]}


def _select(connection: Connection, name: str, wanted: Sequence[str], /, **equal: Any) -> Sequence[Any]:
    from sqlalchemy import select

    columns = table_of(name, [*wanted, *equal]).c
    where = [columns[column] == value for column, value in equal.items()]
    return connection.execute(select(*(columns[column] for column in wanted)).where(*where)).all()
